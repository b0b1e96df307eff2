//! A power law through the values of a file.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use gradspectra_analysis::{KsTest, PowerLawFit};
use serde::Serialize;

use crate::error::{Error, Result};

/// K where the user names none: as many values as there are, 1000 at most.
const DEFAULT_TOP: usize = 1000;

/// A power law fitted to the largest values of a file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileFit {
    /// How many values the file has.
    pub values: usize,
    /// ŝ.
    pub s: f64,
    /// The standard error of β̂.
    pub beta_standard_error: f64,
    /// The fit.
    pub fit: PowerLawFit,
    /// The two-sided distance and the critical one.
    pub test: KsTest,
    /// Whether the power law is accepted.
    pub power_law: bool,
}

/// Fits a power law to the `top` largest values of the `.npy` at `path`, of float32 or float64 in any shape.
///
/// # Errors
///
/// The file is not such an array, or its values are unfit.
pub fn fit_file(path: &Path, top: Option<usize>) -> Result<FileFit> {
    let values = read_values(path)?;
    let fit = PowerLawFit::top(&values, top.unwrap_or(DEFAULT_TOP.min(values.len())))?;
    let test = KsTest::of(&fit);
    Ok(FileFit {
        values: values.len(),
        s: fit.s(),
        beta_standard_error: fit.beta_standard_error(),
        fit,
        test,
        power_law: test.is_power_law(),
    })
}

fn read_values(path: &Path) -> Result<Vec<f64>> {
    let expected = "an .npy of float32 or float64";
    let malformed = |found: String| Error::malformed(path, found, expected);
    let file = File::open(path).map_err(|source| Error::io(path, "read", source))?;
    let length = file.metadata().map_err(|source| Error::io(path, "read", source))?.len();
    let npy = npyz::NpyFile::new(BufReader::new(file)).map_err(|error| malformed(error.to_string()))?;
    if npy.len() > length {
        return Err(malformed(format!("{length} bytes for {} values", npy.len())));
    }
    let values: std::io::Result<Vec<f64>> = match npy.try_data::<f64>() {
        Ok(data) => data.collect(),
        Err(npy) => match npy.try_data::<f32>() {
            Ok(data) => data.map(|value| value.map(f64::from)).collect(),
            Err(npy) => return Err(malformed(format!("values of type {}", npy.dtype().descr()))),
        },
    };
    values.map_err(|error| malformed(error.to_string()))
}

impl fmt::Display for FileFit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ks = self.fit.ks();
        writeln!(formatter, "values      {}", self.values)?;
        writeln!(formatter, "K           {}", self.fit.k())?;
        writeln!(formatter, "lambda_min  {:e}", self.fit.lambda_min())?;
        writeln!(formatter, "beta        {:.6} ± {:.6}", self.fit.beta(), self.beta_standard_error)?;
        writeln!(formatter, "s           {:.6}", self.s)?;
        writeln!(
            formatter,
            "d_ks        {:.6} (two-sided; below {:.6}, up to {:.6})",
            ks.two_sided, ks.below, ks.up_to
        )?;
        writeln!(formatter, "d_c         {:.6} (1.36/√K)", self.test.d_c)?;
        writeln!(formatter, "power law   {}", if self.power_law { "Yes" } else { "No" })
    }
}
