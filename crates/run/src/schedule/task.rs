//! The work of a run: one task a row and seed, ordered so that what tasks share is made once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use gradspectra_data::{DataRoot, Split};
use gradspectra_experiment::{Analysis, Backend, DataSpec, Experiment, POSITIONS, Row, Store, Vectors, short_key};
use gradspectra_files as files;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::position::PositionSpec;
use crate::subject::fit::{check_fit, measured_of};
use crate::subject::{network, source};

/// One row at one seed.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) experiment: String,
    pub(crate) row: Row,
    pub(crate) seed: u64,
    /// The SHA-256 of all that decides the result.
    pub(crate) key: String,
    pub(crate) position: PositionSpec,
    minibatches_sha256: Option<String>,
}

#[derive(Serialize)]
struct Identity<'a> {
    row: &'a Row,
    position: &'a PositionSpec,
    minibatches_sha256: &'a Option<String>,
}

/// A part of a specification in the names that experiment files have for it, whatever the code calls them.
pub(crate) fn named(part: &impl Serialize) -> String {
    serde_json::to_string(part).expect("a specification is plain data")
}

/// What of a row decides its result, but for the content of the files that it names.
pub(crate) fn bare(row: &Row) -> Row {
    let row = Row { setting: None, reading_of: None, paper: None, weights: None, minibatches: None, ..row.clone() };
    Row { data_set: row.data_set.anywhere(), ..row }
}

impl Task {
    fn new(experiment: &str, row: &Row, seed: u64, backend: Backend, unofficial_files: Vec<String>) -> Result<Self> {
        let position = PositionSpec::of(row, seed + row.seed_offset, backend, unofficial_files)?;
        let minibatches_sha256 = row.minibatches.as_deref().map(files::sha256_of_file).transpose()?;
        let identity = Identity { row: &bare(row), position: &position, minibatches_sha256: &minibatches_sha256 };
        let key = files::sha256(named(&identity).as_bytes());
        Ok(Self { experiment: experiment.to_owned(), row: row.clone(), seed, key, position, minibatches_sha256 })
    }

    /// Refuses weights of another network, and a folder of data sets that lacks the row's.
    fn check_files(&self, data: &DataRoot) -> Result<()> {
        let Row { model, data_set, weights, training, .. } = &self.row;
        source(data_set)?.check_files(Split::Train, data)?;
        if training.is_some() {
            source(data_set)?.check_files(Split::Test, data)?;
        }
        let Some(weights) = weights else { return Ok(()) };
        /// The weights that were found to fit, with their networks and data.
        static FIT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let options = self.row.load_options();
        let key = named(&(model, data_set, options, &self.position.weights_sha256));
        if !FIT.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            network(model)?.check_weights(data_set, options, weights)?;
            FIT.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
        Ok(())
    }

    /// The path of its result in the folder of results, without an ending.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}/seed-{}", self.experiment, self.row.id, self.seed)
    }

    /// The path of its trained position, where it has one that is not loaded, without an ending.
    pub(crate) fn training_id(&self) -> Option<String> {
        let trained = self.position.training.is_some() && self.row.weights.is_none();
        trained.then(|| format!("{POSITIONS}/{}", short_key(&self.position.key())))
    }

    /// The seed with the row's offset.
    pub(crate) fn own_seed(&self) -> u64 {
        self.seed + self.row.seed_offset
    }

    /// What decides the gradients of single examples: the position and what the network sees there.
    fn capture_key(&self) -> String {
        named(&(self.position.key(), self.row.capture_labels, self.row.capture_inputs))
    }

    /// What decides G of rows at one position.
    pub(crate) fn vectors_key(&self) -> String {
        let (row, minibatches) = (&self.row, &self.minibatches_sha256);
        named(&(row.batch_size, row.iterations, row.sampling, minibatches, row.vectors))
    }

    /// The SHA-256 of all that decides the Gram matrix before clipping.
    pub(crate) fn gram_key(&self) -> String {
        files::sha256(named(&(self.capture_key(), self.vectors_key())).as_bytes())
    }

    /// Whether its vectors come of factors of examples: a minibatch needs no pass of its own.
    pub(crate) fn is_factored(&self) -> bool {
        !measured_of(&self.row).layers.is_empty() && !matches!(self.row.vectors, Vectors::AlongRun { .. })
    }

    /// Whether machines can form terms of its Gram matrix apart: along a run each would repeat the run.
    pub(crate) fn shares_terms(&self) -> bool {
        let spectrum = matches!(self.row.analysis, Analysis::Spectrum { .. });
        spectrum && !matches!(self.row.vectors, Vectors::AlongRun { .. })
    }

    /// `error` with the row that it is of.
    pub(crate) fn failed(&self, error: Error) -> Error {
        in_row(&self.experiment, &self.row, self.seed, error)
    }

    /// Whether `store` holds its result.
    pub(crate) fn is_done(&self, store: &Store) -> bool {
        store.result(&self.experiment, &self.row.id, self.seed, Some(&self.key)).is_some()
    }

    /// What decides the Gram matrix of rows at one position.
    pub(crate) fn gradients_key(&self) -> String {
        named(&(self.vectors_key(), self.row.gradient_clipping))
    }
}

