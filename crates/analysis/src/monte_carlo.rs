use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{PowerLawFit, power_law, random};

/// A Monte-Carlo goodness-of-fit test of a power law whose exponent was estimated from the same data
/// ([Clauset, Shalizi and Newman](https://doi.org/10.1137/070710111) 2009, §4.1).
///
/// A replica is K − 1 draws from the fit above λ_min together with λ_min itself, which is what the top K of a power law
/// are given the K-th; it is fitted as the data were, and its two-sided distance taken. K is fixed, so that nothing is
/// drawn below λ_min: the p-value does not account for a K or λ_min that was chosen by its distance. The distances of
/// replicas depend on K alone. Fitting brings a sample closer: 5% of replicas are beyond about 1.09/√K, not d_c.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MonteCarloTest {
    /// The two-sided distance d_ks of the fit.
    pub d_ks: f64,
    /// R, the number of replicas.
    pub replicas: usize,
    /// How many replicas have a distance of at least d_ks.
    pub as_far: usize,
    /// (1 + as_far)/(1 + R), at which a test of any level is exact
    /// ([Davison and Hinkley](https://doi.org/10.1017/CBO9780511802843) 1997, §4.2), not Clauset's as_far/R.
    pub p_value: f64,
}

impl MonteCarloTest {
    /// Replicas for a p-value accurate to about 0.01 (Clauset, Shalizi and Newman 2009, §4.1).
    pub const REPLICAS: usize = 2500;

    /// Tests the K values that `fit` was made from; the result does not depend on the number of threads.
    pub fn of(fit: &PowerLawFit, replicas: usize, seed: u64) -> Self {
        let (k, d_ks) = (fit.k(), fit.ks().two_sided);
        let as_far = (0..replicas as u64)
            .into_par_iter()
            .map_init(|| vec![0.0; k], |scratch, replica| usize::from(replica_distance(scratch, seed, replica) >= d_ks))
            .sum();
        Self { d_ks, replicas, as_far, p_value: (1.0 + as_far as f64) / (1.0 + replicas as f64) }
    }

    /// Whether the power law is not ruled out: p > 0.1 (Clauset, Shalizi and Newman 2009, §4.1).
    pub fn is_power_law(&self) -> bool {
        self.p_value > 0.1
    }
}

/// ln(λ_i/λ_min) times β − 1 are ordered exponential draws: sums of independent spacings
/// ([Rényi](https://doi.org/10.1007/BF02127580) 1953).
fn replica_distance(logarithms: &mut [f64], seed: u64, replica: u64) -> f64 {
    let mut rng = random::stream(seed, replica);
    let k = logarithms.len();
    for rank in 1..k {
        logarithms[rank] = logarithms[rank - 1] + random::exponential(&mut rng) / (k - rank) as f64;
    }
    // Draws may round to zero, one in 2⁵³.
    power_law::rate(logarithms).map_or(1.0, |rate| power_law::distances(logarithms, rate).two_sided)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 5% point of the Kolmogorov distance from an exponential of estimated mean, [Stephens](
    /// https://doi.org/10.1080/01621459.1974.10480196) 1974: 1.094/(√K + 0.26 + 0.5/√K) + 0.2/K.
    #[test]
    fn distances_of_replicas_have_the_known_critical_value() {
        const K: usize = 1000;
        const REPLICAS: u64 = 10_000;
        let root = (K as f64).sqrt();
        let critical = 1.094 / (root + 0.26 + 0.5 / root) + 0.2 / K as f64;
        let mut scratch = vec![0.0; K];
        let beyond = (0..REPLICAS).filter(|&replica| replica_distance(&mut scratch, 5, replica) > critical).count();
        let share = beyond as f64 / REPLICAS as f64;
        assert!((share - 0.05).abs() < 0.008, "{share}");
    }
}
