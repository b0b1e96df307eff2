use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The generator of task `stream` under `seed`: streams are independent, so that tasks may run in any order.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A uniform integer below `bound`, by a widening product (its bias is below bound/2⁶⁴).
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// A draw from the exponential distribution of mean 1.
pub(crate) fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    -(((rng.next_u64() >> 11) as f64 + 0.5) * STEP).ln()
}
