//! gradspectra captures the stochastic gradients of neural networks, forms the spectra of their covariance and second
//! moment, and tests them for power laws and Gaussianity.
//!
//! This crate is the front door: the parts as [`models`], [`data`], [`capture`] and [`analysis`], and what the program
//! `gradspectra` does with them, from an [`Experiment`] to its [`Table`]. A [`Program`] is this one with networks and data
//! sets of your own.

mod cli;
mod commands;
mod program;
mod slurm;
mod usage;

pub use burn;
pub use faer;
pub use gradspectra_analysis as analysis;
pub use gradspectra_capture as capture;
pub use gradspectra_data as data;
pub use gradspectra_experiment as experiment;
pub use gradspectra_models as models;

pub use gradspectra_experiment::{
    Analysis, Axis, Backend, CaptureInputs, CaptureReport, DataSpec, DeviceReport, EntriesFinding, Experiment, Finding,
    Histogram, Matrix, ModelSpec, PaperFigures, PositionReport, PowerLawReport, Row, RowResult, SpectrumFinding,
    SpectrumSummary, SpectrumValues, Store, Timings, Track, TrackPoint, TrackedLaw, Vectors, Way, catalogue,
};
pub use gradspectra_files::npy::values as read_values;
pub use gradspectra_matrix::{
    AnalyzeOptions, FileFit, Fitted, MatrixReport, MatrixSpectrum, Orientation, Top, analyze, fit_file,
};
pub use gradspectra_report::{
    Agreement, Figures, Measure, Page, Report, Table, TableFormat, TableRow, TrackFormat, Verdict, draw_missing,
    wrapped,
};
pub use gradspectra_run::{
    ArrayFiles, BoxError, DataSource, Error, GraphOptions, Merged, PlannedTask, Reporter, Result, RunOptions,
    TaskGraph, TaskKeys, TaskKind, Verbosity, check_kept, check_tasks, check_track, cost, device, end_on_signals,
    followed, forget_terms, memory, merge, plan, run, run_tasks, track,
};
pub use program::Program;
pub use slurm::{Cluster, Job, Submission, ended, submit};
