//! The whole analysis of a gradient matrix from elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use faer::{Mat, MatRef};
use gradspectra_analysis::{AnalysisError, EigengapReading, EntryTestConfig, EntryTestSummary, EntryTests, Spectrum};
use gradspectra_capture::{self as capture, Gram, GramBuilder};
use gradspectra_experiment::{AtHalf, PowerLawReport, SpectrumSummary, of_few};
use gradspectra_files as files;
use gradspectra_files::{counted, npy};
use gradspectra_run::cost::eigenvalue_seconds;
use gradspectra_run::{Error, Reporter, Result};
use serde::{Deserialize, Serialize};

use crate::matrix_file::{MatrixFile, Orientation, Precision};
use crate::norms::Norms;
use crate::shape::Shape;

/// How a matrix is analysed.
#[derive(Debug, Clone)]
pub struct AnalyzeOptions {
    /// What its rows and columns are.
    pub orientation: Orientation,
    /// The tensor of a SafeTensors file with several.
    pub tensor: Option<String>,
    /// K for spectra and entries, at most n and T - 1. Without one it is 1000 or as many as are above rounding, and for
    /// entries 1000 or T - 1.
    pub top: Option<usize>,
    /// The seed of draws and replicas.
    pub seed: u64,
    /// The bytes that may be taken.
    pub memory: u64,
    /// Where to write the analysis and the eigenvalues.
    pub out: Option<PathBuf>,
    /// Writes it in the place of an analysis that is there, which is kept without.
    pub replace: bool,
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
    /// K, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// The mean over iterations of the gradient's norm.
    pub mean_norm: f64,
    /// The norm of the mean gradient.
    pub norm_of_mean: f64,
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
/// the T × T matrices of the spectra are held. Inner products are in f64 and in one order, whatever the memory; entries
/// are tested in the file's precision.
///
/// # Errors
///
/// The file is not such a matrix, holds a value that is not finite, or cannot be read, K is not in 2 to the least of n and
/// T - 1, the memory does not suffice, or an analysis is there that is not to be replaced.
pub fn analyze(path: &Path, options: &AnalyzeOptions) -> Result<MatrixReport> {
    if let Some(out) = options.out.as_ref().filter(|out| !options.replace && out.join(ANALYSIS).exists()) {
        let mend = "it holds an analysis already; --replace writes this one in its place, another --out keeps both";
        return Err(Error::Setting { name: "--out", found: out.display().to_string(), mend: mend.to_owned() });
    }
    let mut matrix = MatrixFile::open(path, options.tensor.as_deref(), options.orientation)?;
    let shape =
        Shape { parameters: matrix.parameters, iterations: matrix.iterations, orientation: options.orientation };
    let most = shape.most()?;
    if let Some(top) = options.top.filter(|top| !(2..=most).contains(top)) {
        return Err(Error::Unfit { reason: format!("K is {top}; with {shape} --top is 2 to {most}{}", shape.hint()) });
    }
    let room = shape.room(options.memory)?;
    options.reporter.line(format!("{shape}{}", shape.hint()));
    let (gram, mean_norm, iteration) = by_parameter(&mut matrix, room, options).map_err(|error| named(path, error))?;
    let dimension = by_iteration(&mut matrix, room, options)?;
    let error =
        Rounding { gram: &gram, stored: matrix.roundoff(), least: matrix.least(), parameters: matrix.parameters };
    let covariance = spectrum(gram.covariance(), error, "covariance", most, options)?;
    let second_moment = spectrum(gram.second_moment()?.as_ref(), error, "second-moment", most, options)?;
    let report = MatrixReport {
        parameters: matrix.parameters,
        iterations: matrix.iterations,
        top: options.top,
        mean_norm,
        norm_of_mean: gram.mean_gradient_norm(),
        covariance,
        second_moment,
        dimension,
        iteration,
    };
    if let Some(out) = &options.out {
        files::write_json(&out.join(ANALYSIS), &report)?;
    }
    Ok(report)
}

/// K for tests of entries: as it is asked for, or 1000 or as many as there are iterations but one.
fn entries_top(iterations: usize, options: &AnalyzeOptions) -> usize {
    options.top.unwrap_or(DEFAULT.min(iterations - 1))
}

/// The file of the analysis in its folder.
const ANALYSIS: &str = "analysis.json";
/// K where none is asked for.
const DEFAULT: usize = 1000;
/// The rows of G that meet in one product, so that the order of sums depends on nothing else.
pub(crate) const ROWS: usize = 512;

/// One pass over blocks of parameters: the Gram matrix, the mean over iterations of the gradient's norm, and the tests of
/// each parameter.
fn by_parameter(matrix: &mut MatrixFile, room: u64, options: &AnalyzeOptions) -> Result<(Gram, f64, EntryTestSummary)> {
    const LARGEST: usize = 8192;
    let (parameters, iterations) = (matrix.parameters, matrix.iterations);
    let fitting = room as usize / (3 * size_of::<f64>() * iterations);
    let block = (fitting / ROWS * ROWS).clamp(ROWS, LARGEST);
    let mut builder = GramBuilder::new(iterations, capture::Precision::Double)?;
    let mut norms = Norms::new(iterations);
    let mut tests = EntryTests::new(EntryTestConfig::new(entries_top(iterations, options), options.seed))?;
    let step = options.reporter.step("Gram matrix, iteration-wise tests", parameters as u64);
    for first in (0..parameters).step_by(block) {
        let count = block.min(parameters - first);
        let rows = match matrix.precision {
            Precision::Single => {
                let rows = matrix.rows::<f32>(first, count)?;
                tests.rows(rows.as_ref())?;
                Mat::from_fn(count, iterations, |row, t| f64::from(rows[(row, t)]))
            }
            Precision::Double => {
                let rows = matrix.rows::<f64>(first, count)?;
                tests.rows(rows.as_ref())?;
                rows
            }
        };
        for start in (0..count).step_by(ROWS) {
            let rows = rows.subrows(start, ROWS.min(count - start));
            norms.add(rows);
            builder.add_f64(rows.to_owned());
            step.at((first + start) as u64);
        }
    }
    step.finish();
    Ok((builder.finish()?, norms.mean(), tests.summary()))
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
fn by_iteration(matrix: &mut MatrixFile, room: u64, options: &AnalyzeOptions) -> Result<Option<EntryTestSummary>> {
    let (parameters, iterations) = (matrix.parameters, matrix.iterations);
    let top = entries_top(iterations, options);
    if parameters < top {
        return Ok(None);
    }
    let block = (room as usize / (2 * size_of::<f64>() * parameters)).clamp(1, iterations);
    let mut tests = EntryTests::new(EntryTestConfig::new(top, options.seed))?;
    let step = options.reporter.step("dimension-wise tests", iterations as u64);
    for first in (0..iterations).step_by(block) {
        let count = block.min(iterations - first);
        match matrix.precision {
            Precision::Single => tests.columns(matrix.columns::<f32>(first, count)?.as_ref())?,
            Precision::Double => tests.columns(matrix.columns::<f64>(first, count)?.as_ref())?,
        }
        step.at((first + count) as u64);
    }
    step.finish();
    Ok(Some(tests.summary()))
}

/// What makes small eigenvalues rounding.
#[derive(Clone, Copy)]
struct Rounding<'a> {
    gram: &'a Gram,
    /// The unit roundoff of the numbers in the file: singular values of G below as much of the largest are the file's.
    stored: f64,
    /// The logarithm to base 2 of the error that an entry has whatever its size.
    least: Option<i32>,
    /// n.
    parameters: usize,
}

impl Rounding<'_> {
    /// The mean of ‖g_t‖², in units of the Gram matrix.
    fn mean_squared_norm(&self) -> f64 {
        let unit = 2_f64.powi(-self.gram.exponent());
        let norms = self.gram.norms();
        norms.iter().map(|norm| (norm * unit).powi(2)).sum::<f64>() / norms.len().max(1) as f64
    }

