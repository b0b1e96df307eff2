//! A run as a graph: trainings, and the rows that need the positions that they make.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::backend::Backend;
use crate::cost::{Workload, training_seconds};
use crate::data::DataRoot;
use crate::error::{Error, Result};
use crate::execute::{RunOptions, in_row, run_groups, train};
use crate::experiment::Experiment;
use crate::memory::{self, MemoryEstimate, gigabytes};
use crate::minibatches::sized;
use crate::position::stored;
use crate::store::Store;
use crate::task::{Task, tasks};

/// What a task of a run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A trained position.
    Training,
    /// The result of a row at a seed.
    Row,
}

/// A part of a run that a machine can do by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedTask {
    /// The path of what it makes in the folder of results, without an ending: `table-5/random-b1/seed-1`.
    pub id: String,
    /// What it makes.
    pub kind: TaskKind,
    /// The ids of the tasks that come before it.
    pub needs: Vec<String>,
    /// About how long it takes on 2 CPUs.
    pub seconds: f64,
    /// The bytes of memory that it takes.
    pub memory: u64,
    /// Whether it takes a GPU.
    pub gpu: bool,
    /// Whether what it makes is there.
    pub done: bool,
}

/// The tasks of a run, trainings before the rows that need them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TaskGraph {
    /// The tasks.
    pub tasks: Vec<PlannedTask>,
}

impl TaskGraph {
    /// The tasks of `experiments` at `seeds`; those whose results `store` holds are done.
    ///
    /// # Errors
    ///
    /// A file that a row names, or a file of a data set, cannot be read.
    pub fn of(
        experiments: &[Experiment],
        seeds: &[u64],
        backend: Backend,
        data: &DataRoot,
        store: Option<&Store>,
        budget: u64,
    ) -> Result<Self> {
        let mut graph = Vec::new();
        for group in tasks(experiments, seeds, backend, data)? {
            let training = training(&group[0], backend, store);
            graph.extend(training.filter(|training| graph.iter().all(|task: &PlannedTask| task.id != training.id)));
            for task in &group {
                let row = &sized(&task.row)?;
                graph.push(PlannedTask {
                    id: task.id(),
                    kind: TaskKind::Row,
                    needs: task.training_id().into_iter().collect(),
                    seconds: Workload::of(row).seconds(),
                    memory: MemoryEstimate::of([row])?.within(budget),
                    gpu: backend != Backend::Flex,
                    done: store.is_some_and(|store| is_done(task, store)),
                });
            }
        }
        Ok(Self { tasks: graph })
    }

    /// The rows that are not done.
    pub fn missing_rows(&self) -> impl Iterator<Item = &PlannedTask> {
        self.tasks.iter().filter(|task| task.kind == TaskKind::Row && !task.done)
    }
}

/// The training that the tasks at the position of `task` need.
fn training(task: &Task, backend: Backend, store: Option<&Store>) -> Option<PlannedTask> {
    let schedule = task.position.training.as_ref()?;
    Some(PlannedTask {
        id: task.training_id()?,
        kind: TaskKind::Training,
        needs: Vec::new(),
        seconds: training_seconds(schedule, task.row.model, task.row.data_set),
        memory: memory::of_training(&task.row),
        gpu: backend != Backend::Flex,
        done: store.is_some_and(|store| stored(store, &task.position.key()).is_some()),
    })
}

fn is_done(task: &Task, store: &Store) -> bool {
    store.result(&task.experiment, &task.row.id, task.seed, Some(&task.key)).is_some()
}

/// Does the tasks `ids` of a run of `experiments`, and no other.
///
/// # Errors
///
/// An id that no task has; a row whose training is neither done nor among `ids`; memory that does not suffice; what
/// keeps a task from being done, after the others are.
pub fn run_tasks(experiments: &[Experiment], ids: &[String], store: &Store, options: &RunOptions) -> Result<()> {
    let data = DataRoot::new(options.data_dir.clone())?;
    let mut groups = tasks(experiments, &options.seeds, options.backend, &data)?;
    check_ids(&groups, ids)?;
    let mut trainings: BTreeMap<String, Task> = BTreeMap::new();
    for group in &mut groups {
        let training = group[0].training_id().filter(|id| ids.contains(id));
        if let Some(id) = &training {
            trainings.entry(id.clone()).or_insert_with(|| group[0].clone());
        }
        group.retain(|task| ids.contains(&task.id()));
        if let (Some(task), None) = (group.first(), training) {
            check_position(task, store, options.fresh)?;
        }
    }
    groups.retain(|group| !group.is_empty());
    memory::check_groups(&groups, options.memory)?;
    for task in trainings.values().filter(|task| stored(store, &task.position.key()).is_none()) {
        train(task, &data, store, options).map_err(|error| in_row(task, error))?;
    }
    run_groups(groups, &data, store, options)
}

fn check_ids(groups: &[Vec<Task>], ids: &[String]) -> Result<()> {
    let all = groups.iter().flatten();
    let known: BTreeSet<String> = all.flat_map(|task| [Some(task.id()), task.training_id()]).flatten().collect();
    match ids.iter().find(|id| !known.contains(*id)) {
        Some(unknown) => Err(Error::NoSuchTask { id: unknown.clone() }),
        None => Ok(()),
    }
}

/// Refuses a row that is to be done where its training is not.
fn check_position(task: &Task, store: &Store, fresh: bool) -> Result<()> {
    let Some(training) = task.training_id() else { return Ok(()) };
    if stored(store, &task.position.key()).is_some() || (!fresh && is_done(task, store)) {
        return Ok(());
    }
    Err(Error::TrainingMissing { id: task.id(), training })
}

impl fmt::Display for TaskGraph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.tasks.iter().map(|task| task.id.len()).max().unwrap_or(0);
        for task in &self.tasks {
            let (id, time, memory) = (&task.id, duration(task.seconds), gigabytes(task.memory));
            let state = if task.done { " done" } else { "to do" };
            let needs = task.needs.iter().map(|need| format!("  needs {need}")).collect::<String>();
            let gpu = if task.gpu { "  GPU" } else { "" };
            writeln!(formatter, "{id:<width$}  {time:>8}  {memory:>8}  {state}{gpu}{needs}")?;
        }
        let left = || self.tasks.iter().filter(|task| !task.done);
        let seconds = left().fold(0.0, |sum, task| sum + task.seconds);
        writeln!(formatter, "{} of {} tasks to do, {} on 2 CPUs", left().count(), self.tasks.len(), duration(seconds))
    }
}

/// About how long: `12 s`, `3.4 min`, `5.6 h`, `7.8 days`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.1} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}
