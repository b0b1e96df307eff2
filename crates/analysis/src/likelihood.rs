mod lognormal;
mod stretched;
mod truncated;

use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

use crate::power_law::{logarithms, rate, top_ascending};
use crate::{AnalysisError, Result};
use lognormal::TruncatedNormal;
use stretched::Gompertz;
use truncated::CutOff;

/// The largest ln(λ/λ_min), so that no moment leaves f64's range.
const LARGEST_LOGARITHM: f64 = 300.0;

/// A distribution to compare a power law with, each normalised over λ ≥ λ_min
/// ([Clauset, Shalizi and Newman](https://doi.org/10.1137/070710111) 2009, Table 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alternative {
    /// p(λ) ∝ λ⁻¹ exp(−(ln λ − μ)²/2σ²).
    Lognormal,
    /// p(λ) ∝ exp(−rate·λ).
    Exponential,
    /// p(λ) ∝ λ^(β−1) exp(−(rate·λ)^β); near its limit the rate may lie beyond f64's range and is then `None`.
    StretchedExponential,
    /// p(λ) ∝ λ^(−α) exp(−rate·λ), α of either sign.
    TruncatedPowerLaw,
}

impl Alternative {
    /// Every alternative.
    pub const ALL: [Self; 4] =
        [Self::Lognormal, Self::Exponential, Self::StretchedExponential, Self::TruncatedPowerLaw];
}

/// An [`Alternative`] with its maximum-likelihood parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "distribution")]
#[expect(missing_docs, reason = "the parameters are those of Alternative's formulas")]
pub enum AlternativeFit {
    Lognormal { mu: f64, sigma: f64 },
    Exponential { rate: f64 },
    StretchedExponential { rate: Option<f64>, beta: f64 },
    TruncatedPowerLaw { alpha: f64, rate: f64 },
}

/// The likelihood-ratio test of a power law against an alternative, both fitted to the same K largest values
/// ([Vuong](https://doi.org/10.2307/1912557) 1989; Clauset, Shalizi and Newman 2009, §5), as the Python package
/// powerlaw computes it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LikelihoodRatio {
    /// The alternative.
    pub alternative: Alternative,
    /// Its fit; `None` where no parameters are best and its supremum is the power law itself, at the limit μ → −∞,
    /// β → 0 or rate → 0.
    pub fit: Option<AlternativeFit>,
    /// The log-likelihood of the power law.
    pub power_law: f64,
    /// R, the power law's log-likelihood less the alternative's: positive where the power law is likelier; 0 at the
    /// limit.
    pub ratio: f64,
    /// The probability of an R as far from 0 if both were equally good: erfc(|R|/(σ√(2K))), or for the truncated power
    /// law, which contains the power law, erfc(√|R|); 1 at the limit.
    pub p_value: f64,
}

impl LikelihoodRatio {
    /// Compares a power law with `alternative` on the `k` largest of `values`.
    ///
    /// # Errors
    ///
    /// What [`PowerLawFit::top`](crate::PowerLawFit::top) refuses, or values beyond e³⁰⁰ times the smallest.
    pub fn top(values: &[f64], k: usize, alternative: Alternative) -> Result<Self> {
        let top = top_ascending(values, k)?;
        let (lambda_min, largest) = (top[0], top[k - 1]);
        let y = logarithms(&top);
        let power = rate(&y).ok_or(AnalysisError::AllEqual { k, value: lambda_min })?;
        if y[k - 1] > LARGEST_LOGARITHM {
            return Err(AnalysisError::TooWide { smallest: lambda_min, largest });
        }
        let ln_power = |y: f64| power.ln() - power * y;
        // Densities are those of y = ln(λ/λ_min): λ times those of λ.
        let power_law = y.iter().map(|&y| ln_power(y) - y - lambda_min.ln()).sum();
        let fitted = FittedAlternative::new(alternative, &y);
        let (ratio, p_value) = match &fitted {
            Some(fitted) => {
                let differences: Vec<f64> = y.iter().map(|&y| ln_power(y) - fitted.ln_density(y)).collect();
                vuong(&differences, alternative == Alternative::TruncatedPowerLaw)
            }
            None => (0.0, 1.0),
        };
        let fit = fitted.map(|fitted| fitted.parameters(lambda_min));
        Ok(Self { alternative, fit, power_law, ratio, p_value })
    }
}

/// R and its p-value, of the log-likelihood ratios of single values.
fn vuong(differences: &[f64], nested: bool) -> (f64, f64) {
    let n = differences.len() as f64;
    let ratio: f64 = differences.iter().sum();
    if nested {
        return (ratio, erfc(ratio.abs().sqrt()));
    }
    let variance = differences.iter().map(|difference| (difference - ratio / n).powi(2)).sum::<f64>() / n;
    let p_value = if ratio == 0.0 { 1.0 } else { erfc(ratio.abs() / (2.0 * n * variance).sqrt()) };
    (ratio, p_value)
}

/// A fitted alternative as a distribution of y = ln(λ/λ_min).
enum FittedAlternative {
    Lognormal(TruncatedNormal),
    Exponential { rate: f64 },
    StretchedExponential(Gompertz),
    TruncatedPowerLaw(CutOff),
}

impl FittedAlternative {
    fn new(alternative: Alternative, y: &[f64]) -> Option<Self> {
        match alternative {
            Alternative::Lognormal => TruncatedNormal::fit(y).map(Self::Lognormal),
            Alternative::Exponential => {
                let rate = y.len() as f64 / y.iter().map(|y| y.exp_m1()).sum::<f64>();
                Some(Self::Exponential { rate })
            }
            Alternative::StretchedExponential => Gompertz::fit(y).map(Self::StretchedExponential),
            Alternative::TruncatedPowerLaw => CutOff::fit(y).map(Self::TruncatedPowerLaw),
        }
    }

    fn ln_density(&self, y: f64) -> f64 {
        match self {
            Self::Lognormal(normal) => normal.ln_density(y),
            Self::Exponential { rate } => rate.ln() + y - rate * y.exp_m1(),
            Self::StretchedExponential(gompertz) => gompertz.ln_density(y),
            Self::TruncatedPowerLaw(cut_off) => cut_off.ln_density(y),
        }
    }

    /// The parameters in units of the values.
    fn parameters(&self, lambda_min: f64) -> AlternativeFit {
        match *self {
            Self::Lognormal(TruncatedNormal { sigma, bound }) => {
                AlternativeFit::Lognormal { mu: lambda_min.ln() - bound * sigma, sigma }
            }
            Self::Exponential { rate } => AlternativeFit::Exponential { rate: rate / lambda_min },
            Self::StretchedExponential(Gompertz { beta, ln_c }) => {
                let rate = (ln_c / beta - lambda_min.ln()).exp();
                AlternativeFit::StretchedExponential { rate: rate.is_normal().then_some(rate), beta }
            }
            Self::TruncatedPowerLaw(CutOff { slope, rate, .. }) => {
                AlternativeFit::TruncatedPowerLaw { alpha: 1.0 + slope - rate, rate: rate / lambda_min }
            }
        }
    }
}
