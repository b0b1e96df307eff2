use faer::MatRef;
use serde::{Deserialize, Serialize};

use crate::eigenvalues::symmetric_eigenvalues;
use crate::error::finite;
use crate::scale::{exponent, times_power_of_two};
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

/// Eigenvalues in descending order, and the floor below which they are rounding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    eigenvalues: Vec<f64>,
    #[serde(default)]
    floor: f64,
    /// a², where an eigenvalue λ well above the floor moves by about a √λ.
    #[serde(default)]
    moves: f64,
    /// n, where it is told: of n eigenvalues there are n − 1 gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<usize>,
}

impl Spectrum {
    /// The spectrum (1/T) · eig(M) of a T × T Gram matrix, whose lower triangle is read.
    ///
    /// Its nonzero part is that of the n × n covariance or second moment.
    ///
    /// The floor is T · ε · max |λ|, as in `matrix_rank` of NumPy and MATLAB: by Weyl's inequality an eigenvalue moves by
    /// at most the 2-norm of what the matrix is off by. Where each entry m_ij is right to ε √(m_ii m_jj), as a dot
    /// product of well-ordered sums is, that norm is at most the Frobenius norm ε Σ m_ii = ε tr M ≤ T ε λ₁; and the
    /// eigenvalue iteration is off by less than T ε λ₁ on every type of matrix that it is tested on. A matrix that is
    /// less exact needs [`with_error`](Self::with_error).
    ///
    /// # Errors
    ///
    /// The errors of [`symmetric_eigenvalues`], or a trace beyond the range of `f64`.
    pub fn of_gram(gram: MatRef<'_, f64>) -> Result<Self> {
        let order = gram.nrows() as f64;
        let eigenvalues = symmetric_eigenvalues(gram)?;
        let spectrum = Self::new(eigenvalues.into_iter().map(|value| value / order).collect())?;
        let floor = order * (f64::EPSILON * spectrum.largest_magnitude());
        Ok(spectrum.with_error(floor))
    }

    /// A spectrum from eigenvalues in any order, each taken for exact: its floor is 0.
    ///
    /// # Errors
    ///
    /// A value that is not finite, or values whose sum leaves the range of `f64`.
    pub fn new(mut eigenvalues: Vec<f64>) -> Result<Self> {
        finite(&eigenvalues)?;
        eigenvalues.sort_unstable_by(|a, b| b.total_cmp(a));
        let spectrum = Self { eigenvalues, floor: 0.0, moves: 0.0, parameters: None };
        if spectrum.eigenvalues.iter().map(|value| value.abs()).sum::<f64>().is_infinite() {
            return Err(AnalysisError::OutOfRange { exponent: f64::MAX_EXP });
        }
        Ok(spectrum)
    }

    /// This spectrum with a floor of at least `error`, a bound on the 2-norm of the error of the matrix that it is the
    /// spectrum of, in units of the eigenvalues.
    #[must_use]
    pub fn with_error(self, error: f64) -> Self {
        Self { floor: self.floor.max(error), ..self }
    }

    /// This spectrum as that of a matrix of order n, `parameters`: of T × T Gram matrices with more iterations than
    /// parameters the eigenvalues beyond the n-th are none of the covariance's, and there is no gap to them.
    #[must_use]
    pub fn of_parameters(self, parameters: usize) -> Self {
        Self { parameters: Some(parameters), ..self }
    }

    /// This spectrum where each of the n · T entries of G is rounded to a relative `roundoff`, n being `parameters` and
    /// `mean_squared_norm` the mean of ‖g_t‖², in units of the eigenvalues.
    ///
    /// To first order λ_k = σ_k²/T moves by (2/T) σ_k u_kᵀ E v_k. Errors E of entries that are independent, of deviation
    /// `roundoff` |g|/√3, make that about 2 `roundoff` √(λ_k · `mean_squared_norm` / (3 n T)): eigengaps below six times as
    /// much are rounding, as those of equal eigenvalues are.
    #[must_use]
    pub fn with_rounded_entries(self, roundoff: f64, mean_squared_norm: f64, parameters: usize) -> Self {
        let entries = parameters.max(1) as f64 * self.eigenvalues.len().max(1) as f64;
        let moves = 4.0 * roundoff.powi(2) * mean_squared_norm / (3.0 * entries);
        Self { moves: self.moves.max(moves), ..self }
    }

    /// This spectrum with the eigenvalues and the floor times 2^`exponent`, exactly: that of gradients times
    /// 2^(`exponent`/2).
    ///
    /// # Errors
    ///
    /// An eigenvalue within the rank, or the trace, would leave the range of normal numbers of `f64`.
    pub fn scaled(self, exponent: i32) -> Result<Self> {
        let smallest = self.fitted_eigenvalues().last().copied();
        let moved = |value: f64| times_power_of_two(value, exponent);
        let scaled = Self {
            eigenvalues: self.eigenvalues.iter().map(|&value| moved(value)).collect(),
            floor: moved(self.floor),
            moves: moved(self.moves),
            parameters: self.parameters,
        };
        let of = |value: f64| self::exponent(value).saturating_add(exponent);
        if !scaled.eigenvalues.iter().map(|value| value.abs()).sum::<f64>().is_finite() {
            return Err(AnalysisError::OutOfRange { exponent: of(self.largest_magnitude()) });
        }
        match smallest {
            Some(smallest) if !moved(smallest).is_normal() => Err(AnalysisError::OutOfRange { exponent: of(smallest) }),
            _ => Ok(scaled),
        }
    }

    /// The eigenvalues, descending; those up to the [`floor`](Self::floor) are rounding.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// How far an eigenvalue may be off, in its units: those up to it cannot be told from zero.
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// The numerical rank: how many eigenvalues are positive and above the floor.
    pub fn rank(&self) -> usize {
        self.eigenvalues.partition_point(|&value| value > self.floor)
    }

