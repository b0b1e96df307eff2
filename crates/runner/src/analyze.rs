//! The whole analysis of a gradient matrix from elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use faer::{Mat, MatRef};
use gradspectra_analysis::{AnalysisError, EigengapReading, EntryTestConfig, EntryTestSummary, EntryTests, Spectrum};
use gradspectra_capture::{Gram, GramBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::experiment::Axis;
use crate::matrix_file::{MatrixFile, Orientation, Precision};
use crate::power_law::PowerLawReport;
use crate::progress::Reporter;
use crate::result::SpectrumSummary;
use crate::{files, npy};

/// How a matrix is analysed.
#[derive(Debug, Clone)]
pub struct AnalyzeOptions {
    /// What its rows and columns are.
    pub orientation: Orientation,
    /// The tensor of a SafeTensors file with several.
    pub tensor: Option<String>,
    /// K for spectra and entries, below T; without one 1000, or T - 1 where that is less.
    pub top: Option<usize>,
    /// The seed of draws and replicas.
    pub seed: u64,
    /// The bytes that blocks of the matrix may take.
    pub memory: u64,
    /// Where to write the analysis and the eigenvalues.
    pub out: Option<PathBuf>,
    /// Tells the progress.
    pub reporter: Reporter,
}

/// What the whole analysis of a gradient matrix found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MatrixReport {
    /// n.
    pub parameters: usize,
    /// T.
    pub iterations: usize,
    /// K.
    pub top: usize,
    /// The mean over iterations of the gradient's norm.
    pub mean_norm: f64,
    /// The covariance.
    pub covariance: MatrixSpectrum,
    /// The second moment.
    pub second_moment: MatrixSpectrum,
    /// Tests of the entries of each iteration, where there are enough parameters.
    pub dimension: Option<EntryTestSummary>,
    /// Tests of the entries of each parameter.
    pub iteration: EntryTestSummary,
}

/// A spectrum with the power laws through its eigenvalues and eigengaps; a text says why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MatrixSpectrum {
    /// The whole spectrum in short.
    pub spectrum: SpectrumSummary,
    /// Of the largest eigenvalues.
    pub eigenvalues: Fitted,
    /// Of the largest eigengaps.
    pub eigengaps: Fitted,
}

/// A power law, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fitted {
    /// The fit and its tests.
    PowerLaw(Box<PowerLawReport>),
    /// Why the values are unfit.
    Unfit(String),
}

/// Analyses the matrix at `path`: spectra, eigengaps and entries. The file is streamed and may be larger than memory;
/// the T × T matrices of the spectra are held.
///
/// # Errors
///
/// The file is not such a matrix, holds a value that is not finite, or cannot be read, or K is not in 2 to T - 1.
pub fn analyze(path: &Path, options: &AnalyzeOptions) -> Result<MatrixReport> {
    let mut matrix = MatrixFile::open(path, options.tensor.as_deref(), options.orientation)?;
    let top = top(matrix.iterations, options.top)?;
    let (gram, iteration) = by_parameter(&mut matrix, top, options).map_err(|error| named(path, error))?;
    let dimension = by_iteration(&mut matrix, top, options)?;
    let norms = gram.norms();
    let covariance = spectrum(gram.covariance(), "covariance", top, options)?;
    let second_moment = spectrum(gram.second_moment().as_ref(), "second-moment", top, options)?;
    let report = MatrixReport {
        parameters: matrix.parameters,
        iterations: matrix.iterations,
        top,
        mean_norm: norms.iter().sum::<f64>() / norms.len() as f64,
        covariance,
        second_moment,
        dimension,
        iteration,
    };
    if let Some(out) = &options.out {
        files::write_json(&out.join("analysis.json"), &report)?;
    }
    Ok(report)
}

