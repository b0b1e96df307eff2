//! What a run would do, before it does it.

use std::fmt::Write;

use gradspectra_data::{DataRoot, LabelCorruption};
use gradspectra_experiment::{Backend, Experiment, Row, Store};
use gradspectra_files::{counted, duration};

use crate::error::{Error, Result};
use crate::estimate::cost::{Workload, training_seconds};
use crate::estimate::memory::{MemoryEstimate, gigabytes, of_tasks};
use crate::position::stored;
use crate::schedule::task::{Task, tasks};

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
    let groups = tasks(experiments, seeds, backend, data)?;
    for (index, group) in groups.iter().enumerate() {
        let memory = gigabytes(of_tasks(group)?.within(budget));
        let _ = writeln!(text, "position {} of {}: {}, {memory}", index + 1, groups.len(), position(&group[0], store));
        for task in group {
            let row = &task.row.sized()?;
            let done = store
                .is_some_and(|store| store.result(&task.experiment, &row.id, task.seed, Some(&task.key)).is_some());
            let memory = gigabytes(MemoryEstimate::of([row])?.within(budget));
            let state = if done { "done" } else { "to do" };
            let (batch, iterations) = (row.batch_size, row.iterations);
            let name = format!("{} {}", task.experiment, row.id);
            let (seed, time) = (task.seed, duration(Workload::of(row).seconds()));
            let _ = writeln!(
                text,
                "  {name:<34} seed {seed:<3} B {batch:<5} T {iterations:<5} {time:>8} {memory:>8}  {state}"
            );
        }
    }
    Ok(text)
}

fn position(task: &Task, store: Option<&Store>) -> String {
    let row = &task.row;
    let place = match (&row.weights, &row.training) {
        (Some(weights), _) => format!("weights of {}", weights.display()),
        (None, Some(training)) => {
            let time = match store.and_then(|store| stored(store, &task.position.key())) {
                Some(_) => "done".to_owned(),
                None => duration(training_seconds(training, row)),
            };
            format!("trained for {} ({time})", counted(training.epochs, "epochs"))
        }
        (None, None) => "random parameters".to_owned(),
    };
    let labels = match row.labels {
        LabelCorruption::None => String::new(),
        LabelCorruption::SymmetricNoise { rate } => format!(", {:.0}% label noise", 100.0 * rate),
        LabelCorruption::Shuffled => ", shuffled labels".to_owned(),
    };
    format!("{} on {}{labels}, {place}, seed {}", row.model, row.data_set, task.own_seed())
}