    /// The eigenvalues above the floor, descending: the largest K of [`top_eigenvalues`](Self::top_eigenvalues) is
    /// their number.
    pub fn fitted_eigenvalues(&self) -> &[f64] {
        &self.eigenvalues[..self.rank()]
    }

    /// The `k` largest eigenvalues.
    ///
    /// # Errors
    ///
    /// `k` beyond the rank, or `k` eigenvalues that are equal to within the floor.
    pub fn top_eigenvalues(&self, k: usize) -> Result<&[f64]> {
        let fitted = self.fitted_eigenvalues();
        let top = fitted.get(..k).ok_or_else(|| self.beyond_rank(k, fitted.len(), "eigenvalues"))?;
        match top {
            [largest, .., smallest] if largest - smallest <= self.least_gap(*largest) => {
                Err(AnalysisError::AllEqual { k, value: *smallest })
            }
            _ => Ok(top),
        }
    }

    /// What rounding makes of the gap between two equal eigenvalues of the size `value`, at the most.
    fn least_gap(&self, value: f64) -> f64 {
        /// Deviations that the gap of two equal eigenvalues hardly ever passes.
        const DEVIATIONS: f64 = 6.0;
        self.floor.max(DEVIATIONS * (self.moves * value).sqrt())
    }

    fn beyond_rank(&self, k: usize, largest: usize, what: &'static str) -> AnalysisError {
        match self.largest_magnitude() {
            0.0 => AnalysisError::AllZero { what },
            _ => AnalysisError::BeyondRank { k, rank: self.rank(), largest, what },
        }
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

    /// The eigengaps that can be fitted, in the order of `reading`: the largest K of
    /// [`top_eigengaps`](Self::top_eigengaps) is their number.
    ///
    /// A gap counts where its upper eigenvalue is within the rank and its lower one of the [n](Self::of_parameters), and it is larger than the floor and than what
    /// [rounded entries](Self::with_rounded_entries) make of equal eigenvalues; by rank, those before the first that does
    /// not count.
    pub fn fitted_eigengaps(&self, reading: EigengapReading) -> Vec<f64> {
        let gaps_of_parameters = self.parameters.map_or(usize::MAX, |parameters| parameters.saturating_sub(1));
        let within = self.eigenvalues.windows(2).take(self.rank().min(gaps_of_parameters));
        let gaps = within.map(|pair| (pair[0] - pair[1], self.least_gap(pair[0])));
        let counts = |(gap, least): &(f64, f64)| gap > least;
        match reading {
            EigengapReading::ByRank => gaps.take_while(counts).map(|(gap, _)| gap).collect(),
            EigengapReading::Sorted => {
                let mut gaps: Vec<f64> = gaps.filter(counts).map(|(gap, _)| gap).collect();
                gaps.sort_unstable_by(|a, b| b.total_cmp(a));
                gaps
            }
        }
    }

    /// The `k` eigengaps that Table 1 tests: by size for [`EigengapReading::Sorted`], else by rank.
    ///
    /// # Errors
    ///
    /// Fewer than `k` gaps, or `k` beyond [those that can be fitted](Self::fitted_eigengaps).
    pub fn top_eigengaps(&self, k: usize, reading: EigengapReading) -> Result<Vec<f64>> {
        let n = self.eigenvalues.len().saturating_sub(1);
        if n < k {
            return Err(AnalysisError::TooFewValues { n, needed: k });
        }
        let mut gaps = self.fitted_eigengaps(reading);
        if gaps.len() < k {
            return Err(self.beyond_rank(k, gaps.len(), "eigengaps"));
        }
        gaps.truncate(k);
        Ok(gaps)
    }

    /// The trace, Σ λ_k; it is finite, since a spectrum beyond the range is refused.
    pub fn trace(&self) -> f64 {
        self.eigenvalues.iter().sum()
    }

    /// The share of the trace in the `k` largest eigenvalues; `None` where the trace is not positive.
    pub fn trace_share(&self, k: usize) -> Option<f64> {
        let relative = self.relative();
        let trace: f64 = relative.iter().sum();
        (trace > 0.0).then(|| relative.iter().take(k).sum::<f64>() / trace)
    }

    /// The effective rank exp(−Σ p_k ln p_k), p_k = λ_k / Σ λ, over the positive eigenvalues
    /// ([Roy and Vetterli](https://doi.org/10.5281/zenodo.40328) 2007); `None` where there is none.
    pub fn effective_rank(&self) -> Option<f64> {
        let relative = self.relative();
        let positive = || relative.iter().filter(|&&value| value > 0.0);
        let total: f64 = positive().sum();
        let shares = || positive().map(|value| value / total).filter(|&p| p > 0.0);
        (total > 0.0).then(|| shares().map(|p| -p * p.ln()).sum::<f64>().exp())
    }

    /// The participation ratio (Σ λ_k)² / Σ λ_k²; `None` where every eigenvalue is zero.
    pub fn participation_ratio(&self) -> Option<f64> {
        let relative = self.relative();
        let squares: f64 = relative.iter().map(|value| value * value).sum();
        (squares > 0.0).then(|| relative.iter().sum::<f64>().powi(2) / squares)
    }

    /// The eigenvalues over the power of two below the largest magnitude, so that their squares stay in range.
    fn relative(&self) -> Vec<f64> {
        let scale = exponent(self.largest_magnitude());
        self.eigenvalues.iter().map(|&value| times_power_of_two(value, -scale)).collect()
    }

    fn largest_magnitude(&self) -> f64 {
        self.eigenvalues.iter().fold(0.0, |largest, value| value.abs().max(largest))
    }
}