/// K, as it is asked for or as large as `iterations` allow.
fn top(iterations: usize, asked: Option<usize>) -> Result<usize> {
    const DEFAULT: usize = 1000;
    let most = iterations.saturating_sub(1);
    if most < 2 {
        return Err(Error::Unfit { reason: format!("T is {iterations}; spectra need at least 3 iterations") });
    }
    match asked.unwrap_or(DEFAULT.min(most)) {
        top if (2..=most).contains(&top) => Ok(top),
        top => Err(Error::Unfit { reason: format!("K is {top}; with {iterations} iterations --top is 2 to {most}") }),
    }
}

/// One pass over blocks of parameters: the Gram matrix, in the file's precision, and the tests of each parameter.
fn by_parameter(matrix: &mut MatrixFile, top: usize, options: &AnalyzeOptions) -> Result<(Gram, EntryTestSummary)> {
    const LARGEST: usize = 8192;
    let (parameters, iterations) = (matrix.parameters, matrix.iterations);
    let block = (options.memory as usize / (16 * iterations)).clamp(1, LARGEST.min(parameters));
    let mut builder = GramBuilder::new(iterations);
    let mut tests = EntryTests::new(EntryTestConfig::new(top, options.seed))?;
    let step = options.reporter.step("Gram matrix, iteration-wise tests", parameters as u64);
    for first in (0..parameters).step_by(block) {
        let count = block.min(parameters - first);
        match matrix.precision {
            Precision::Single => {
                let rows = matrix.rows::<f32>(first, count)?;
                tests.rows(rows.as_ref())?;
                builder.add(rows);
            }
            Precision::Double => {
                let rows = matrix.rows::<f64>(first, count)?;
                tests.rows(to_single(&rows, Axis::Iteration).as_ref())?;
                builder.add_f64(rows);
            }
        }
        step.at((first + count) as u64);
    }
    step.finish();
    Ok((builder.finish(), tests.summary()))
}

/// An entry that is not finite by its file, parameter and iteration.
fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::Analysis(AnalysisError::EntryNotFinite { sample, index, value }) => {
            let found = format!("{value} for parameter {sample} at iteration {index}, counted from 0");
            Error::malformed(path, found, "finite numbers")
        }
        other => other,
    }
}

/// A pass over blocks of iterations: the tests of each; `None` where there are fewer than K parameters.
fn by_iteration(matrix: &mut MatrixFile, top: usize, options: &AnalyzeOptions) -> Result<Option<EntryTestSummary>> {
    let (parameters, iterations) = (matrix.parameters, matrix.iterations);
    if parameters < top {
        return Ok(None);
    }
    let block = (options.memory as usize / (8 * parameters)).clamp(1, iterations);
    let mut tests = EntryTests::new(EntryTestConfig::new(top, options.seed))?;
    let step = options.reporter.step("dimension-wise tests", iterations as u64);
    for first in (0..iterations).step_by(block) {
        let count = block.min(iterations - first);
        match matrix.precision {
            Precision::Single => tests.columns(matrix.columns::<f32>(first, count)?.as_ref())?,
            Precision::Double => {
                tests.columns(to_single(&matrix.columns::<f64>(first, count)?, Axis::Dimension).as_ref())?;
            }
        }
        step.at((first + count) as u64);
    }
    step.finish();
    Ok(Some(tests.summary()))
}

/// The entries as f32, each sample scaled by a power of two to below 1: no test of entries depends on the scale.
fn to_single(block: &Mat<f64>, samples: Axis) -> Mat<f32> {
    let (rows, columns) = block.shape();
    let scale = |values: &mut dyn Iterator<Item = f64>| {
        let largest = values.map(f64::abs).filter(|value| value.is_finite()).fold(0.0, f64::max);
        if largest > 0.0 { 2f64.powi(-(largest.log2().ceil() as i32).clamp(-1000, 1000)) } else { 1.0 }
    };
    let scales: Vec<f64> = match samples {
        Axis::Iteration => (0..rows).map(|row| scale(&mut (0..columns).map(|t| block[(row, t)]))).collect(),
        Axis::Dimension => (0..columns).map(|t| scale(&mut (0..rows).map(|row| block[(row, t)]))).collect(),
    };
    Mat::from_fn(rows, columns, |row, t| {
        let sample = if samples == Axis::Iteration { row } else { t };
        (block[(row, t)] * scales[sample]) as f32
    })
}

