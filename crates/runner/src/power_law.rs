//! All that is said of values that may follow a power law.

use std::fmt;

use gradspectra_analysis::{
    Alternative, AnalysisError, EigengapReading, KsTest, LikelihoodRatio, MonteCarloTest, PowerLawFit, Spectrum,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::experiment::SpectrumValues;

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
    /// Log-likelihood ratios against other distributions; positive ones favour the power law.
    pub likelihood_ratios: Vec<LikelihoodRatio>,
}

impl PowerLawReport {
    /// Fits and tests the `top` largest of `values`; `seed` is that of the Monte-Carlo replicas.
    ///
    /// # Errors
    ///
    /// As [`PowerLawFit::top`].
    pub fn of(values: &[f64], top: usize, seed: u64) -> Result<Self> {
        let fit = PowerLawFit::top(values, top)?;
        let test = KsTest::of(&fit);
        let mut likelihood_ratios = Vec::new();
        for alternative in Alternative::ALL {
            match LikelihoodRatio::top(values, top, alternative) {
                Ok(ratio) => likelihood_ratios.push(ratio),
                Err(AnalysisError::TooWide { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self {
            s: fit.s(),
            test,
            accepted: test.is_power_law(),
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
    pub(crate) fn of_spectrum(spectrum: &Spectrum, values: SpectrumValues, top: usize, seed: u64) -> Result<Self> {
        let reading = match values {
            SpectrumValues::Eigenvalues => return Self::of(spectrum.eigenvalues(), top, seed),
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
        writeln!(formatter, "power law   {}", if self.accepted { "Yes" } else { "No" })?;
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