    /// How large an eigenvalue the rounding of the file's numbers makes, where the largest is `largest`.
    ///
    /// An n × T matrix of independent errors e has a largest singular value of about e (√n + √T).
    fn of_file(&self, largest: f64) -> f64 {
        let (exponent, iterations) = (self.gram.exponent(), self.gram.iterations() as f64);
        let mean_squared_norm = (self.gram.mean_gradient_norm() * 2_f64.powi(-exponent)).powi(2);
        let least = self.least.map_or(0.0, |least| 2_f64.powi(least - exponent));
        let of_least = (least * (1.0 + (self.parameters as f64 / iterations).sqrt())).powi(2);
        (self.stored.powi(2) * (largest + mean_squared_norm)).max(of_least)
    }
}

fn spectrum(
    gram: MatRef<'_, f64>,
    rounding: Rounding,
    name: &str,
    most: usize,
    options: &AnalyzeOptions,
) -> Result<MatrixSpectrum> {
    /// Seconds from which on it is worth saying how long it will take.
    const LONG: f64 = 20.0;
    let seconds = eigenvalue_seconds(gram.nrows() as f64);
    let about = if seconds < LONG { String::new() } else { format!(", about {seconds:.0} s") };
    let step = options.reporter.step(format!("eigenvalues of the {name}{about}"), 1);
    let exponent = rounding.gram.exponent();
    let of_products = rounding.gram.error() / rounding.gram.iterations() as f64;
    let spectrum = Spectrum::of_gram(gram)?.with_error(of_products);
    let largest = spectrum.eigenvalues().first().copied().unwrap_or_default();
    let mean_squared_norm = rounding.mean_squared_norm();
    let spectrum = spectrum
        .with_error(rounding.of_file(largest))
        .with_rounded_entries(rounding.stored, mean_squared_norm, rounding.parameters)
        .of_parameters(rounding.parameters)
        .scaled(2 * exponent)?;
    step.finish();
    if let Some(out) = &options.out {
        files::write(&out.join(format!("{name}.npy")), &npy::bytes(spectrum.eigenvalues()))?;
    }
    let gaps = spectrum.fitted_eigengaps(EigengapReading::Sorted);
    let top = |values: usize| options.top.unwrap_or(DEFAULT.min(most).min(values).max(2));
    let eigenvalues = spectrum.top_eigenvalues(top(spectrum.rank()));
    let eigengaps = spectrum.top_eigengaps(top(gaps.len()), EigengapReading::Sorted);
    Ok(MatrixSpectrum {
        eigenvalues: fitted(eigenvalues.map(<[f64]>::to_vec), options.seed)?,
        eigengaps: fitted(eigengaps, options.seed)?,
        spectrum: SpectrumSummary::of(&spectrum),
    })
}