fn spectrum(gram: MatRef<'_, f64>, name: &str, top: usize, options: &AnalyzeOptions) -> Result<MatrixSpectrum> {
    let step = options.reporter.step(format!("eigenvalues of the {name}"), 1);
    let spectrum = Spectrum::of_gram(gram)?;
    step.finish();
    if let Some(out) = &options.out {
        files::write(&out.join(format!("{name}.npy")), &npy::bytes(spectrum.eigenvalues()))?;
    }
    let gaps = spectrum.top_eigengaps(top, EigengapReading::Sorted)?;
    Ok(MatrixSpectrum {
        eigenvalues: fitted(spectrum.eigenvalues(), top, options.seed)?,
        eigengaps: fitted(&gaps, top, options.seed)?,
        spectrum: SpectrumSummary::of(&spectrum),
    })
}

fn fitted(values: &[f64], top: usize, seed: u64) -> Result<Fitted> {
    match PowerLawReport::of(values, top, seed) {
        Ok(report) => Ok(Fitted::PowerLaw(Box::new(report))),
        Err(Error::Analysis(error @ (AnalysisError::TooFewPositive { .. } | AnalysisError::AllEqual { .. }))) => {
            Ok(Fitted::Unfit(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

impl fmt::Display for MatrixReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, iterations) = (self.parameters, self.iterations);
        writeln!(
            formatter,
            "{n} parameters × {iterations} iterations, mean norm {:.6e}, K = {}",
            self.mean_norm, self.top
        )?;
        for (name, matrix) in [("covariance", &self.covariance), ("second moment", &self.second_moment)] {
            writeln!(formatter, "\n{name}")?;
            writeln!(
                formatter,
                "  trace {:.6e}, largest eigenvalue {:.6e}",
                matrix.spectrum.trace, matrix.spectrum.largest
            )?;
            if let (Some(rank), Some(ratio)) = (matrix.spectrum.effective_rank, matrix.spectrum.participation_ratio) {
                writeln!(formatter, "  effective rank {rank:.2}, participation ratio {ratio:.2}")?;
            }
            for (values, fitted) in [("eigenvalues", &matrix.eigenvalues), ("eigengaps", &matrix.eigengaps)] {
                match fitted {
                    Fitted::PowerLaw(report) => writeln!(
                        formatter,
                        "  {values:<12} s {:.4}  d_ks {:.4}  d_c {:.4}  power law {}  Monte-Carlo p {:.4}",
                        report.s,
                        report.test.d_ks,
                        report.test.d_c,
                        if report.accepted { "Yes" } else { "No" },
                        report.monte_carlo.p_value
                    )?,
                    Fitted::Unfit(reason) => writeln!(formatter, "  {values:<12} no fit: {reason}")?,
                }
            }
        }
        let iteration = Some(&self.iteration);
        for (name, tests) in [("dimension-wise", self.dimension.as_ref()), ("iteration-wise", iteration)] {
            writeln!(formatter, "\nentries, {name}")?;
            let Some(tests) = tests else {
                writeln!(formatter, "  fewer than K entries")?;
                continue;
            };
            let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| format!("{value:.4}"));
            let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share));
            let d_ks = number(tests.mean_ks.map(|ks| ks.two_sided));
            writeln!(formatter, "  mean d_ks {d_ks}, power laws {} %", percent(tests.power_law_rate))?;
            let p = number(tests.mean_p_value);
            writeln!(formatter, "  mean p {p}, Gaussian {} %", percent(tests.gaussian_rate))?;
            let (samples, zero, few) = (tests.samples, tests.all_zero, tests.fewer_than_k);
            writeln!(formatter, "  {samples} samples, {zero} all zero, {few} with fewer than K entries not zero")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "analyze_tests.rs"]
mod tests;
