//! A run as a graph: trainings, parts of Gram matrices, and the rows that need them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gradspectra_data::DataRoot;
use gradspectra_experiment::{Backend, Experiment, Store, TERMS};
use gradspectra_files::{counted, duration};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::estimate::cost::{eigenvalue_seconds, seconds_of_share, training_seconds};
use crate::estimate::memory::{self, MemoryEstimate, Share, gigabytes};
use crate::execute::{RunOptions, make_part, run_groups, train};
use crate::position::stored;
use crate::schedule::kept::check_tasks_kept;
use crate::schedule::task::{Task, tasks};
use crate::schedule::terms::{GramTerms, Part};

/// What a task of a run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A trained position.
    Training,
    /// Some terms of a Gram matrix.
    Part,
    /// The result of a row at a seed.
    Row,
}

/// A part of a run that a machine can do by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedTask {
    /// The path of what it makes in the folder of results, without an ending: `table-5/random-b1/seed-1`; of a part its
    /// folder and which part: `terms/be6ddf55e30b70af/2-of-3`.
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

/// How a run is taken apart.
#[derive(Debug, Clone, Copy)]
pub struct GraphOptions<'a> {
    /// The seeds of every row.
    pub seeds: &'a [u64],
    /// The backend.
    pub backend: Backend,
    /// The folder of results, where it is there.
    pub store: Option<&'a Store>,
    /// The bytes of memory that a task may take.
    pub budget: u64,
    /// The parts of a Gram matrix that rows need; 0 where rows make their own.
    pub parts: usize,
    /// Whether rows are done anew.
    pub fresh: bool,
}

/// The tasks of a run, each after those that it needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TaskGraph {
    /// The tasks.
    pub tasks: Vec<PlannedTask>,
}

