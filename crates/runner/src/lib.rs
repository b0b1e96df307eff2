//! gradspectra captures the stochastic gradients of neural networks, forms the spectra of their covariance and second
//! moment, and tests them for power laws and Gaussianity.
//!
//! This crate is the front door: the parts as [`models`], [`data`], [`capture`] and [`analysis`], and what the program
//! `gradspectra` does with them, from an [`Experiment`] to its [`Table`].

use std::sync::OnceLock;

mod analyze;
mod array_files;
mod augmented;
mod backend;
mod captured;
pub mod catalogue;
pub mod cost;
mod error;
mod execute;
mod experiment;
mod files;
mod fit;
mod graph;
mod interrupt;
mod markup;
mod matrix_file;
pub mod memory;
mod merge;
mod minibatches;
mod npy;
pub mod plan;
mod plots;
mod position;
mod power_law;
mod progress;
mod report;
mod result;
mod seeds;
mod slurm;
mod store;
mod stored;
mod subject;
mod table;
mod task;
mod terms;
mod track;

pub use gradspectra_analysis as analysis;
pub use gradspectra_capture as capture;
pub use gradspectra_data as data;
pub use gradspectra_models as models;

pub use array_files::ArrayFiles;
pub use analyze::{AnalyzeOptions, Fitted, MatrixReport, MatrixSpectrum, analyze};
pub use backend::{Backend, DeviceReport};
pub use error::{Error, Result};
pub use execute::{RunOptions, run};
pub use experiment::{Analysis, Axis, CaptureInputs, Experiment, Matrix, PaperFigures, Row, SpectrumValues, Vectors};
pub use fit::{Top, fit_file};
pub use graph::{GraphOptions, PlannedTask, TaskGraph, TaskKind, run_tasks};
pub use interrupt::end_on_signals;
pub use matrix_file::Orientation;
pub use merge::{Merged, merge};
pub use npy::values as read_values;
pub use plots::draw_missing;
pub use power_law::PowerLawReport;
pub use progress::{Reporter, Verbosity};
pub use report::{Page, Report};
pub use result::{
    CaptureReport, EntriesFinding, Finding, Histogram, PositionReport, RowResult, SpectrumFinding, SpectrumSummary,
    Timings, Way,
};
pub use slurm::{Cluster, Job, Submission, ended, submit};
pub use store::Store;
pub use subject::{BoxError, DataSource, DataSpec, ModelSpec};
pub use table::{Figures, Measure, Table, TableFormat, TableRow, wrapped};
pub use task::TaskKeys;
pub use terms::forget_terms;
pub use track::{Track, TrackFormat, TrackPoint, TrackedLaw, followed, track};

static PROGRAM: OnceLock<String> = OnceLock::new();

/// The program that runs and its version, as results and their keys name it.
pub(crate) fn program() -> String {
    PROGRAM.get().cloned().unwrap_or_else(|| GRADSPECTRA.to_owned())
}

/// This library and its version.
const GRADSPECTRA: &str = concat!("gradspectra ", env!("CARGO_PKG_VERSION"));
