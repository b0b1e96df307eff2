use burn_dataset::{Dataset, DatasetError};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::{
    error::{Result, invalid},
    labels::LabelCorruption,
    seed::Stream,
};

/// Examples as a network takes them, in memory; a Burn [`Dataset`].
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    inputs: Vec<f32>,
    shape: Vec<usize>,
    labels: Vec<u32>,
    classes: usize,
}

/// One of the [`Examples`].
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The input, row-major, of the shape [`Examples::shape`].
    pub input: Vec<f32>,
    /// The class.
    pub label: u32,
}

impl Examples {
    /// Row-major `inputs` `[N, ..shape]` with `N` labels below `classes`.
    ///
    /// # Errors
    ///
    /// There are no examples or more than `u32::MAX`, the lengths or labels do not fit, or an input is not finite.
    pub fn new(inputs: Vec<f32>, shape: Vec<usize>, labels: Vec<u32>, classes: usize) -> Result<Self> {
        let size = shape.iter().try_fold(1_usize, |size, &d| size.checked_mul(d));
        let expected = size.and_then(|size| size.checked_mul(labels.len()));
        if expected != Some(inputs.len()) || inputs.is_empty() {
            return Err(invalid(
                "the number of inputs",
                inputs.len(),
                format!("{} examples of {shape:?}, at least one", labels.len()),
            ));
        }
        if u32::try_from(labels.len()).is_err() {
            return Err(invalid("the number of examples", labels.len(), "at most 2^32 - 1"));
        }
        if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
            return Err(invalid("a label", label, format!("less than {classes}")));
        }
        let odd = |input: &&f32| !input.is_finite();
        let size = inputs.len() / labels.len();
        if let Some(example) = inputs.par_chunks(size).position_first(|inputs| inputs.iter().any(|input| odd(&input))) {
            let input = inputs[example * size..].iter().find(odd).expect("one of the example's");
            return Err(invalid("an input", format!("{input} in example {example}"), "a finite number"));
        }
        Ok(Self { inputs, shape, labels, classes })
    }

    /// The number of examples N.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one example")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The shape of one input: `[C, H, W]` or `[F]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All inputs, row-major `[N, ..shape]`.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// The input of example `index`, row-major.
    ///
    /// # Panics
    ///
    /// If `index` is not less than [`len`](Self::len).
    pub fn input(&self, index: usize) -> &[f32] {
        let size = self.inputs.len() / self.labels.len();
        &self.inputs[index * size..][..size]
    }

    /// The labels `[N]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The label of example `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not less than [`len`](Self::len).
    pub fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Corrupts the labels as `corruption` says; see [`LabelCorruption::apply`].
    ///
    /// # Errors
    ///
    /// The corruption's settings are out of range.
    pub fn corrupt_labels(&mut self, corruption: LabelCorruption, seed: u64) -> Result<()> {
        corruption.apply(&mut self.labels, self.classes, seed)
    }

    /// Puts independent standard normal numbers in place of the inputs; the same seed gives the same numbers.
    pub fn replace_inputs_by_noise(&mut self, seed: u64) {
        let mut generator = Stream::Noise.generator(seed);
        self.inputs.fill_with(|| StandardNormal.sample(&mut generator));
    }
}

impl Dataset<Example> for Examples {
    fn get(&self, index: usize) -> Result<Example, DatasetError> {
        Ok(Example { input: self.input(index).to_vec(), label: self.label(index) })
    }

    fn len(&self) -> usize {
        self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_standard_normal_and_repeats() -> Result<()> {
        let mut examples = Examples::new(vec![7.0; 40_000], vec![20], vec![0; 2000], 2)?;
        examples.replace_inputs_by_noise(3);
        let moment = |power| examples.inputs().iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / 40_000.0;
        for (power, expected, deviation) in [(1, 0.0, 0.005), (2, 1.0, 0.007), (4, 3.0, 0.05)] {
            assert!((moment(power) - expected).abs() < 4.0 * deviation, "moment {power}: {}", moment(power));
        }
        let first = examples.clone();
        examples.replace_inputs_by_noise(3);
        assert_eq!(examples, first);
        examples.replace_inputs_by_noise(4);
        assert_ne!(examples, first);
        Ok(())
    }

    #[test]
    fn burn_reads_the_examples_in_order() -> Result<()> {
        let examples = Examples::new(vec![1.0, 2.0, 3.0, 4.0], vec![2], vec![1, 0], 2)?;
        let items: Vec<Example> = Dataset::iter(&examples).map(|item| item.expect("in memory")).collect();
        assert_eq!(Dataset::len(&examples), 2);
        assert_eq!(items[0].input, [1.0, 2.0]);
        assert_eq!(items[1].input, examples.input(1));
        assert_eq!([items[0].label, items[1].label], [1, 0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let nan = f32::NAN;
        for (inputs, shape, labels, expected) in [
            (vec![0.0; 3], vec![2], vec![0, 0], "inputs is 3, expected 2 examples of [2]"),
            (vec![], vec![2], vec![], "at least one"),
            (vec![0.0; 2], vec![usize::MAX, 3], vec![0], "inputs is 2"),
            (vec![0.0; 2], vec![2], vec![7], "a label is 7, expected less than 2"),
            (vec![0.0, 0.0, 0.0, nan], vec![2], vec![0, 0], "NaN in example 1"),
        ] {
            let error = Examples::new(inputs, shape, labels, 2).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
