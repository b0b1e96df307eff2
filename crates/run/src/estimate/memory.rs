//! The memory that rows take, before they take it.

mod sizes;
mod system;
mod units;

use gradspectra_data::DataRoot;
use gradspectra_experiment::{Analysis, Backend, Experiment, Row, Store};
use gradspectra_models::Augmentation;

use crate::error::{Error, Result};
use crate::schedule::task::{Task, tasks};

pub(crate) use self::system::{forget_peak, peak};
pub use super::meter::peak_of;
pub(crate) use sizes::Share;
pub use sizes::Sizes;

/// Rows of G that are captured at once at the least.
pub(crate) const LEAST_ROWS: usize = 8192;
/// Columns of G that are captured at once at the least.
pub(crate) const LEAST_COLUMNS: usize = 64;
/// What the program takes apart from arrays: code, buffers of threads.
pub const BASE: u64 = 48 << 20;
/// What LLVM, which cuda links in, takes from the start.
const LINKED: u64 = if cfg!(feature = "cuda") { 36 << 20 } else { 0 };
const F32: u64 = size_of::<f32>() as u64;

/// The test examples of a data set at the most.
const TEST_EXAMPLES: u64 = 10_437;
/// The parameters, their gradients, what an optimiser keeps, and what is saved of them.
const PARAMETER_COPIES: u64 = 6;
/// What a training holds beside, of buffers.
const TRAINING_BUFFERS: u64 = 16 << 20;

/// The memory of rows that share a position, in bytes, from the sizes of what is held at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// What is held whatever the budget: inputs, minibatches, activations.
    pub fixed: u64,
    /// The factors of all layers.
    pub factors: u64,
    /// The factors of as few layers as are captured at once, in several passes.
    pub least_factors: u64,
    /// What the largest row holds beside: G or blocks of it, the T × T matrices.
    pub rows: u64,
    /// The memory of rows with blocks of G as small as they are made.
    pub least_rows: u64,
}

impl MemoryEstimate {
    /// The estimate for `rows`, which share a position.
    ///
    /// # Errors
    ///
    /// A row's file of minibatches cannot be read.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Result<Self> {
        Self::of_shares(rows.into_iter().map(|row| Ok((row, Share::ALL))))
    }

    /// The estimate for rows of which as much is captured as their shares say.
    pub(crate) fn of_shares<'a>(rows: impl IntoIterator<Item = Result<(&'a Row, Share)>>) -> Result<Self> {
        let (mut all, mut drawn, mut passed) = (Self::default(), 0, 0);
        for row in rows {
            let (row, share) = row?;
            let row = &row.sized()?;
            let sizes = Sizes::of(row).captured(share);
            drawn += if share.parameters > 0 { row.iterations * row.batch_size } else { 0 };
            all.fixed = all.fixed.max(LINKED + sizes.fixed(row, drawn));
            all.factors = all.factors.max(sizes.all_factors(drawn));
            all.least_factors = all.least_factors.max(sizes.least_factors(row));
            if sizes.factors == 0 && matches!(row.analysis, Analysis::Entries { .. }) {
                passed += sizes.rows(row, share);
            }
            all.rows = all.rows.max(passed).max(sizes.rows(row, share));
            all.least_rows = all.least_rows.max(sizes.least_rows(row, share));
        }
        Ok(all)
    }

    /// The estimate for making some terms of the Gram matrix of `row`.
    ///
    /// # Errors
    ///
    /// The row's file of minibatches cannot be read.
    pub(crate) fn of_part(row: &Row, share: Share) -> Result<Self> {
        let row = &row.sized()?;
        let sizes = Sizes::of(row).captured(share);
        let square = (row.iterations * row.iterations) as u64;
        let gram = |rows: u64| F32 * sizes.gram(row, rows).max(4 * square);
        let drawn = row.iterations * row.batch_size;
        Ok(Self {
            fixed: LINKED + sizes.fixed(row, drawn),
            factors: sizes.all_factors(drawn),
            least_factors: sizes.least_factors(row),
            rows: gram(sizes.parameters.min(share.parameters)),
            least_rows: gram(sizes.block().min(share.parameters)),
        })
    }

    /// All together where memory is free.
    pub fn total(&self) -> u64 {
        self.fixed + self.factors + self.rows
    }

    /// All together with blocks as small as they are made.
    pub fn least(&self) -> u64 {
        self.fixed + self.least_factors + self.least_rows
    }

    /// Whether `budget` holds the factors of all layers at once.
    pub(crate) fn holds_factors(&self, budget: u64) -> bool {
        self.fixed + self.factors + self.least_rows <= budget
    }

    /// The bytes of factors that are held at once under `budget`.
    pub(crate) fn room_of_factors(&self, budget: u64) -> u64 {
        match self.holds_factors(budget) {
            true => self.factors,
            false => budget.saturating_sub(self.fixed + self.least_rows).max(self.least_factors),
        }
    }

    /// About how many passes over the examples the factors take under `budget`: whole layers may take one more.
    pub(crate) fn passes(&self, budget: u64) -> u64 {
        self.factors.div_ceil(self.room_of_factors(budget).max(1)).max(1)
    }

    /// The bytes that rows of G and what is formed of them may take beside under `budget`.
    pub(crate) fn room_of_rows(&self, budget: u64) -> u64 {
        budget.saturating_sub(self.fixed + self.room_of_factors(budget))
    }

    /// All together under `budget`, which is at least [`least`](Self::least).
    pub fn within(&self, budget: u64) -> u64 {
        self.total().min(budget.max(self.least()))
    }
}

