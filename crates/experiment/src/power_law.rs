//! All that is said of values that may follow a power law.

use std::fmt;

use gradspectra_analysis::{
    Alternative, AnalysisError, EigengapReading, KsTest, LikelihoodRatio, MonteCarloTest, PowerLawFit, Spectrum,
};
use serde::{Deserialize, Serialize};

use crate::row::SpectrumValues;

/// A power law fitted to the largest of some values, with its tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PowerLawReport {
    /// ŝ = 1/(β̂ − 1).
    pub s: f64,
    /// The paper's test: the two-sided distance against 1.36/√K.
    pub test: KsTest,
    /// Its verdict.
    pub accepted: bool,
    /// The fit.
    pub fit: PowerLawFit,
    /// The standard error of β̂.
    pub beta_standard_error: f64,
    /// The test that is sound for an exponent estimated from the same values.
    pub monte_carlo: MonteCarloTest,
    /// ŝ of half the values, where it is further off than their number explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_half: Option<AtHalf>,
    /// Log-likelihood ratios against other distributions; positive ones favour the power law.
    pub likelihood_ratios: Vec<LikelihoodRatio>,
}

/// The exponent of the larger half of the values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AtHalf {
    /// K/2.
    pub k: usize,
    /// ŝ.
    pub s: f64,
}

impl AtHalf {
    /// The exponent of the `top`/2 largest of `values`, where it is further from `s` than two of its standard errors
    /// ŝ/√K, the delta method's for 1/(β̂ − 1).
    fn of(values: &[f64], top: usize, s: f64) -> Option<Self> {
        let fit = PowerLawFit::top(values, top / 2).ok()?;
        let error = fit.s() / (fit.k() as f64).sqrt();
        ((fit.s() - s).abs() > 2.0 * error).then(|| Self { k: fit.k(), s: fit.s() })
    }

    /// `; s is 1.2840 at K = 149`, nothing without one.
    pub fn words(at_half: Option<Self>) -> String {
        at_half.map_or_else(String::new, |Self { k, s }| format!("; s is {s:.4} at K = {k}"))
    }
}

/// What a verdict on so few values is worth: the largest distance of K values, (K − 1)/K where all but one are equal, is
/// below d_c = 1.36/√K up to K = 3. Nothing of more values.
pub fn of_few(k: usize) -> String {
    if k <= 3 { format!("; any {k} values are accepted") } else { String::new() }
}

impl PowerLawReport {
    /// Fits and tests the `top` largest of `values`; `seed` is that of the Monte-Carlo replicas.
    ///
    /// # Errors
    ///
    /// As [`PowerLawFit::top`].
    pub fn of(values: &[f64], top: usize, seed: u64) -> Result<Self, AnalysisError> {
        let fit = PowerLawFit::top(values, top)?;
        let test = KsTest::of(&fit);
        let mut likelihood_ratios = Vec::new();
        for alternative in Alternative::ALL {
            match LikelihoodRatio::top(values, top, alternative) {
                Ok(ratio) => likelihood_ratios.push(ratio),
                Err(AnalysisError::TooWide { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            s: fit.s(),
            test,
            accepted: test.is_power_law(),
            at_half: AtHalf::of(values, top, fit.s()),
            beta_standard_error: fit.beta_standard_error(),
            monte_carlo: MonteCarloTest::of(&fit, MonteCarloTest::REPLICAS, seed),
            likelihood_ratios,
            fit,
        })
    }

    /// Fits and tests the `top` largest of the named values of `spectrum`.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), or there are fewer eigengaps.
    pub fn of_spectrum(
        spectrum: &Spectrum,
        values: SpectrumValues,
        top: usize,
        seed: u64,
    ) -> Result<Self, AnalysisError> {
        let reading = match values {
            SpectrumValues::Eigenvalues => return Self::of(spectrum.top_eigenvalues(top)?, top, seed),
            SpectrumValues::Eigengaps => EigengapReading::Sorted,
            SpectrumValues::TopEigengaps => EigengapReading::ByRank,
        };
        Self::of(&spectrum.top_eigengaps(top, reading)?, top, seed)
    }
}

impl fmt::Display for PowerLawReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ks = self.fit.ks();
        writeln!(formatter, "K           {}", self.fit.k())?;
        writeln!(formatter, "lambda_min  {:e}", self.fit.lambda_min())?;
        writeln!(formatter, "beta        {:.6} ± {:.6}", self.fit.beta(), self.beta_standard_error)?;
        writeln!(formatter, "s           {:.6}", self.s)?;
        writeln!(formatter, "d_ks        {:.6}  two-sided", ks.two_sided)?;
        writeln!(formatter, "            {:.6}  one-sided, P(X < x), as the Python package powerlaw", ks.below)?;
        writeln!(formatter, "            {:.6}  one-sided, P(X <= x)", ks.up_to)?;
        writeln!(formatter, "d_c         {:.6}  1.36/sqrt(K)", self.test.d_c)?;
        let (verdict, at_half) = (if self.accepted { "Yes" } else { "No" }, AtHalf::words(self.at_half));
        writeln!(formatter, "power law   {verdict}  K = {}{}{at_half}", self.fit.k(), of_few(self.fit.k()))?;
        let (p, replicas) = (self.monte_carlo.p_value, self.monte_carlo.replicas);
        writeln!(formatter, "p           {p:.4}  Monte Carlo, {replicas} replicas")?;
        if self.likelihood_ratios.is_empty() {
            writeln!(formatter, "R           none: the values span more than e^300")?;
        }
        for ratio in &self.likelihood_ratios {
            let name = match ratio.alternative {
                Alternative::Lognormal => "lognormal",
                Alternative::Exponential => "exponential",
                Alternative::StretchedExponential => "stretched exponential",
                Alternative::TruncatedPowerLaw => "truncated power law",
            };
            writeln!(formatter, "R           {:.4}  against {name}, p {:.4}", ratio.ratio, ratio.p_value)?;
        }
        Ok(())
    }
}