fn in_row(experiment: &str, row: &Row, seed: u64, error: Error) -> Error {
    if matches!(error, Error::Row { .. }) {
        return error;
    }
    Error::Row { experiment: experiment.to_owned(), row: row.id.clone(), seed, source: Box::new(error) }
}

/// The tasks of `experiments` at `seeds`, those with equal gradients of examples together, those with equal gradients in turn.
pub(crate) fn tasks(
    experiments: &[Experiment],
    seeds: &[u64],
    backend: Backend,
    data: &DataRoot,
) -> Result<Vec<Vec<Task>>> {
    let mut unofficial: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<Task>)> = Vec::new();
    for &seed in seeds {
        for experiment in experiments {
            for row in &experiment.rows {
                check_fit(row).map_err(|error| in_row(&experiment.name, row, seed, error))?;
                let files = match unofficial.entry(named(&row.data_set)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(unofficial_files(&row.data_set, data)?),
                };
                let task = Task::new(&experiment.name, row, seed, backend, files.clone())?;
                task.check_files(data).map_err(|error| task.failed(error))?;
                let key = task.capture_key();
                match groups.iter_mut().find(|(position, _)| *position == key) {
                    Some((_, tasks)) => tasks.push(task),
                    None => groups.push((key, vec![task])),
                }
            }
        }
    }
    let in_turn = |(_, mut tasks): (String, Vec<Task>)| {
        tasks.sort_by_key(|task| (task.row.batch_size, task.gradients_key()));
        tasks
    };
    Ok(groups.into_iter().map(in_turn).collect())
}

/// The SHA-256 of the training files at hand that are not the official ones; those to be downloaded are.
fn unofficial_files(data_set: &DataSpec, data: &DataRoot) -> Result<Vec<String>> {
    let files = source(data_set)?.files_at_hand(Split::Train, data)?;
    let unofficial = files.into_iter().filter(|file| !file.listed || file.variant.is_some());
    Ok(unofficial.map(|file| file.sha256).collect())
}

/// The SHA-256 of the task of every row and seed, by which its result is known.
#[derive(Debug, Clone, Default)]
pub struct TaskKeys(BTreeMap<(String, String, u64), String>);

impl TaskKeys {
    /// The keys of the tasks that a run of `experiments` does.
    ///
    /// # Errors
    ///
    /// A file that a row names, or a file of a data set, cannot be read.
    pub fn of(experiments: &[Experiment], seeds: &[u64], backend: Backend, data: &DataRoot) -> Result<Self> {
        let tasks = tasks(experiments, seeds, backend, data)?.into_iter().flatten();
        Ok(Self(tasks.map(|task| ((task.experiment, task.row.id, task.seed), task.key)).collect()))
    }

    /// The key of a row at a seed.
    pub fn get(&self, experiment: &str, row: &str, seed: u64) -> Option<&str> {
        self.0.get(&(experiment.to_owned(), row.to_owned(), seed)).map(String::as_str)
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
