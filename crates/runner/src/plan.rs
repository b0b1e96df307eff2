//! What a run would do, before it does it.

use std::fmt::Write;

use crate::backend::Backend;
use crate::data::{DataRoot, DataSet, LabelCorruption};
use crate::experiment::{Analysis, Axis, Experiment, Row, Vectors};
use crate::minibatches::sized;
use crate::model::ModelSpec;
use crate::store::Store;
use crate::task::{Task, tasks};
use crate::{Error, Result};

/// Memory that a row takes, in bytes, from the sizes of what it holds at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The inputs of all training examples, f32.
    pub examples: u64,
    /// The factors of the examples that the minibatches draw from.
    pub factors: u64,
    /// What is held of G, once, or twice for update vectors.
    pub gradients: u64,
    /// The T × T matrices of the Gram matrix and the eigenvalues, f64 and f32.
    pub matrices: u64,
    /// The indices of the minibatches.
    pub minibatches: u64,
}

/// What the program takes apart from a row's arrays: code, the pass's activations, buffers of threads.
const BASE: u64 = 64 << 20;

impl MemoryEstimate {
    /// The estimate for `row`.
    pub fn of(row: &Row) -> Self {
        let (count, shape, classes): (usize, &[usize], usize) = match row.data_set {
            DataSet::Mnist => (60_000, &[1, 28, 28], 10),
            DataSet::Cifar10 => (50_000, &[3, 32, 32], 10),
            DataSet::Cifar100 => (50_000, &[3, 32, 32], 100),
            DataSet::Avila => (10_430, &[10], 12),
        };
        let size = row.model.size(shape, classes);
        let iterations = row.iterations;
        let factored = size.factors.is_some();
        let held = match (row.analysis, row.vectors) {
            (_, Vectors::Updates { .. }) => 2 * size.parameters * iterations,
            (Analysis::Spectrum { .. }, _) if factored => 0,
            (Analysis::Entries { along: Axis::Dimension, .. }, _) if !factored => size.parameters,
            (Analysis::Entries { sampled_parameters: Some(sampled), .. }, _) if !factored => {
                sampled.min(size.parameters) * iterations
            }
            _ => size.parameters * iterations,
        };
        let matrices = match row.analysis {
            Analysis::Spectrum { .. } => iterations * iterations * (8 + 8 + 4 + 4),
            Analysis::Entries { .. } => 0,
        };
        Self {
            examples: 4 * (count * shape.iter().product::<usize>()) as u64,
            factors: 4 * ((iterations * row.batch_size).min(count) * size.factors.unwrap_or(0)) as u64,
            gradients: 4 * held as u64,
            matrices: matrices as u64,
            minibatches: 4 * (iterations * row.batch_size) as u64,
        }
    }

    /// All together.
    pub fn total(&self) -> u64 {
        BASE + self.examples + self.factors + self.gradients + self.matrices + self.minibatches
    }
}

/// The bytes of memory that can be taken now; `None` where the system does not say.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Refuses rows that take more than `budget` bytes, three quarters of what is free without one.
///
/// # Errors
///
/// The first such row, with its estimate; or a row's file of minibatches cannot be read.
pub fn check_memory(experiments: &[Experiment], budget: Option<u64>) -> Result<()> {
    let Some(budget) = budget.or_else(|| available_memory().map(|bytes| bytes / 4 * 3)) else {
        return Ok(());
    };
    for experiment in experiments {
        for row in &experiment.rows {
            let needed = MemoryEstimate::of(&sized(row)?).total();
            if needed > budget {
                return Err(Error::Setting {
                    name: "the memory",
                    found: gigabytes(budget),
                    mend: format!(
                        "{} {} needs about {}: raise --memory, or lower its iterations",
                        experiment.name,
                        row.id,
                        gigabytes(needed)
                    ),
                });
            }
        }
    }
    Ok(())
}

/// Seconds that ResNet18 takes forward and backward an example on the CPU: 0.075 measured at B = 100 on two cores.
const RESNET18_SECONDS: f64 = 0.075;
/// Trainings on the CPU that take longer must be asked for.
const LONGEST_TRAINING: f64 = 6.0 * 3600.0;

/// Refuses to train on the CPU for hours.
///
/// # Errors
///
/// The row trains ResNet18 for longer than that; with the estimate and the ways out.
pub(crate) fn check_patience(row: &Row, backend: Backend) -> Result<()> {
    let (Some(training), ModelSpec::ResNet18 { width }, Backend::Flex) = (&row.training, row.model, backend) else {
        return Ok(());
    };
    let examples = if row.data_set == DataSet::Mnist { 60_000.0 } else { 50_000.0 };
    let seconds = RESNET18_SECONDS * (width as f64 / 64.0).powi(2) * examples * training.epochs as f64;
    if seconds <= LONGEST_TRAINING {
        return Ok(());
    }
    Err(Error::Unfit {
        reason: format!(
            "training ResNet18 for {} epochs takes about {:.1} days on this CPU; use --backend cuda, shorten it with \
             --epochs, or go on with --long",
            training.epochs,
            seconds / 86_400.0
        ),
    })
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}

/// The plan of a run as text: its rows in their order, which are done, what they need.
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
) -> Result<String> {
    let mut text = String::new();
    let groups = tasks(experiments, seeds, backend, data)?;
    for (index, group) in groups.iter().enumerate() {
        let _ = writeln!(text, "position {} of {}: {}", index + 1, groups.len(), position(&group[0]));
        for task in group {
            let row = &sized(&task.row)?;
            let done = store
                .is_some_and(|store| store.result(&task.experiment, &row.id, task.seed, Some(&task.key)).is_some());
            let memory = gigabytes(MemoryEstimate::of(row).total());
            let state = if done { "done" } else { "to do" };
            let (batch, iterations) = (row.batch_size, row.iterations);
            let name = format!("{} {}", task.experiment, row.id);
            let seed = task.seed;
            let _ = writeln!(text, "  {name:<34} seed {seed:<3} B {batch:<5} T {iterations:<5} {memory:>8}  {state}");
        }
    }
    Ok(text)
}

fn position(task: &Task) -> String {
    let row = &task.row;
    let place = match (&row.weights, &row.training) {
        (Some(weights), _) => format!("weights of {}", weights.display()),
        (None, Some(training)) => format!("trained for {} epochs", training.epochs),
        (None, None) => "random parameters".to_owned(),
    };
    let labels = match row.labels {
        LabelCorruption::None => String::new(),
        LabelCorruption::SymmetricNoise { rate } => format!(", {:.0}% label noise", 100.0 * rate),
        LabelCorruption::Shuffled => ", shuffled labels".to_owned(),
    };
    format!("{} on {}{labels}, {place}, seed {}", row.model, row.data_set, task.own_seed())
}
