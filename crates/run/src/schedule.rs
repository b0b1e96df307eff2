//! A run as tasks: what is shared, what comes first, what other machines did.

pub(crate) mod graph;
pub(crate) mod kept;
pub(crate) mod merge;
pub(crate) mod task;
pub(crate) mod terms;

pub use graph::{GraphOptions, PlannedTask, TaskGraph, TaskKind, check_tasks, run_tasks};
pub use kept::check_kept;
pub use merge::{Merged, merge};
pub use task::TaskKeys;
pub use terms::forget_terms;
