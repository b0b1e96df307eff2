//! One seed, many independent streams of random numbers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What random numbers are for. Each has its own ChaCha stream, so that one seed may serve all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// The order of one epoch.
    Epoch(u64),
    /// The examples of one iteration, drawn with replacement.
    Iteration(u64),
    /// The flips and crops of one epoch.
    Augmentation(u64),
    /// Symmetric label noise.
    LabelNoise,
    /// The permutation of labels.
    LabelShuffle,
    /// Inputs of noise.
    Noise,
}

impl Stream {
    /// ChaCha8 of `seed_from_u64(seed)`; the stream is the purpose in the top byte and the epoch or iteration below.
    pub fn generator(self, seed: u64) -> ChaCha8Rng {
        let (purpose, count) = match self {
            Self::Epoch(epoch) => (0_u64, epoch),
            Self::Iteration(iteration) => (1, iteration),
            Self::Augmentation(epoch) => (2, epoch),
            Self::LabelNoise => (3, 0),
            Self::LabelShuffle => (4, 0),
            Self::Noise => (5, 0),
        };
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose << 56 | count & ((1 << 56) - 1));
        generator
    }
}
