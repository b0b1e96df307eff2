use serde::{Deserialize, Serialize};

use crate::error::finite;
use crate::scale::{exponent, times_power_of_two};
use crate::{AnalysisError, Result};

/// D'Agostino and Pearson's omnibus test of normality, as `scipy.stats.normaltest` computes it (Eq. 3).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NormalityTest {
    /// The z-score of the skewness, [D'Agostino](https://doi.org/10.1080/00031305.1990.10475751) et al. (1990).
    pub skewness_z: f64,
    /// The z-score of the kurtosis, [Anscombe and Glynn](https://doi.org/10.1093/biomet/70.1.227) (1983).
    pub kurtosis_z: f64,
    /// K² = skewness z² + kurtosis z².
    pub statistic: f64,
    /// The probability of a χ² with 2 degrees of freedom above K².
    pub p_value: f64,
}

impl NormalityTest {
    /// The smallest sample that the skewness test is defined for.
    pub const SMALLEST_SAMPLE: usize = 8;

    /// Tests a sample.
    ///
    /// # Errors
    ///
    /// A value that is not finite, fewer than 8 values, or a constant sample.
    pub fn of(sample: &[f64]) -> Result<Self> {
        finite(sample)?;
        if sample.len() < Self::SMALLEST_SAMPLE {
            return Err(AnalysisError::TooFewValues { n: sample.len(), needed: Self::SMALLEST_SAMPLE });
        }
        let n = sample.len() as f64;
        // Dividing by it is exact and keeps fourth powers in range.
        let scale = exponent(sample.iter().fold(0.0, |largest, value| value.abs().max(largest)));
        let sample: Vec<f64> = sample.iter().map(|&value| times_power_of_two(value, -scale)).collect();
        let mean = sample[0] + sample.iter().map(|value| value - sample[0]).sum::<f64>() / n;
        let deviations = deviations(&sample, mean);
        let moment = |order: i32| deviations.iter().map(|deviation| deviation.powi(order)).sum::<f64>() / n;
        let variance = moment(2);
        if variance <= (f64::EPSILON * mean).powi(2) {
            return Err(AnalysisError::Constant { value: times_power_of_two(mean, scale) });
        }
        let skewness_z = skewness_z(n, moment(3) / variance.powf(1.5));
        let kurtosis_z = kurtosis_z(n, moment(4) / variance.powi(2));
        let statistic = skewness_z.powi(2) + kurtosis_z.powi(2);
        Ok(Self { skewness_z, kurtosis_z, statistic, p_value: (-0.5 * statistic).exp() })
    }

    /// Whether normality is not rejected at the level 0.05 (§A.2).
    pub fn is_gaussian(&self) -> bool {
        Self::accepts(self.p_value)
    }

    pub(crate) fn accepts(p_value: f64) -> bool {
        p_value > 0.05
    }
}

/// The deviations from the mean, of which `mean` is a rounded value: where its rounding shows beside them, as it does
/// after a large common offset, their own mean is subtracted too.
fn deviations(sample: &[f64], mean: f64) -> Vec<f64> {
    const SHOWS: f64 = 1.0 / (1u64 << 40) as f64;
    let mut deviations: Vec<f64> = sample.iter().map(|value| value - mean).collect();
    let n = sample.len() as f64;
    let rest = deviations.iter().sum::<f64>() / n;
    let spread = (deviations.iter().map(|deviation| deviation * deviation).sum::<f64>() / n).sqrt();
    if rest.abs() > SHOWS * spread {
        deviations.iter_mut().for_each(|deviation| *deviation -= rest);
    }
    deviations
}

/// As scipy does, a skewness of exactly zero is scored as a scaled skewness of one.
fn skewness_z(n: f64, skewness: f64) -> f64 {
    let skewness_scale = ((n + 1.0) * (n + 3.0) / (6.0 * (n - 2.0))).sqrt();
    let scaled = if skewness == 0.0 { 1.0 } else { skewness * skewness_scale };
    let kurtosis =
        3.0 * (n * n + 27.0 * n - 70.0) * (n + 1.0) * (n + 3.0) / ((n - 2.0) * (n + 5.0) * (n + 7.0) * (n + 9.0));
    let w_squared = (2.0 * (kurtosis - 1.0)).sqrt() - 1.0;
    let delta = 1.0 / (0.5 * w_squared.ln()).sqrt();
    let alpha = (2.0 / (w_squared - 1.0)).sqrt();
    delta * (scaled / alpha).asinh()
}

fn kurtosis_z(n: f64, kurtosis: f64) -> f64 {
    let expected = 3.0 * (n - 1.0) / (n + 1.0);
    let variance = 24.0 * n * (n - 2.0) * (n - 3.0) / ((n + 1.0).powi(2) * (n + 3.0) * (n + 5.0));
    let standardised = (kurtosis - expected) / variance.sqrt();
    let root_beta = 6.0 * (n * n - 5.0 * n + 2.0) / ((n + 7.0) * (n + 9.0))
        * (6.0 * (n + 3.0) * (n + 5.0) / (n * (n - 2.0) * (n - 3.0))).sqrt();
    let a = 6.0 + 8.0 / root_beta * (2.0 / root_beta + (1.0 + 4.0 / root_beta.powi(2)).sqrt());
    let ratio = (1.0 - 2.0 / a) / (1.0 + standardised * (2.0 / (a - 4.0)).sqrt());
    (1.0 - 2.0 / (9.0 * a) - ratio.cbrt()) / (2.0 / (9.0 * a)).sqrt()
}
