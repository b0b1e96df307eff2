//! gradspectra captures the stochastic gradients of neural networks, forms the spectra of their covariance and second
//! moment, and tests them for power laws and Gaussianity.
//!
//! This crate is the front door: the parts as [`models`], [`data`], [`capture`] and [`analysis`], and what the program
//! `gradspectra` does with them, from an [`Experiment`] to its [`Table`]. A [`Program`] is this one with networks and data
//! sets of your own.

use std::sync::OnceLock;

mod analyze;
mod array_files;
mod augmented;
mod backend;
mod captured;
pub mod catalogue;
mod cli;
mod commands;
pub mod cost;
mod error;
mod execute;
mod experiment;
mod files;
mod fit;
mod graph;
mod interrupt;
mod kept;
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
mod program;
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
mod words;

pub use burn;
pub use faer;
pub use gradspectra_analysis as analysis;
pub use gradspectra_capture as capture;
pub use gradspectra_data as data;
pub use gradspectra_models as models;

pub use analyze::{AnalyzeOptions, Fitted, MatrixReport, MatrixSpectrum, analyze};
pub use array_files::ArrayFiles;
pub use backend::{Backend, DeviceReport};
pub use error::{Error, Result};
pub use execute::{RunOptions, run};
pub use experiment::{Analysis, Axis, CaptureInputs, Experiment, Matrix, PaperFigures, Row, SpectrumValues, Vectors};
pub use fit::{FileFit, Top, fit_file};
pub use graph::{GraphOptions, PlannedTask, TaskGraph, TaskKind, check_tasks, run_tasks};
pub use interrupt::end_on_signals;
pub use kept::check_kept;
pub use matrix_file::Orientation;
pub use merge::{Merged, merge};
pub use npy::values as read_values;
pub use plots::draw_missing;
pub use power_law::PowerLawReport;
pub use program::Program;
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
pub use track::{Track, TrackFormat, TrackPoint, TrackedLaw, check_track, followed, track};

/// The program that runs.
#[derive(Debug, Clone)]
struct Identity {
    name: &'static str,
    version: &'static str,
    /// Both, and those of this library, as results and their keys name it.
    text: String,
}

/// This library and its version.
const GRADSPECTRA: &str = concat!("gradspectra ", env!("CARGO_PKG_VERSION"));

static PROGRAM: OnceLock<Identity> = OnceLock::new();

impl Default for Identity {
    fn default() -> Self {
        Self { name: "gradspectra", version: env!("CARGO_PKG_VERSION"), text: GRADSPECTRA.to_owned() }
    }
}

fn identity() -> Identity {
    PROGRAM.get().cloned().unwrap_or_default()
}

/// The program that runs and its version, as results and their keys name it.
fn program() -> String {
    identity().text
}
