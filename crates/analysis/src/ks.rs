use serde::{Deserialize, Serialize};

use crate::PowerLawFit;

/// Kolmogorov–Smirnov distances between a sample and a continuous distribution, by the empirical CDF's convention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KsDistances {
    /// sup |F*(x) − F̂(x)| over both sides of every step of the empirical CDF (Eq. 1).
    pub two_sided: f64,
    /// max |P(X < x) − F̂(x)| over the sample, as the Python package powerlaw computes it.
    pub below: f64,
    /// max |P(X ≤ x) − F̂(x)| over the sample.
    pub up_to: f64,
}

impl KsDistances {
    /// Distances of an ascending sample from the distribution function `cdf`.
    pub(crate) fn of_sorted(ascending: &[f64], cdf: impl Fn(f64) -> f64) -> Self {
        let n = ascending.len() as f64;
        let (mut below, mut up_to) = (0.0f64, 0.0f64);
        let mut smaller = 0;
        for ties in ascending.chunk_by(|a, b| a == b) {
            let fitted = cdf(ties[0]);
            below = below.max((smaller as f64 / n - fitted).abs());
            smaller += ties.len();
            up_to = up_to.max((smaller as f64 / n - fitted).abs());
        }
        Self { two_sided: below.max(up_to), below, up_to }
    }

    /// Distances of a sample with all its mass at the fit's left end but for `mass` below it.
    pub(crate) fn at_one_point(mass: f64) -> Self {
        Self { two_sided: 1.0, below: mass, up_to: 1.0 }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            two_sided: self.two_sided + other.two_sided,
            below: self.below + other.below,
            up_to: self.up_to + other.up_to,
        }
    }

    pub(crate) fn over(&self, count: usize) -> Self {
        let [two_sided, below, up_to] = [self.two_sided, self.below, self.up_to].map(|sum| sum / count as f64);
        Self { two_sided, below, up_to }
    }
}

/// The verdict of a Kolmogorov–Smirnov test at the level 0.05 (§A.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KsTest {
    /// The two-sided distance d_ks.
    pub d_ks: f64,
    /// The critical distance d_c = 1.36/√K.
    pub d_c: f64,
}

impl KsTest {
    /// The coefficient of d_c at the level 0.05 (§A.2).
    const COEFFICIENT: f64 = 1.36;

    /// Tests the K values that `fit` was made from.
    pub fn of(fit: &PowerLawFit) -> Self {
        Self { d_ks: fit.ks().two_sided, d_c: Self::critical_distance(fit.k()) }
    }

    /// d_c for K values.
    pub fn critical_distance(k: usize) -> f64 {
        Self::COEFFICIENT / (k as f64).sqrt()
    }

    /// Whether the power law is accepted: d_ks < d_c.
    pub fn is_power_law(&self) -> bool {
        self.d_ks < self.d_c
    }
}
