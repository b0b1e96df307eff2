//! What a row came to.

use gradspectra_analysis::{EntryTestSummary, Spectrum};
use gradspectra_data::FileProvenance;
use gradspectra_settings::EpochReport;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, DeviceReport};
use crate::power_law::PowerLawReport;
use crate::row::Row;

/// The result of one row at one seed; the same bytes for the same task, whatever the machine's number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowResult {
    /// The program and its version.
    pub program: String,
    /// The SHA-256 of what made this result; another spec, seed, backend or version has another one.
    pub task: String,
    /// The experiment's name.
    pub experiment: String,
    /// The row as it was run.
    pub row: Row,
    /// The seed of the run.
    pub seed: u64,
    /// The backend.
    pub backend: Backend,
    /// Its device, of a backend with several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceReport>,
    /// The files that the examples came from.
    pub data_files: Vec<FileProvenance>,
    /// Where the gradients were taken.
    pub position: PositionReport,
    /// The gradients.
    pub capture: CaptureReport,
    /// What was found in them.
    pub finding: Finding,
}

/// The parameters at which gradients are taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PositionReport {
    /// Every epoch of the training; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochReport>,
    /// The accuracy on the test examples after the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// The SHA-256 of the file of weights that was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
}

/// How gradients were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// One pass over the examples, every minibatch from their factors.
    Factored,
    /// A backward pass a minibatch.
    Direct,
}

/// The captured gradients in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaptureReport {
    /// How they were made.
    pub way: Way,
    /// Why a network whose examples do not mix took a pass a minibatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_direct: Option<String>,
    /// How the gradients of each layer came as factors; nothing where every layer has one position an example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerWay>,
    /// n, the number of parameters.
    pub parameters: usize,
    /// The parameters that need no gradient and have no part in n.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<String>,
    /// B.
    pub batch_size: usize,
    /// T.
    pub iterations: usize,
    /// The numbers that the inner products of a spectrum were formed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Products>,
    /// The mean over iterations of the vector's norm, after clipping; for spectra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_norm: Option<f64>,
    /// The largest norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_norm: Option<f64>,
    /// The norm of the mean over iterations of the vectors; for spectra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_of_mean: Option<f64>,
}

/// How the gradients of a layer came as factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LayerWay {
    /// The layer's path in the model.
    pub path: String,
    /// What the inner products of single examples are formed of, in words.
    pub way: String,
}

/// The numbers that inner products are formed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Products {
    /// f32, summed in f64.
    F32,
    /// f64.
    F64,
}

/// What a row's analysis found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// A power law fitted to the largest values of a spectrum.
    Spectrum(SpectrumFinding),
    /// Tests of the entries of G.
    Entries(EntriesFinding),
}

/// Tests of the entries of G along one axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EntriesFinding {
    /// Means, rates and counts.
    pub summary: EntryTestSummary,
    /// How the distances d_ks of the samples are spread over [0, 1].
    pub d_ks_histogram: Histogram,
    /// How their p-values are spread over [0, 1].
    pub p_value_histogram: Histogram,
}

/// Counts in equal bins of [0, 1].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(pub Vec<u64>);

impl Histogram {
    /// The number of bins.
    pub const BINS: usize = 50;

    /// Counts a value in [0, 1].
    pub fn count(&mut self, value: f64) {
        let bin = (value * Self::BINS as f64) as usize;
        self.0[bin.min(Self::BINS - 1)] += 1;
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; Self::BINS])
    }
}

/// A power law fitted to the largest values of a spectrum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpectrumFinding {
    /// The fit and its tests.
    #[serde(flatten)]
    pub power_law: Option<PowerLawReport>,
    /// Why there is no fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_fit: Option<String>,
    /// The whole spectrum in short.
    pub spectrum: SpectrumSummary,
    /// The SHA-256 of the file of eigenvalues beside this result.
    pub eigenvalues_sha256: String,
}

/// A spectrum in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpectrumSummary {
    /// The largest eigenvalue.
    pub largest: f64,
    /// Σ λ.
    pub trace: f64,
    /// The share of the trace in the ten largest eigenvalues.
    pub top_ten_share: Option<f64>,
    /// exp of the entropy of λ/Σλ.
    pub effective_rank: Option<f64>,
    /// (Σ λ)²/Σ λ².
    pub participation_ratio: Option<f64>,
    /// How many eigenvalues are above what rounding makes of 0; results of version 0.1.0 of the first days lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// What rounding makes of an eigenvalue of 0, at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<f64>,
}

impl SpectrumSummary {
    /// The summary of `spectrum`.
    pub fn of(spectrum: &Spectrum) -> Self {
        Self {
            largest: spectrum.eigenvalues().first().copied().unwrap_or_default(),
            trace: spectrum.trace(),
            top_ten_share: spectrum.trace_share(10),
            effective_rank: spectrum.effective_rank(),
            participation_ratio: spectrum.participation_ratio(),
            rank: Some(spectrum.rank()),
            rounding: Some(spectrum.floor()),
        }
    }
}

/// Seconds that the steps of a row took, and their memory; kept beside the result, whose bytes do not depend on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timings {
    /// Training, by this process; 0 where the position was at hand.
    pub training: f64,
    /// The pass over the examples, shared by the rows at one position.
    pub examples: f64,
    /// The gradients or their Gram matrix.
    pub gradients: f64,
    /// The eigenvalues.
    pub eigenvalues: f64,
    /// The tests of entries, where they are not part of the gradients' pass.
    #[serde(default)]
    pub tests: f64,
    /// The largest resident memory of the process while the row was made, in bytes, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}

impl Timings {
    /// All steps together.
    pub fn total(&self) -> f64 {
        self.training + self.examples + self.gradients + self.eigenvalues + self.tests
    }
}
