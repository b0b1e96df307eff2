//! One seed a run, one stream of random numbers a purpose.

use sha2::{Digest, Sha256};

/// What random numbers of a run are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Drawing parameters.
    Parameters,
    /// Corrupting labels.
    Labels,
    /// Corrupting labels at capture alone.
    CaptureLabels,
    /// Inputs of noise.
    CaptureInputs,
    /// The order of examples in training.
    Training,
    /// The crops and flips of training images.
    Augmentation,
    /// The minibatches whose gradients are captured.
    Minibatches,
    /// The entries and parameters that tests draw.
    Entries,
    /// The replicas of Monte-Carlo tests.
    Replicas,
}

impl Purpose {
    /// A seed of its own, the first 8 bytes of SHA-256 of the purpose's name and `seed`.
    pub(crate) fn seed(self, seed: u64) -> u64 {
        let digest = Sha256::digest(format!("{} {seed}", self.name()));
        u64::from_le_bytes(std::array::from_fn(|index| digest[index]))
    }

    /// The name that results depend on, whatever the code calls the purpose.
    fn name(self) -> &'static str {
        match self {
            Self::Parameters => "Parameters",
            Self::Labels => "Labels",
            Self::CaptureLabels => "CaptureLabels",
            Self::CaptureInputs => "CaptureInputs",
            Self::Training => "Training",
            Self::Augmentation => "Augmentation",
            Self::Minibatches => "Minibatches",
            Self::Entries => "Entries",
            Self::Replicas => "Replicas",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `int.from_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest()[:8], "little")`.
    #[test]
    fn seeds_are_those_of_the_results() {
        for (purpose, seed, expected) in [
            (Purpose::Parameters, 1, 0x7a3b9be0ffcdac0e),
            (Purpose::Labels, 2, 0x9c73cc36e9468a21),
            (Purpose::CaptureLabels, 3, 0xd5ecd60db94ed19c),
            (Purpose::CaptureInputs, 4, 0xfa445a055aa8192c),
            (Purpose::Training, 5, 0x561113e42784a93c),
            (Purpose::Augmentation, 6, 0x279c2eae13252054),
            (Purpose::Minibatches, 7, 0xfea5052926533ab8),
            (Purpose::Entries, 8, 0x8bd3c895ed865755),
            (Purpose::Replicas, 9, 0x9a507179fc86734a),
        ] {
            assert_eq!(purpose.seed(seed), expected, "{purpose:?}");
        }
    }
}
