//! Runs experiments: positions, captures, spectra, verdicts, and what a run takes.

mod backend;
mod captured;
mod error;
mod estimate;
mod execute;
mod interrupt;
mod minibatches;
mod position;
mod progress;
mod schedule;
mod seeds;
mod subject;
mod track;

pub use backend::device;
pub use error::{Error, Result};
pub use estimate::{cost, memory, plan};
pub use execute::{RunOptions, run};
pub use interrupt::end_on_signals;
pub use progress::{Reporter, Step, Verbosity};
pub use schedule::{
    GraphOptions, Merged, PlannedTask, TaskGraph, TaskKeys, TaskKind, check_kept, check_tasks, forget_terms, merge,
    run_tasks,
};
pub use subject::{ArrayFiles, BoxError, DataSource, register_data_set, register_labelled_data_set, register_model};
pub use track::{check_track, followed, track};
