//! The memory that rows take, before they take it.

use gradspectra_models::Augmentation;

use crate::backend::Backend;
use crate::cost::multiply_adds;
use crate::data::{DataRoot, DataSet, LabelCorruption};
use crate::experiment::{Analysis, Axis, Experiment, Row, Vectors};
use crate::minibatches::sized;
use crate::model::ModelSpec;
use crate::task::{Task, tasks};
use crate::{Error, Result};

/// Rows of G that are captured at once at the least.
pub(crate) const LEAST_ROWS: usize = 8192;
/// Columns of G that are captured at once at the least.
pub(crate) const LEAST_COLUMNS: usize = 64;
/// What the program takes apart from arrays: code, buffers of threads.
const BASE: u64 = 48 << 20;
const F32: u64 = size_of::<f32>() as u64;

/// The test examples of a data set at the most.
const TEST_EXAMPLES: u64 = 10_437;
/// The parameters, their gradients, what an optimiser keeps, and what is saved of them.
const PARAMETER_COPIES: u64 = 6;
/// What a training holds beside, of buffers.
const TRAINING_BUFFERS: u64 = 16 << 20;

/// Numbers that a pass holds for its backward pass, an example, as measured: ResNet18 of width 64, and LeNet.
const RESNET18_ACTIVATIONS: u64 = 2_000_000;
const LENET_ACTIVATIONS: u64 = 32_000;
/// Examples that run through a network at once for their factors.
const FACTOR_CHUNK: usize = 500;

/// The memory of rows that share a position, in bytes, from the sizes of what is held at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// What is held whatever the budget: inputs, factors, minibatches, activations.
    pub fixed: u64,
    /// What the largest row holds beside: G or blocks of it, the T × T matrices.
    pub rows: u64,
    /// The same with blocks of G as small as they are made.
    pub least_rows: u64,
}

impl MemoryEstimate {
    /// The estimate for `rows`, which share a position.
    ///
    /// # Errors
    ///
    /// A row's file of minibatches cannot be read.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Result<Self> {
        let (mut all, mut drawn, mut passed) = (Self::default(), 0, 0);
        for row in rows {
            let row = &sized(row)?;
            let sizes = Sizes::of(row);
            drawn += row.iterations * row.batch_size;
            all.fixed = all.fixed.max(sizes.fixed(row, drawn));
            if sizes.factors == 0 && matches!(row.analysis, Analysis::Entries { .. }) {
                passed += sizes.rows(row);
            }
            all.rows = all.rows.max(passed).max(sizes.rows(row));
            all.least_rows = all.least_rows.max(sizes.least_rows(row));
        }
        Ok(all)
    }

    /// All together where memory is free.
    pub fn total(&self) -> u64 {
        self.fixed + self.rows
    }

    /// All together with blocks as small as they are made.
    pub fn least(&self) -> u64 {
        self.fixed + self.least_rows
    }

    /// All together under `budget`, which is at least [`least`](Self::least).
    pub fn within(&self, budget: u64) -> u64 {
        self.total().min(budget.max(self.least()))
    }
}

/// The sizes of data and network that decide what a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The training examples.
    pub examples: u64,
    /// The numbers in an example's input.
    pub features: u64,
    /// n.
    pub parameters: u64,
    /// The numbers in an example's factors; 0 where there are none.
    pub factors: u64,
    /// The numbers that a pass holds, an example.
    pub activations: u64,
    /// Multiply-adds of a pass forward, an example.
    pub multiply_adds: u64,
}

impl Sizes {
    /// The training examples of a data set, the shape of one's input, and the classes.
    pub(crate) fn of_data_set(data_set: DataSet) -> (u64, &'static [usize], usize) {
        match data_set {
            DataSet::Mnist => (60_000, &[1, 28, 28], 10),
            DataSet::Cifar10 => (50_000, &[3, 32, 32], 10),
            DataSet::Cifar100 => (50_000, &[3, 32, 32], 100),
            DataSet::Avila => (10_430, &[10], 12),
        }
    }

    /// The sizes of `row`.
    pub fn of(row: &Row) -> Self {
        let (examples, shape, classes) = Self::of_data_set(row.data_set);
        let size = row.model.size(shape, classes);
        let along_run = matches!(row.vectors, Vectors::AlongRun { .. });
        let activations = match row.model {
            ModelSpec::ResNet18 { width } => RESNET18_ACTIVATIONS * width as u64 / 64,
            ModelSpec::LeNet { .. } => LENET_ACTIVATIONS,
            ModelSpec::Fcn { .. } | ModelSpec::Lnn { .. } => 0,
        };
        Self {
            examples,
            features: shape.iter().product::<usize>() as u64,
            parameters: size.parameters as u64,
            factors: size.factors.filter(|_| !along_run).unwrap_or(0) as u64,
            activations,
            multiply_adds: multiply_adds(row.model, shape, classes),
        }
    }

    /// The bytes that `row` takes by itself where memory is free.
    pub fn total(&self, row: &Row) -> u64 {
        self.fixed(row, row.iterations * row.batch_size) + self.rows(row)
    }

