mod lognormal;
#[cfg(test)]
mod p_value_tests;
mod stretched;
mod truncated;

use libm::erfc;
use serde::{Deserialize, Serialize};

use crate::power_law::{logarithms, rate, top_ascending};
use crate::{AnalysisError, Result};
use lognormal::TruncatedNormal;
use stretched::Gompertz;
use truncated::CutOff;

/// The largest ln(λ/λ_min) of values that are near one another.
const NEAR: f64 = 1.0 / 128.0;

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
    /// p(λ) ∝ λ^(β−1) exp(−(rate·λ)^β).
    StretchedExponential,
    /// p(λ) ∝ λ^(−α) exp(−rate·λ), α of either sign.
    TruncatedPowerLaw,
}

impl Alternative {
    /// Every alternative.
    pub const ALL: [Self; 4] =
        [Self::Lognormal, Self::Exponential, Self::StretchedExponential, Self::TruncatedPowerLaw];
}

/// An [`Alternative`] with its maximum-likelihood parameters; a rate beyond the range of normal `f64` is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "distribution")]
#[expect(missing_docs, reason = "the parameters are those of Alternative's formulas")]
pub enum AlternativeFit {
    Lognormal { mu: f64, sigma: f64 },
    Exponential { rate: Option<f64> },
    StretchedExponential { rate: Option<f64>, beta: f64 },
    TruncatedPowerLaw { alpha: f64, rate: Option<f64> },
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
    /// R, the power law's log-likelihood less the alternative's: positive where the power law is likelier, never for the
    /// truncated power law, which contains it; 0 at the limit.
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
        // Densities are those of y = ln(λ/λ_min): λ times those of λ.
        let power_law = y.iter().map(|&y| ln_power(power, y) - y - lambda_min.ln()).sum();
        let fitted = FittedAlternative::new(alternative, &y);
        let (ratio, p_value) = match &fitted {
            Some(fitted) => {
                let differences: Vec<f64> = y.iter().map(|&y| fitted.difference(power, y)).collect();
                vuong(&differences, alternative == Alternative::TruncatedPowerLaw)
            }
            None => (0.0, 1.0),
        };
        let fit = fitted.map(|fitted| fitted.parameters(lambda_min));
        Ok(Self { alternative, fit, power_law, ratio, p_value })
    }
}

/// The log-density of y for a power law with β − 1 = `power`.
fn ln_power(power: f64, y: f64) -> f64 {
    power.ln() - power * y
}

/// R and its p-value, of the log-likelihood ratios of single values.
fn vuong(differences: &[f64], nested: bool) -> (f64, f64) {
    let n = differences.len() as f64;
    let ratio: f64 = differences.iter().sum();
    if nested {
        // A positive sum is rounding.
        let ratio = ratio.min(0.0);
        return (ratio, erfc((-ratio).sqrt()));
    }
    let variance = differences.iter().map(|difference| (difference - ratio / n).powi(2)).sum::<f64>() / n;
    let p_value = if ratio == 0.0 { 1.0 } else { erfc(ratio.abs() / (2.0 * n * variance).sqrt()) };
    (ratio, p_value)
}

/// e^y − 1 − y.
fn bend(y: f64) -> f64 {
    if y < 0.1 {
        let terms = (3..14).rev().fold(1.0, |sum, order| 1.0 + y / f64::from(order) * sum);
        return 0.5 * y * y * terms;
    }
    y.exp_m1() - y
}

/// A fitted alternative as a distribution of y = ln(λ/λ_min).
enum FittedAlternative {
    Lognormal(TruncatedNormal),
    /// Where the values are near one another, with ln of the power law's β − 1 over the rate.
    Exponential {
        rate: f64,
        ln_ratio: Option<f64>,
    },
    StretchedExponential(Gompertz),
    TruncatedPowerLaw(CutOff),
}

impl FittedAlternative {
    fn new(alternative: Alternative, y: &[f64]) -> Option<Self> {
        match alternative {
            Alternative::Lognormal => TruncatedNormal::fit(y).map(Self::Lognormal),
            Alternative::Exponential => {
                let rate = y.len() as f64 / y.iter().map(|y| y.exp_m1()).sum::<f64>();
                let bends = || y.iter().map(|&y| bend(y)).sum::<f64>();
                let near = y[y.len() - 1] < NEAR;
                Some(Self::Exponential { rate, ln_ratio: near.then(|| (bends() / y.iter().sum::<f64>()).ln_1p()) })
            }
            Alternative::StretchedExponential => Gompertz::fit(y).map(Self::StretchedExponential),
            Alternative::TruncatedPowerLaw => CutOff::fit(y).map(Self::TruncatedPowerLaw),
        }
    }

    /// The log-density of a power law with β − 1 = `power` less this one's.
    fn difference(&self, power: f64, y: f64) -> f64 {
        match *self {
            // Both densities are nearly power · e^(−power·y).
            Self::Exponential { rate, ln_ratio: Some(ln_ratio) } => {
                let slope = -power * (-ln_ratio).exp_m1();
                ln_ratio - (slope + 1.0) * y + rate * bend(y)
            }
            _ => ln_power(power, y) - self.ln_density(y),
        }
    }

    fn ln_density(&self, y: f64) -> f64 {
        match self {
            Self::Lognormal(normal) => normal.ln_density(y),
            Self::Exponential { rate, .. } => rate.ln() + y - rate * y.exp_m1(),
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
            Self::Exponential { rate, .. } => AlternativeFit::Exponential { rate: normal(rate / lambda_min) },
            Self::StretchedExponential(Gompertz { beta, ln_c }) => {
                let rate = (ln_c / beta - lambda_min.ln()).exp();
                AlternativeFit::StretchedExponential { rate: normal(rate), beta }
            }
            Self::TruncatedPowerLaw(CutOff { slope, rate, .. }) => {
                AlternativeFit::TruncatedPowerLaw { alpha: 1.0 + slope - rate, rate: normal(rate / lambda_min) }
            }
        }
    }
}

fn normal(rate: f64) -> Option<f64> {
    rate.is_normal().then_some(rate)
}
