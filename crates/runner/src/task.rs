//! The work of a run: one task a row and seed, ordered so that what tasks share is made once.

use serde::Serialize;

use crate::backend::Backend;
use crate::error::Result;
use crate::experiment::{Experiment, Row};
use crate::files;
use crate::position::PositionSpec;

/// One row at one seed.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) experiment: String,
    pub(crate) row: Row,
    pub(crate) seed: u64,
    /// The SHA-256 of all that decides the result.
    pub(crate) key: String,
    pub(crate) position: PositionSpec,
}

#[derive(Serialize)]
struct Identity<'a> {
    row: &'a Row,
    position: &'a PositionSpec,
    minibatches_sha256: Option<String>,
}

impl Task {
    pub(crate) fn new(experiment: &str, row: &Row, seed: u64, backend: Backend) -> Result<Self> {
        let position = PositionSpec::of(row, seed + row.seed_offset, backend)?;
        let minibatches_sha256 = row.minibatches.as_deref().map(files::sha256_of_file).transpose()?;
        let bare = Row { setting: None, paper: None, weights: None, minibatches: None, ..row.clone() };
        let identity = Identity { row: &bare, position: &position, minibatches_sha256 };
        let key = files::sha256(&serde_json::to_vec(&identity).expect("a specification is plain data"));
        Ok(Self { experiment: experiment.to_owned(), row: row.clone(), seed, key, position })
    }

    /// The seed with the row's offset.
    pub(crate) fn own_seed(&self) -> u64 {
        self.seed + self.row.seed_offset
    }

    /// What decides G of rows at one position.
    pub(crate) fn vectors_key(&self) -> String {
        let row = &self.row;
        format!("{} {} {:?} {:?} {:?}", row.batch_size, row.iterations, row.sampling, row.minibatches, row.vectors)
    }

    /// What decides the Gram matrix of rows at one position.
    pub(crate) fn gradients_key(&self) -> String {
        format!("{} {:?}", self.vectors_key(), self.row.gradient_clipping)
    }
}

/// The tasks of `experiments` at `seeds`, those with equal positions together, those with equal gradients in turn.
pub(crate) fn tasks(experiments: &[Experiment], seeds: &[u64], backend: Backend) -> Result<Vec<Vec<Task>>> {
    let mut groups: Vec<(String, Vec<Task>)> = Vec::new();
    for &seed in seeds {
        for experiment in experiments {
            for row in &experiment.rows {
                let task = Task::new(&experiment.name, row, seed, backend)?;
                let key = task.position.key();
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