impl TaskGraph {
    /// The tasks of `experiments`; those whose results the folder holds are done.
    ///
    /// # Errors
    ///
    /// A file that a row names, or a file of a data set, cannot be read.
    pub fn of(experiments: &[Experiment], data: &DataRoot, options: &GraphOptions) -> Result<Self> {
        let (mut graph, mut known) = (Vec::new(), BTreeSet::new());
        for group in tasks(experiments, options.seeds, options.backend, data)? {
            graph.extend(training(&group[0], options).filter(|task| known.insert(task.id.clone())));
            for task in &group {
                let parts = parts(task, options)?;
                let row = planned_row(task, &parts, options)?;
                graph.extend(parts.into_iter().filter(|task| known.insert(task.id.clone())));
                graph.push(row);
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
pub(crate) fn training(task: &Task, options: &GraphOptions) -> Option<PlannedTask> {
    let schedule = task.position.training.as_ref()?;
    Some(PlannedTask {
        id: task.training_id()?,
        kind: TaskKind::Training,
        needs: Vec::new(),
        seconds: training_seconds(schedule, &task.row),
        memory: memory::of_training(&task.row),
        gpu: options.backend != Backend::Flex,
        done: options.store.is_some_and(|store| stored(store, &task.position.key()).is_some()),
    })
}

/// The parts of the Gram matrix that `task` needs.
fn parts(task: &Task, options: &GraphOptions) -> Result<Vec<PlannedTask>> {
    let Some(terms) = GramTerms::shared(task)?.filter(|_| options.parts > 0 && !is_done(task, options)) else {
        return Ok(Vec::new());
    };
    let row = &task.row.sized()?;
    let there = options.store.map_or_else(Vec::new, |store| terms.are_there(store));
    let part = |part: Part| {
        let share = terms.share(|term| part.terms.contains(&term));
        let memory = MemoryEstimate::of_part(row, share)?;
        Ok(PlannedTask {
            id: part.id,
            kind: TaskKind::Part,
            needs: task.training_id().into_iter().collect(),
            seconds: seconds_of_share(row, share, memory.passes(options.budget))
                - eigenvalue_seconds(row.iterations as f64),
            memory: memory.within(options.budget),
            gpu: options.backend != Backend::Flex,
            done: part.terms.into_iter().all(|term| there.get(term) == Some(&true)),
        })
    };
    terms.parts(options.parts).into_iter().map(part).collect()
}

/// The row of `task`, which needs `parts`.
pub(crate) fn planned_row(task: &Task, parts: &[PlannedTask], options: &GraphOptions) -> Result<PlannedTask> {
    let row = &task.row.sized()?;
    let done = is_done(task, options);
    let share = match (parts, done) {
        ([], true) => Share::ALL,
        ([], false) => Share::of(task, options.store)?,
        _ => Share::NONE,
    };
    let parts = parts.iter().map(|part| part.id.clone());
    let memory = MemoryEstimate::of_shares([Ok((row, share))])?;
    Ok(PlannedTask {
        id: task.id(),
        kind: TaskKind::Row,
        needs: task.training_id().into_iter().chain(parts).collect(),
        seconds: seconds_of_share(row, share, memory.passes(options.budget)),
        memory: memory.within(options.budget),
        gpu: options.backend != Backend::Flex,
        done,
    })
}

fn is_done(task: &Task, options: &GraphOptions) -> bool {
    !options.fresh && options.store.is_some_and(|store| task.is_done(store))
}

/// Some tasks of a run.
struct Chosen {
    groups: Vec<Vec<Task>>,
    trainings: BTreeMap<String, Task>,
    parts: BTreeMap<String, (Task, GramTerms, Part)>,
}

/// Refuses the tasks `ids` of a run of `experiments` where they cannot be done, before anything is.
///
/// # Errors
///
/// An id that no task has; a row or a part whose training is neither done nor among `ids`; a finished result of other
/// settings in the place of a row's; memory that does not suffice.
pub fn check_tasks(experiments: &[Experiment], ids: &[String], store: &Store, options: &RunOptions) -> Result<()> {
    chosen(experiments, ids, &DataRoot::new(options.data_dir.clone())?, store, options).map(|_| ())
}

/// Does the tasks `ids` of a run of `experiments`, and no other.
///
/// # Errors
///
/// As of [`check_tasks`]; what keeps a task from being done, after the others are.
pub fn run_tasks(experiments: &[Experiment], ids: &[String], store: &Store, options: &RunOptions) -> Result<()> {
    let data = DataRoot::new(options.data_dir.clone())?;
    let Chosen { groups, trainings, parts } = chosen(experiments, ids, &data, store, options)?;
    for task in trainings.values().filter(|task| stored(store, &task.position.key()).is_none()) {
        train(task, &data, store, options).map_err(|error| task.failed(error))?;
    }
    for (task, _, part) in parts.values() {
        make_part(task, part, &data, store, options).map_err(|error| task.failed(error))?;
    }
    run_groups(groups, &data, store, options)
}

fn chosen(
    experiments: &[Experiment],
    ids: &[String],
    data: &DataRoot,
    store: &Store,
    options: &RunOptions,
) -> Result<Chosen> {
    let mut groups = tasks(experiments, &options.seeds, options.backend, data)?;
    let mut unknown: BTreeSet<&String> = ids.iter().collect();
    let mut trainings: BTreeMap<String, Task> = BTreeMap::new();
    let mut parts: BTreeMap<String, (Task, GramTerms, Part)> = BTreeMap::new();
    for group in &mut groups {
        let training = group[0].training_id().filter(|id| unknown.remove(id) || trainings.contains_key(id));
        if let Some(id) = &training {
            trainings.entry(id.clone()).or_insert_with(|| group[0].clone());
        }
        let own_parts = parts_among(ids, group)?;
        group.retain(|task| unknown.remove(&task.id()));
        if training.is_none() {
            let rows = group.iter().filter(|task| options.fresh || !task.is_done(store));
            let parts = own_parts.iter().map(|(task, _, part)| (task, part.id.clone()));
            let mut tasks = parts.chain(rows.map(|task| (task, task.id())));
            tasks.try_for_each(|(task, id)| check_position(task, id, store))?;
        }
        for (task, terms, part) in own_parts {
            unknown.remove(&part.id);
            parts.insert(part.id.clone(), (task, terms, part));
        }
    }
    if let Some(id) = unknown.pop_first() {
        return Err(Error::NoSuchTask { id: id.clone() });
    }
    groups.retain(|group| !group.is_empty());
    if !options.replace {
        check_tasks_kept(groups.iter().flatten(), store)?;
    }
    check_memory(&groups, &parts, store, options)?;
    Ok(Chosen { groups, trainings, parts })
}

/// The parts among `ids` of the Gram matrices of `group`.
fn parts_among(ids: &[String], group: &[Task]) -> Result<Vec<(Task, GramTerms, Part)>> {
    let mut parts = Vec::new();
    for id in ids.iter().filter(|id| id.starts_with(TERMS)) {
        for task in group {
            let Some(terms) = GramTerms::shared(task)? else { continue };
            if let Some(part) = terms.part(id) {
                parts.push((task.clone(), terms, part));
                break;
            }
        }
    }
    Ok(parts)
}

/// Refuses rows and parts that do not fit the memory, where rows find the terms that are there or among `parts`.
fn check_memory(
    groups: &[Vec<Task>],
    parts: &BTreeMap<String, (Task, GramTerms, Part)>,
    store: &Store,
    options: &RunOptions,
) -> Result<()> {
    for (task, terms, part) in parts.values() {
        let share = terms.share(|term| part.terms.contains(&term));
        memory::check(&part.id, MemoryEstimate::of_part(&task.row, share)?.least(), options.memory)?;
    }
    let share = |task: &Task| {
        let Some(terms) = GramTerms::shared(task)? else { return Ok(Share::ALL) };
        let there = terms.are_there(store);
        let key = task.gram_key();
        let made =
            |term: usize| parts.values().any(|(other, _, part)| part.terms.contains(&term) && other.gram_key() == key);
        Ok(terms.share(|term| !there[term] && !made(term)))
    };
    groups.iter().try_for_each(|group| memory::check_group(group, options.memory, share))
}

/// Refuses the row or part `id` of `task` where its training is not done.
fn check_position(task: &Task, id: String, store: &Store) -> Result<()> {
    match task.training_id() {
        Some(training) if stored(store, &task.position.key()).is_none() => Err(Error::TrainingMissing { id, training }),
        _ => Ok(()),
    }
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
        writeln!(
            formatter,
            "{} of {} to do, {} on 2 CPUs",
            left().count(),
            counted(self.tasks.len(), "tasks"),
            duration(seconds)
        )
    }
}
