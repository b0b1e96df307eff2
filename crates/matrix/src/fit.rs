//! A power law through the values of a file.

use std::fmt;
use std::path::Path;

use gradspectra_analysis::{AnalysisError, XMinScan};
use gradspectra_experiment::PowerLawReport;
use gradspectra_files::StoredArray;
use gradspectra_run::{Error, Result};
use serde::Serialize;

/// How K, the number of values that are fitted, is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Top {
    /// As many as are positive, 1000 at most.
    #[default]
    Default,
    /// This many.
    Given(usize),
    /// As many as give the smallest KS distance ([Clauset, Shalizi and Newman](https://doi.org/10.1137/070710111) 2009,
    /// §3.3). The Monte-Carlo p-value takes K for fixed.
    Scanned,
}

/// Fits and tests a power law through the largest values of the `.npy` or SafeTensors file at `path`, integers or
/// floating-point numbers `[N]`, `[N, 1]` or `[1, N]`.
///
/// # Errors
///
/// The file is not such an array, or its values are unfit.
pub fn fit_file(path: &Path, top: Top, seed: u64) -> Result<FileFit> {
    let values = values(path)?;
    let law =
        fit(&values, top, seed).map_err(|error| Error::File { path: path.to_owned(), source: Box::new(error) })?;
    Ok(FileFit { caution: caution(&values, &law), law })
}

/// A power law through the values of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileFit {
    /// The law.
    #[serde(flatten)]
    pub law: PowerLawReport,
    /// What to know of the values that were fitted, where they would be rounding if they are eigenvalues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caution: Option<String>,
}

impl fmt::Display for FileFit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.law.fmt(formatter)?;
        self.caution.iter().try_for_each(|caution| writeln!(formatter, "caution     {caution}"))
    }
}

/// Says where fitted values are below N ε of the largest, which the eigenvalues of an N × N matrix are by rounding. A file
/// does not say whether its values are such.
fn caution(values: &[f64], law: &PowerLawReport) -> Option<String> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let floor = values.len() as f64 * f64::EPSILON * largest;
    let above = values.iter().filter(|value| **value > floor).count();
    (law.fit.lambda_min() < floor).then(|| {
        let below = law.fit.k() - above.min(law.fit.k());
        let are = if below == 1 { "is" } else { "are" };
        let most = if above < 2 { "too few are left for a fit".to_owned() } else { format!("K is at most {above}") };
        format!(
            "{below} of the K values {are} below N ε λ_1 = {floor:.1e}: if the values are eigenvalues of an N × N matrix, \
             what is below is rounding, and {most}"
        )
    })
}

fn values(path: &Path) -> Result<Vec<f64>> {
    let mut array = StoredArray::open(path, None, "N integers or floating-point numbers in an .npy or .safetensors")?;
    match array.shape[..] {
        [_] | [_, 1] | [1, _] => Ok(array.values()?),
        ref shape => {
            let found = format!("an array of shape {shape:?}");
            Err(Error::malformed(path, found, "N values, of shape [N]; `gradspectra analyze` takes matrices"))
        }
    }
}

fn fit(values: &[f64], top: Top, seed: u64) -> Result<PowerLawReport> {
    const DEFAULT: usize = 1000;
    const LEAST: usize = 2;
    let top = match top {
        Top::Default => {
            let positive = values.iter().filter(|value| **value > 0.0).count();
            if positive < LEAST {
                return Err(AnalysisError::TooFewPositive { positive, total: values.len(), k: LEAST }.into());
            }
            positive.min(DEFAULT)
        }
        Top::Given(top) => top,
        Top::Scanned => XMinScan::of(values)?.chosen().k(),
    };
    Ok(PowerLawReport::of(values, top, seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [1, 1, 1 + 1e-9] is as far from a power law as three values can be, and d_ks = 2/3 is below d_c.
    #[test]
    fn a_verdict_that_any_few_values_have_is_told_as_such() {
        let told = |values: &[f64]| fit(values, Top::Default, 1).expect("a fit").to_string();
        for few in [&[1.0, 5.0][..], &[1.0, 1.0, 1.0 + 1e-9]] {
            let told = told(few);
            let expected = format!("Yes  K = {0}; any {0} values are accepted", few.len());
            assert!(told.contains(&expected), "{told}");
        }
        let told = told(&[1.0, 1.0, 1.0, 1.0 + 1e-9]);
        assert!(told.contains("No  K = 4") && !told.contains("accepted"), "{told}");
    }

    #[test]
    fn values_that_would_be_rounding_in_a_spectrum_are_told() {
        let spectrum = |rank: usize| -> Vec<f64> {
            (1..=60).map(|k| if k <= rank { 1.0 / k as f64 } else { 1e-16 / k as f64 }).collect()
        };
        let caution_of = |values: &[f64], top| caution(values, &fit(values, top, 1).expect("a fit"));
        let told = caution_of(&spectrum(25), Top::Default).expect("35 are below the floor");
        assert!(
            told.starts_with("35 of the K values are below N ε λ_1 = 1.3e-14") && told.ends_with("at most 25"),
            "{told}"
        );
        assert_eq!(caution_of(&spectrum(25), Top::Given(25)), None);
        let one = caution_of(&[1.0, 1e-17], Top::Default).expect("one is below");
        assert!(one.starts_with("1 of the K values is below") && one.ends_with("too few are left for a fit"), "{one}");
        assert_eq!(caution_of(&spectrum(60), Top::Default), None);
    }
}
