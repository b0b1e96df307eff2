use rand::{RngExt, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, invalid},
    seed::Stream,
};

/// What is done to the training labels (§A; Table 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelCorruption {
    /// Nothing.
    #[default]
    None,
    /// Symmetric noise: each label, independently with probability `rate`, becomes another class, all others being
    /// equally likely ([Han et al. 2018](https://arxiv.org/abs/1804.06872)).
    SymmetricNoise {
        /// The probability that a label changes, 0 to 1.
        rate: f64,
    },
    /// "Random labels": the labels are permuted among the examples, so each class keeps its count.
    Shuffled,
}

impl LabelCorruption {
    /// Corrupts `labels`, all below `classes`.
    ///
    /// The same seed gives the same labels. Noise and permutation have ChaCha8 streams of their own; noise draws, label
    /// by label, a uniform f64 in [0, 1), and where that is less than `rate`, one of the other classes.
    ///
    /// # Errors
    ///
    /// The rate is outside [0, 1], or there is no other class to flip to.
    pub fn apply(self, labels: &mut [u32], classes: usize, seed: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::SymmetricNoise { rate } => symmetric_noise(labels, classes, rate, seed),
            Self::Shuffled => {
                labels.shuffle(&mut Stream::LabelShuffle.generator(seed));
                Ok(())
            }
        }
    }
}

fn symmetric_noise(labels: &mut [u32], classes: usize, rate: f64, seed: u64) -> Result<()> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(invalid("the rate of label noise", rate, "0 to 1"));
    }
    let others = match u32::try_from(classes) {
        Ok(classes @ 2..) => classes - 1,
        _ => return Err(invalid("the number of classes", classes, "at least 2")),
    };
    let mut generator = Stream::LabelNoise.generator(seed);
    for label in labels {
        if generator.random::<f64>() < rate {
            let other = generator.random_range(0..others);
            *label = other + u32::from(other >= *label);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 10;
    const COUNT: usize = 60_000;

    fn clean() -> Vec<u32> {
        (0..COUNT).map(|index| (index % CLASSES) as u32).collect()
    }

    fn corrupted(corruption: LabelCorruption, seed: u64) -> Vec<u32> {
        let mut labels = clean();
        corruption.apply(&mut labels, CLASSES, seed).expect("valid settings");
        labels
    }

    fn assert_within_5_sigma(found: usize, trials: usize, probability: f64) {
        let trials = trials as f64;
        let sigma = (trials * probability * (1.0 - probability)).sqrt();
        let distance = found as f64 - trials * probability;
        assert!(distance.abs() <= 5.0 * sigma, "{found}: {distance} of {sigma}");
    }

    #[test]
    fn noise_flips_the_rate_of_labels_to_every_other_class_alike() {
        for rate in [0.0, 0.4, 0.8, 1.0] {
            let noisy = corrupted(LabelCorruption::SymmetricNoise { rate }, 7);
            let mut flips = [[0; CLASSES]; CLASSES];
            for (before, after) in clean().into_iter().zip(noisy) {
                flips[before as usize][after as usize] += 1;
            }
            let kept: usize = (0..CLASSES).map(|class| flips[class][class]).sum();
            assert_within_5_sigma(COUNT - kept, COUNT, rate);
            for (before, row) in flips.iter().enumerate() {
                for (after, &count) in row.iter().enumerate().filter(|&(after, _)| after != before) {
                    let probability = rate / (CLASSES - 1) as f64;
                    assert_within_5_sigma(count, COUNT / CLASSES, probability);
                    assert!(rate == 0.0 || count > 0, "{before} to {after}");
                }
            }
        }
    }

    #[test]
    fn shuffling_keeps_each_class_count_and_breaks_the_order() {
        let shuffled = corrupted(LabelCorruption::Shuffled, 7);
        for class in 0..CLASSES {
            let count = shuffled.iter().filter(|&&label| label as usize == class).count();
            assert_eq!(count, COUNT / CLASSES);
        }
        let kept = clean().iter().zip(&shuffled).filter(|(a, b)| a == b).count();
        assert_within_5_sigma(kept, COUNT, 0.1);
    }

    #[test]
    fn a_seed_fixes_the_labels() {
        for corruption in [LabelCorruption::SymmetricNoise { rate: 0.4 }, LabelCorruption::Shuffled] {
            assert_eq!(corrupted(corruption, 1), corrupted(corruption, 1));
            assert_ne!(corrupted(corruption, 1), corrupted(corruption, 2));
        }
        assert_eq!(corrupted(LabelCorruption::None, 1), clean());
    }

    #[test]
    fn impossible_settings_are_refused() {
        for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let noise = LabelCorruption::SymmetricNoise { rate };
            let error = noise.apply(&mut [0, 1], 2, 0).expect_err("out of range");
            assert!(error.to_string().contains("expected 0 to 1"), "{error}");
        }
        let noise = LabelCorruption::SymmetricNoise { rate: 0.5 };
        let error = noise.apply(&mut [0, 0], 1, 0).expect_err("one class");
        assert!(error.to_string().contains("classes is 1"), "{error}");
    }

    #[test]
    fn experiment_files_name_the_corruption() {
        let parse = toml::from_str::<LabelCorruption>;
        let noise = parse("kind = 'symmetric-noise'\nrate = 0.4").expect("valid");
        assert_eq!(noise, LabelCorruption::SymmetricNoise { rate: 0.4 });
        assert_eq!(parse("kind = 'shuffled'").expect("valid"), LabelCorruption::Shuffled);
        parse("kind = 'symmetric-noise'\nrate = 0.4\nsead = 1").expect_err("unknown key");
    }
}
