use serde::{Deserialize, Serialize};

use crate::error::finite;
use crate::scale::times_power_of_two;
use crate::{AnalysisError, KsDistances, Result};

/// A power law p(λ) ∝ λ^(−β), λ ≥ λ_min, fitted by maximum likelihood to the K largest values (Eq. 2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PowerLawFit {
    k: usize,
    beta: f64,
    lambda_min: f64,
    ks: KsDistances,
}

impl PowerLawFit {
    /// Fits the `k` largest of `values`, in any order; λ_min is the k-th largest.
    ///
    /// # Errors
    ///
    /// A value that is not finite, `k` below 2, fewer than `k` positive values, or `k` equal ones.
    pub fn top(values: &[f64], k: usize) -> Result<Self> {
        Self::of_ascending(&top_ascending(values, k)?)
    }

    /// Fits an ascending sample of at least 2 positive values.
    fn of_ascending(top: &[f64]) -> Result<Self> {
        let (k, lambda_min) = (top.len(), top[0]);
        let logarithms = logarithms(top);
        let rate = rate(&logarithms).ok_or(AnalysisError::AllEqual { k, value: lambda_min })?;
        Ok(Self::from_parts(k, rate, lambda_min, distances(&logarithms, rate)))
    }

    pub(crate) fn from_parts(k: usize, rate: f64, lambda_min: f64, ks: KsDistances) -> Self {
        Self { k, beta: 1.0 + rate, lambda_min, ks }
    }

    /// K, the number of values fitted.
    pub fn k(&self) -> usize {
        self.k
    }

    /// β̂ = 1 + K / Σ ln(λ_i/λ_min) (Eq. 2).
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The standard error (β̂ − 1)/√K of β̂ ([Clauset, Shalizi and Newman](https://doi.org/10.1137/070710111) 2009,
    /// Eq. 3.2).
    pub fn beta_standard_error(&self) -> f64 {
        (self.beta - 1.0) / (self.k as f64).sqrt()
    }

    /// The exponent ŝ = 1/(β̂ − 1) of the values by rank, λ_k ∝ k^(−s).
    pub fn s(&self) -> f64 {
        1.0 / (self.beta - 1.0)
    }

    /// The smallest fitted value.
    pub fn lambda_min(&self) -> f64 {
        self.lambda_min
    }

    /// Distances between the fitted values and the fit.
    pub fn ks(&self) -> KsDistances {
        self.ks
    }
}

/// The `k` largest of `values`, ascending: refuses what [`PowerLawFit::top`] does, except equal values.
pub(crate) fn top_ascending(values: &[f64], k: usize) -> Result<Vec<f64>> {
    finite(values)?;
    if k < 2 {
        return Err(AnalysisError::TooSmallK { k });
    }
    let mut positive: Vec<f64> = values.iter().copied().filter(|&value| value > 0.0).collect();
    if positive.len() < k {
        return Err(AnalysisError::TooFewPositive { positive: positive.len(), total: values.len(), k });
    }
    let rest = positive.len() - k;
    if rest > 0 {
        positive.select_nth_unstable_by(rest, f64::total_cmp);
    }
    let mut top = positive.split_off(rest);
    top.sort_unstable_by(f64::total_cmp);
    Ok(top)
}

/// ln(λ_i/λ_min) of an ascending positive sample.
pub(crate) fn logarithms(ascending: &[f64]) -> Vec<f64> {
    let relative = Relative::of(ascending[0], ascending[ascending.len() - 1]);
    ascending.iter().map(|&value| relative.logarithm(value)).collect()
}

/// How the logarithms of a sample's values relative to its smallest are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relative {
    smallest: f64,
    narrow: bool,
}

impl Relative {
    /// For values from `smallest`, which is positive, to `largest`.
    pub(crate) fn of(smallest: f64, largest: f64) -> Self {
        const NARROW: f64 = 1.0 / 128.0;
        Self { smallest, narrow: (largest - smallest) / smallest < NARROW }
    }

    /// ln(value/smallest), to a few ulps of the largest logarithm of the sample: where all values are near one another,
    /// the ratio's rounding would show, and the difference, which is exact, takes its place.
    pub(crate) fn logarithm(self, value: f64) -> f64 {
        let smallest = self.smallest;
        if self.narrow {
            return ((value - smallest) / smallest).ln_1p();
        }
        let ratio = value / smallest;
        if ratio.is_finite() {
            return ratio.ln();
        }
        // The value is above 2⁻⁵⁰ and the smallest below 1.
        const HALF: i32 = 768;
        let ratio = times_power_of_two(value, -HALF) / times_power_of_two(smallest, HALF);
        ratio.ln() + f64::from(2 * HALF) * std::f64::consts::LN_2
    }
}

/// β̂ − 1 of the sample whose ln(λ_i/λ_min) are given (Eq. 2); `None` where it is infinite, all values being equal.
pub(crate) fn rate(logarithms: &[f64]) -> Option<f64> {
    let sum: f64 = logarithms.iter().sum();
    (sum > 0.0).then(|| logarithms.len() as f64 / sum)
}

/// Distances from a power law with β − 1 = `rate`, of ascending ln(λ_i/λ_min), −∞ for a value of zero.
pub(crate) fn distances(logarithms: &[f64], rate: f64) -> KsDistances {
    KsDistances::of_sorted(logarithms, |logarithm| 1.0 - (-rate * logarithm.max(0.0)).exp())
}
