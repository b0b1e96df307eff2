//! A power law through the values of a file.

use std::path::Path;

use gradspectra_analysis::XMinScan;

use crate::error::{Error, Result};
use crate::npy;
use crate::power_law::PowerLawReport;

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

/// Fits and tests a power law through the largest values of the `.npy` at `path`, of float32 or float64 in any shape.
///
/// # Errors
///
/// The file is not such an array, or its values are unfit.
pub fn fit_file(path: &Path, top: Top, seed: u64) -> Result<PowerLawReport> {
    let values = npy::values(path)?;
    fit(&values, top, seed).map_err(|error| Error::File { path: path.to_owned(), source: Box::new(error) })
}

fn fit(values: &[f64], top: Top, seed: u64) -> Result<PowerLawReport> {
    const DEFAULT: usize = 1000;
    const LEAST: usize = 2;
    let top = match top {
        Top::Default => {
            let positive = values.iter().filter(|value| **value > 0.0).count();
            positive.clamp(LEAST.min(values.len()), DEFAULT)
        }
        Top::Given(top) => top,
        Top::Scanned => XMinScan::of(values)?.chosen().k(),
    };
    PowerLawReport::of(values, top, seed)
}