    /// What is held for `row` whatever the budget, where rows draw `drawn` examples in all.
    fn fixed(&self, row: &Row, drawn: usize) -> u64 {
        let copies = if row.capture_labels == LabelCorruption::None && !row.capture_inputs.is_noise() { 1 } else { 2 };
        let inputs = copies * self.examples * self.features;
        let factors = self.examples.min(drawn as u64) * self.factors;
        let minibatches = (row.iterations * row.batch_size) as u64;
        let chunk = if self.factors > 0 { FACTOR_CHUNK } else { row.batch_size };
        let pass = chunk as u64 * self.activations + self.parameters * u64::from(self.factors == 0) * 4;
        BASE + F32 * (inputs + factors + minibatches + pass)
    }

    /// What `row` holds beside where memory is free.
    fn rows(&self, row: &Row) -> u64 {
        self.beside(row, self.parameters, row.iterations as u64)
    }

    fn least_rows(&self, row: &Row) -> u64 {
        self.beside(row, self.block(), row.iterations.min(LEAST_COLUMNS) as u64)
    }

    /// The rows of the smallest block of G.
    fn block(&self) -> u64 {
        self.parameters.min(LEAST_ROWS as u64)
    }

    /// What `row` holds beside with blocks of G of `rows` or, where its axis allows them, of `columns`.
    fn beside(&self, row: &Row, rows: u64, columns: u64) -> u64 {
        let iterations = row.iterations as u64;
        let updates = row.vectors != Vectors::Gradients;
        let numbers = match row.analysis {
            Analysis::Spectrum { .. } => {
                let square = iterations * iterations;
                let held = match self.factors > 0 {
                    true if updates => 2 * self.block(),
                    true => self.block(),
                    false => rows + self.block(),
                };
                (3 * square + held * iterations).max(6 * square)
            }
            Analysis::Entries { along: Axis::Dimension, .. } if self.factors == 0 && !updates => 0,
            Analysis::Entries { along: Axis::Dimension, .. } if updates => {
                (self.parameters + self.block()) * iterations
            }
            Analysis::Entries { along: Axis::Dimension, .. } => self.parameters * columns + self.block() * iterations,
            Analysis::Entries { sampled_parameters, .. } => {
                let sampled = sampled_parameters.map_or(0, |sampled| self.parameters.min(sampled as u64));
                let heard = self.factors == 0 && !updates && sampled > 0;
                let held = if heard { 0 } else { rows + self.block() };
                (held + sampled) * iterations
            }
        };
        F32 * numbers
    }
}

/// The bytes that may be taken: `asked`, or three quarters of what is free; everything where the system does not say.
pub fn budget(asked: Option<u64>) -> u64 {
    asked.or_else(|| Some(available()? / 4 * 3)).unwrap_or(u64::MAX)
}

/// Bytes from a number with an optional unit, powers of 1000: `8GB`, `500MB`, `8000000000`.
///
/// # Errors
///
/// It is no positive number, or has another unit; what was expected.
pub fn bytes(text: &str) -> std::result::Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
    let unit = match text[text.len() - text.trim_start_matches(number).len()..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1.0,
        "KB" | "K" => 1e3,
        "MB" | "M" => 1e6,
        "GB" | "G" => 1e9,
        "TB" | "T" => 1e12,
        unit => return Err(format!("the unit is {unit}; expected KB, MB, GB or TB")),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok((number * unit) as u64),
        _ => Err("expected a positive number with a unit, such as 8GB".to_owned()),
    }
}

fn available() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// The largest resident set of this process since the last [`forget_peak`], in bytes, where the system tells it.
pub(crate) fn peak() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// Begins anew with the peak; where the system does not let it, [`peak`] stays that of the whole process.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Refuses rows that do not fit `budget` bytes even in the smallest blocks.
///
/// # Errors
///
/// The first such row, with its estimate; or a file that a row names cannot be read.
pub fn check_memory(
    experiments: &[Experiment],
    seeds: &[u64],
    backend: Backend,
    data: &DataRoot,
    budget: u64,
) -> Result<()> {
    check_groups(&tasks(experiments, seeds, backend, data)?, budget)
}

/// Refuses `groups` of tasks that need more than `budget` bytes even with blocks as small as they are made.
pub(crate) fn check_groups(groups: &[Vec<Task>], budget: u64) -> Result<()> {
    for group in groups {
        let needed = of_tasks(group)?.least();
        if needed > budget {
            let first = &group[0];
            return Err(Error::Setting {
                name: "the memory",
                found: gigabytes(budget),
                mend: format!(
                    "{} {} needs about {}: raise --memory, or lower its iterations",
                    first.experiment,
                    first.row.id,
                    gigabytes(needed)
                ),
            });
        }
    }
    Ok(())
}

/// The bytes that the training of `row` takes, with its test examples.
pub(crate) fn of_training(row: &Row) -> u64 {
    let sizes = Sizes::of(row);
    let training = row.training.as_ref();
    let batch = training.map_or(0, |training| training.batch as u64);
    let augmented = training.is_some_and(|training| training.augmentation == Augmentation::CropAndFlip);
    let images = u64::from(augmented) * sizes.examples * sizes.features;
    let inputs = (sizes.examples + TEST_EXAMPLES) * sizes.features;
    BASE + TRAINING_BUFFERS + images + F32 * (inputs + batch * sizes.activations + PARAMETER_COPIES * sizes.parameters)
}

pub(crate) fn of_tasks(group: &[Task]) -> Result<MemoryEstimate> {
    MemoryEstimate::of(group.iter().map(|task| &task.row))
}

pub(crate) fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}
