//! What a run would do, before it does it.

use std::collections::BTreeMap;
use std::fmt::Write;

use gradspectra_data::{DataRoot, LabelCorruption};
use gradspectra_experiment::{Backend, Experiment, Row, Store, Vectors};
use gradspectra_files::{counted, duration};

use crate::error::{Error, Result};
use crate::estimate::cost::training_seconds;
use crate::estimate::memory::{MemoryEstimate, Share, at_least, gigabytes, of_tasks};
use crate::schedule::graph::{GraphOptions, PlannedTask, planned_row, training};
use crate::schedule::task::{Task, tasks};
use crate::subject::Measured;
use crate::subject::fit::measured_of;

/// Trainings on the CPU that take longer must be asked for.
const LONGEST_TRAINING: f64 = 6.0 * 3600.0;

/// Refuses to train on the CPU for hours.
///
/// # Errors
///
/// The row trains ResNet18 for longer than that; with the estimate and the ways out.
pub(crate) fn check_patience(row: &Row, backend: Backend) -> Result<()> {
    let (Some(training), Backend::Flex) = (&row.training, backend) else { return Ok(()) };
    let seconds = training_seconds(training, row);
    if seconds <= LONGEST_TRAINING {
        return Ok(());
    }
    Err(Error::Unfit {
        reason: format!(
            "training {} for {} takes about {} on this CPU; use --backend cuda, shorten it with --epochs, or go \
             on with --long",
            row.model,
            counted(training.epochs, "epochs"),
            duration(seconds)
        ),
    })
}

/// The plan of a run as text: its rows in their order, which are done, what they need of `budget` bytes of memory.
///
/// # Errors
///
/// A file that a row names cannot be read.
pub fn plan(
    experiments: &[Experiment],
    seeds: &[u64],
    backend: Backend,
    data: &DataRoot,
    store: Option<&Store>,
    budget: u64,
) -> Result<String> {
    let mut text = String::new();
    let options = GraphOptions { seeds, backend, store, budget, parts: 0, fresh: false };
    let groups = tasks(experiments, seeds, backend, data)?;
    for (index, group) in groups.iter().enumerate() {
        let memory = gigabytes(of_tasks(group)?.within(budget));
        let place = position(&group[0], training(&group[0], &options).as_ref());
        let _ = writeln!(text, "position {} of {}: {place}, {memory}", index + 1, groups.len());
        if group.iter().any(|task| !matches!(task.row.vectors, Vectors::AlongRun { .. })) {
            text.push_str(&ways(&measured_of(&group[0].row)));
        }
        for task in group {
            let planned = planned_row(task, &[], &options)?;
            let Row { batch_size: batch, iterations, id, .. } = task.row.sized()?;
            let share = Share::of(task, store)?;
            let estimate = MemoryEstimate::of_shares([Ok((&task.row, share))])?;
            let state = match estimate.passes(budget) {
                _ if planned.done => "done".to_owned(),
                _ if estimate.least() > budget => {
                    format!("does not fit the memory: it needs {}", at_least(estimate.least()))
                }
                1 => "to do".to_owned(),
                passes => format!("to do, in about {passes} passes over the examples"),
            };
            let name = format!("{} {id}", task.experiment);
            let (seed, time, memory) = (task.seed, duration(planned.seconds), gigabytes(planned.memory));
            let _ = writeln!(
                text,
                "  {name:<34} seed {seed:<3} B {batch:<5} T {iterations:<5} {time:>8} {memory:>8}  {state}"
            );
        }
    }
    Ok(text)
}

/// A line of how many layers' gradients come as factors of which kind, or why they do not.
fn ways(measured: &Measured) -> String {
    if let Some(reason) = &measured.why_direct {
        return format!("  a backward pass for every minibatch: {reason}\n");
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    measured.ways().into_iter().for_each(|layer| *counts.entry(layer.way).or_default() += 1);
    let kinds: Vec<_> = counts.into_iter().map(|(way, count)| format!("{count} by {way}")).collect();
    if kinds.is_empty() { String::new() } else { format!("  layers: {}\n", kinds.join(", ")) }
}

/// Where the gradients of `task` are taken, after `training` where there is one.
fn position(task: &Task, training: Option<&PlannedTask>) -> String {
    let row = &task.row;
    let place = match (&row.weights, &row.training, training) {
        (Some(weights), ..) => format!("weights of {}", weights.display()),
        (None, Some(schedule), Some(training)) => {
            let time = if training.done { "done".to_owned() } else { duration(training.seconds) };
            format!("trained for {} ({time})", counted(schedule.epochs, "epochs"))
        }
        (None, ..) => "random parameters".to_owned(),
    };
    let labels = match row.labels {
        LabelCorruption::None => String::new(),
        LabelCorruption::SymmetricNoise { rate } => format!(", {:.0}% label noise", 100.0 * rate),
        LabelCorruption::Shuffled => ", shuffled labels".to_owned(),
    };
    format!("{} on {}{labels}, {place}, seed {}", row.model, row.data_set, task.own_seed())
}
