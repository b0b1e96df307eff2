//! A power law through the values of a file.

use std::path::Path;

use gradspectra_analysis::XMinScan;

use crate::error::{Error, Result};
use crate::power_law::PowerLawReport;
use crate::stored::StoredArray;

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
pub fn fit_file(path: &Path, top: Top, seed: u64) -> Result<PowerLawReport> {
    let values = values(path)?;
    fit(&values, top, seed).map_err(|error| Error::File { path: path.to_owned(), source: Box::new(error) })
}

fn values(path: &Path) -> Result<Vec<f64>> {
    let mut array = StoredArray::open(path, None, "N integers or floating-point numbers in an .npy or .safetensors")?;
    match array.shape[..] {
        [_] | [_, 1] | [1, _] => array.values(),
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
            positive.clamp(LEAST.min(values.len()), DEFAULT)
        }
        Top::Given(top) => top,
        Top::Scanned => XMinScan::of(values)?.chosen().k(),
    };
    PowerLawReport::of(values, top, seed)
}
