//! Runs experiments: positions, captures, spectra, verdicts, and what a run takes.

mod array_files;
mod augmented;
mod backend;
mod captured;
pub mod cost;
mod error;
mod execute;
mod fit;
mod graph;
mod interrupt;
pub mod memory;
mod merge;
mod minibatches;
pub mod plan;
mod position;
mod progress;
mod seeds;
mod subject;
mod task;
mod terms;
mod track;

pub use array_files::ArrayFiles;
pub use backend::device;
pub use error::{Error, Result};
pub use execute::{RunOptions, run};
pub use graph::{GraphOptions, PlannedTask, TaskGraph, TaskKind, run_tasks};
pub use interrupt::end_on_signals;
pub use merge::{Merged, merge};
pub use progress::{Reporter, Step, Verbosity};
pub use subject::{BoxError, DataSource, register_data_set, register_labelled_data_set, register_model};
pub use task::TaskKeys;
pub use terms::forget_terms;
pub use track::{followed, track};