/// The law through all of `values`.
fn fitted(values: Result<Vec<f64>, AnalysisError>, seed: u64) -> Result<Fitted> {
    match values.and_then(|values| PowerLawReport::of(&values, values.len(), seed)) {
        Ok(report) => Ok(Fitted::PowerLaw(Box::new(report))),
        Err(error) if error.is_of_the_values() => Ok(Fitted::Unfit(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for MatrixReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iterations = self.iterations;
        writeln!(formatter, "{} × {}", counted(self.parameters, "parameters"), counted(iterations, "iterations"))?;
        writeln!(formatter, "mean norm {:.6e}, norm of the mean {:.6e}", self.mean_norm, self.norm_of_mean)?;
        for (name, matrix) in [("covariance", &self.covariance), ("second moment", &self.second_moment)] {
            writeln!(formatter, "\n{name}")?;
            writeln!(
                formatter,
                "  trace {:.6e}, largest eigenvalue {:.6e}",
                matrix.spectrum.trace, matrix.spectrum.largest
            )?;
            if let (Some(rank), Some(rounding)) = (matrix.spectrum.rank, matrix.spectrum.rounding) {
                writeln!(formatter, "  rank {rank} of {iterations}: eigenvalues up to {rounding:.1e} are rounding")?;
            }
            if let (Some(rank), Some(ratio)) = (matrix.spectrum.effective_rank, matrix.spectrum.participation_ratio) {
                writeln!(formatter, "  effective rank {rank:.2}, participation ratio {ratio:.2}")?;
            }
            for (values, fitted) in [("eigenvalues", &matrix.eigenvalues), ("eigengaps", &matrix.eigengaps)] {
                match fitted {
                    Fitted::PowerLaw(report) => writeln!(
                        formatter,
                        "  {values:<12} s {:.4}  d_ks {:.4}  d_c {:.4}  power law {}  Monte-Carlo p {:.4}  K = {}{}{}",
                        report.s,
                        report.test.d_ks,
                        report.test.d_c,
                        if report.accepted { "Yes" } else { "No" },
                        report.monte_carlo.p_value,
                        report.fit.k(),
                        of_few(report.fit.k()),
                        AtHalf::words(report.at_half)
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
            let (samples, zero, few) = (counted(tests.samples, "samples"), tests.all_zero, tests.fewer_than_k);
            writeln!(formatter, "  {samples}, {zero} all zero, {few} with fewer than K entries not zero")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "analyze_tests.rs"]
mod tests;
