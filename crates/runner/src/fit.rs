//! A power law through the values of a file.

use std::path::Path;

use crate::error::Result;
use crate::npy;
use crate::power_law::PowerLawReport;

/// K where the user names none: as many values as there are, 1000 at most.
const DEFAULT_TOP: usize = 1000;

/// Fits and tests a power law through the `top` largest values of the `.npy` at `path`, of float32 or float64 in any
/// shape.
///
/// # Errors
///
/// The file is not such an array, or its values are unfit.
pub fn fit_file(path: &Path, top: Option<usize>, seed: u64) -> Result<PowerLawReport> {
    let values = npy::values(path)?;
    PowerLawReport::of(&values, top.unwrap_or(DEFAULT_TOP.min(values.len())), seed)
}
