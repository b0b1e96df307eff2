use serde::{Deserialize, Serialize};

use crate::error::finite;
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
        let top = &mut positive[rest..];
        top.sort_unstable_by(f64::total_cmp);
        Self::of_ascending(top)
    }

    fn of_ascending(top: &[f64]) -> Result<Self> {
        let (k, lambda_min) = (top.len(), top[0]);
        let logarithms: f64 = top.iter().map(|value| (value / lambda_min).ln()).sum();
        if logarithms == 0.0 {
            return Err(AnalysisError::AllEqual { k, value: lambda_min });
        }
        let beta = 1.0 + k as f64 / logarithms;
        let ks = KsDistances::of_sorted(top, |value| 1.0 - (value / lambda_min).powf(1.0 - beta));
        Ok(Self { k, beta, lambda_min, ks })
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
