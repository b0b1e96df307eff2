use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::power_law::{Relative, distances, logarithms, top_ascending};
use crate::{AnalysisError, PowerLawFit, Result};

/// The power laws of every tail of a sample, and the one whose two-sided distance is smallest
/// ([Clauset, Shalizi and Newman](https://doi.org/10.1137/070710111) 2009, §3.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct XMinScan {
    candidates: Vec<PowerLawFit>,
    chosen: usize,
}

impl XMinScan {
    /// Fits the tail λ ≥ λ_min for each λ_min among the positive `values`, the largest apart, on all cores.
    ///
    /// The exponents together take O(n log n), the distances O(n²).
    ///
    /// # Errors
    ///
    /// A value that is not finite, fewer than 2 positive values, or only equal ones.
    pub fn of(values: &[f64]) -> Result<Self> {
        let positive = values.iter().filter(|&&value| value > 0.0).count();
        let ascending = top_ascending(values, positive.max(2))?;
        let (n, largest) = (ascending.len(), ascending[ascending.len() - 1]);
        let mut tails = Vec::new();
        let mut sum = 0.0;
        for start in (0..n - 1).rev() {
            let (value, next) = (ascending[start], ascending[start + 1]);
            sum += (n - 1 - start) as f64 * Relative::of(value, next).logarithm(next);
            if ascending[start] < largest && (start == 0 || ascending[start - 1] < ascending[start]) && sum > 0.0 {
                tails.push((start, (n - start) as f64 / sum));
            }
        }
        let candidates: Vec<PowerLawFit> = tails
            .into_par_iter()
            .rev()
            .map(|(start, rate)| {
                let ks = distances(&logarithms(&ascending[start..]), rate);
                PowerLawFit::from_parts(n - start, rate, ascending[start], ks)
            })
            .collect();
        let distance = |index: &usize| candidates[*index].ks().two_sided;
        let chosen = (0..candidates.len())
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .ok_or(AnalysisError::AllEqual { k: n, value: largest })?;
        Ok(Self { candidates, chosen })
    }

    /// The fits of all candidates by rising λ_min.
    pub fn candidates(&self) -> &[PowerLawFit] {
        &self.candidates
    }

    /// The fit of the smallest distance, of equal ones that of the smallest λ_min.
    pub fn chosen(&self) -> &PowerLawFit {
        &self.candidates[self.chosen]
    }
}
