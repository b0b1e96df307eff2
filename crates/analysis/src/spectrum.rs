use faer::MatRef;
use serde::{Deserialize, Serialize};

use crate::eigenvalues::symmetric_eigenvalues;
use crate::error::finite;
use crate::{AnalysisError, Result};

/// Which eigengaps of a spectrum are tested (Table 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EigengapReading {
    /// The K largest gaps of the whole spectrum (Figure 1, right).
    #[default]
    Sorted,
    /// The gaps of the K + 1 largest eigenvalues (Figure 1, left).
    ByRank,
}

/// Eigenvalues in descending order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    eigenvalues: Vec<f64>,
}

impl Spectrum {
    /// The spectrum (1/T) · eig(M) of a T × T Gram matrix, whose lower triangle is read.
    ///
    /// Its nonzero part is that of the n × n covariance or second moment.
    ///
    /// # Errors
    ///
    /// Those of [`symmetric_eigenvalues`].
    pub fn of_gram(gram: MatRef<'_, f64>) -> Result<Self> {
        let order = gram.nrows() as f64;
        let eigenvalues = symmetric_eigenvalues(gram)?;
        Ok(Self { eigenvalues: eigenvalues.into_iter().map(|value| value / order).collect() })
    }

    /// A spectrum from eigenvalues in any order.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn new(mut eigenvalues: Vec<f64>) -> Result<Self> {
        finite(&eigenvalues)?;
        eigenvalues.sort_unstable_by(|a, b| b.total_cmp(a));
        Ok(Self { eigenvalues })
    }

    /// The eigenvalues, descending.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// The eigengaps λ_k − λ_{k+1} by rank k (Figure 1, left).
    pub fn eigengaps(&self) -> Vec<f64> {
        self.eigenvalues.windows(2).map(|pair| pair[0] - pair[1]).collect()
    }

    /// The eigengaps by size, descending (Figure 1, right).
    pub fn sorted_eigengaps(&self) -> Vec<f64> {
        let mut gaps = self.eigengaps();
        gaps.sort_unstable_by(|a, b| b.total_cmp(a));
        gaps
    }

    /// The `k` eigengaps that Table 1 tests: by size for [`EigengapReading::Sorted`], else by rank.
    ///
    /// # Errors
    ///
    /// Fewer than `k` gaps.
    pub fn top_eigengaps(&self, k: usize, reading: EigengapReading) -> Result<Vec<f64>> {
        let mut gaps = match reading {
            EigengapReading::Sorted => self.sorted_eigengaps(),
            EigengapReading::ByRank => self.eigengaps(),
        };
        if gaps.len() < k {
            return Err(AnalysisError::TooFewValues { n: gaps.len(), needed: k });
        }
        gaps.truncate(k);
        Ok(gaps)
    }

    /// The trace, Σ λ_k.
    pub fn trace(&self) -> f64 {
        self.eigenvalues.iter().sum()
    }

    /// The share of the trace in the `k` largest eigenvalues; `None` where the trace is not positive.
    pub fn trace_share(&self, k: usize) -> Option<f64> {
        let trace = self.trace();
        (trace > 0.0).then(|| self.eigenvalues.iter().take(k).sum::<f64>() / trace)
    }

    /// The effective rank exp(−Σ p_k ln p_k), p_k = λ_k / Σ λ, over the positive eigenvalues
    /// ([Roy and Vetterli](https://doi.org/10.5281/zenodo.40328) 2007); `None` where there is none.
    pub fn effective_rank(&self) -> Option<f64> {
        let positive = || self.eigenvalues.iter().filter(|&&value| value > 0.0);
        let total: f64 = positive().sum();
        (total > 0.0).then(|| positive().map(|value| value / total).map(|p| -p * p.ln()).sum::<f64>().exp())
    }

    /// The participation ratio (Σ λ_k)² / Σ λ_k²; `None` where every eigenvalue is zero.
    pub fn participation_ratio(&self) -> Option<f64> {
        let squares: f64 = self.eigenvalues.iter().map(|value| value * value).sum();
        (squares > 0.0).then(|| self.trace().powi(2) / squares)
    }
}