/// The bytes that may be taken: `asked`, or three quarters of what is free; everything where the system does not say.
pub fn budget(asked: Option<u64>) -> u64 {
    asked.or_else(|| Some(system::available()? / 4 * 3)).unwrap_or(u64::MAX)
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

/// Refuses rows that do not fit `budget` bytes even in the smallest blocks, with the terms of Gram matrices that `store`
/// holds.
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
    store: Option<&Store>,
) -> Result<()> {
    let groups = tasks(experiments, seeds, backend, data)?;
    groups.iter().try_for_each(|group| check_group(group, budget, |task| Share::of(task, store)))
}

/// Refuses tasks at one position that need more than `budget` bytes even with blocks as small as they are made.
pub(crate) fn check_group(group: &[Task], budget: u64, share: impl Fn(&Task) -> Result<Share>) -> Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    let shares = group.iter().map(|task| Ok((&task.row, share(task)?)));
    check(&format!("{} {}", first.experiment, first.row.id), MemoryEstimate::of_shares(shares)?.least(), budget)
}

/// Refuses `what` where it needs more than `budget` bytes.
///
/// # Errors
///
/// With the estimate and the ways out.
pub fn check(what: &str, needed: u64, budget: u64) -> Result<()> {
    if needed <= budget {
        return Ok(());
    }
    let mend =
        format!("{what} needs about {}: raise --memory, lower its iterations, or see tasks --parts", at_least(needed));
    Err(Error::Setting { name: "the memory", found: gigabytes(budget), mend })
}

/// The bytes that the training of `row` takes, with its test examples.
pub(crate) fn of_training(row: &Row) -> u64 {
    let sizes = Sizes::of(row);
    let training = row.training.as_ref();
    let batch = training.map_or(0, |training| training.batch as u64);
    let augmented = training.is_some_and(|training| training.augmentation == Augmentation::CropAndFlip);
    let images = u64::from(augmented) * sizes.examples * sizes.features;
    let inputs = (sizes.examples + TEST_EXAMPLES) * sizes.features;
    let numbers = inputs + batch * sizes.activations + PARAMETER_COPIES * sizes.parameters;
    BASE + LINKED + TRAINING_BUFFERS + images + F32 * numbers
}

pub(crate) fn of_tasks(group: &[Task]) -> Result<MemoryEstimate> {
    MemoryEstimate::of(group.iter().map(|task| &task.row))
}

/// Bytes in GB, or where they are few in MB, kB or B.
pub fn gigabytes(bytes: u64) -> String {
    units::in_units(bytes, false)
}

/// Bytes in words, for what is needed, rounded up: as much as is told is enough.
pub fn at_least(bytes: u64) -> String {
    units::in_units(bytes, true)
}
