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
        let digest = Sha256::digest(format!("{self:?} {seed}"));
        u64::from_le_bytes(std::array::from_fn(|index| digest[index]))
    }
}
