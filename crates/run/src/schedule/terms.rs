//! The Gram matrix of a row's vectors as a sum of terms, which machines form apart and the folder of results keeps.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use gradspectra_capture::{CaptureError, Gram, GramBuilder, LayerSize, ParameterLayout, gram_terms};
use gradspectra_data::DataRoot;
use gradspectra_experiment::{Backend, Experiment, Store, TERMS, Vectors, short_key};
use gradspectra_files as files;

use crate::error::Result;
use crate::estimate::memory::Share;
use crate::schedule::task::{Task, tasks};
use crate::subject::fit::measured_of;

/// The terms of the Gram matrix of a task's vectors.
pub(crate) struct GramTerms {
    /// The SHA-256 of all that decides the Gram matrix.
    key: String,
    iterations: usize,
    /// The first parameter and the sizes of every layer whose gradients come as factors.
    layers: Vec<(usize, LayerSize)>,
    /// Whether each term is a layer's plain inner products; their sum is to be centred.
    pub(crate) are_layers: bool,
    /// The parameters of each term.
    pub(crate) ranges: Vec<Range<usize>>,
}

/// A part of the terms, for one machine.
pub(crate) struct Part {
    /// `terms/be6ddf55e30b70af/2-of-3`.
    pub(crate) id: String,
    /// Its terms, by their numbers.
    pub(crate) terms: Range<usize>,
}

impl GramTerms {
    /// The terms of `task`.
    ///
    /// # Errors
    ///
    /// Its file of minibatches cannot be read.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        Self::by(task, task.is_factored())
    }

    /// The terms of `task` by factors of examples, or by blocks of rows of G.
    ///
    /// # Errors
    ///
    /// Its file of minibatches cannot be read.
    pub(crate) fn by(task: &Task, factored: bool) -> Result<Self> {
        let row = task.row.sized()?;
        let measured = measured_of(&row);
        let (mut layers, mut start) = (Vec::new(), 0);
        for &size in measured.layers.iter().filter(|_| factored) {
            layers.push((start, size));
            start += size.parameters();
        }
        let plain = row.vectors == Vectors::Gradients;
        let mut terms = Self {
            key: task.gram_key(),
            iterations: row.iterations,
            are_layers: !layers.is_empty() && plain && row.batch_size == 1,
            layers,
            ranges: Vec::new(),
        };
        terms.ranges = match (terms.are_layers, terms.layers.is_empty()) {
            (true, _) => terms.layers.iter().map(|(start, size)| *start..start + size.parameters()).collect(),
            (false, true) => gram_terms(&in_rows(0..measured.parameters)),
            (false, false) if plain => gram_terms(&terms.blocks()),
            (false, false) => gram_terms(&terms.blocks().into_iter().flat_map(in_rows).collect::<Vec<_>>()),
        };
        Ok(terms)
    }

    /// The terms of `task`, where machines can form them apart.
    ///
    /// # Errors
    ///
    /// As of [`of`](Self::of).
    pub(crate) fn shared(task: &Task) -> Result<Option<Self>> {
        task.shares_terms().then(|| Self::of(task)).transpose()
    }

    /// Refuses terms that are not of the parameters of `layout`, each in one.
    ///
    /// # Errors
    ///
    /// With the parameters that no term has, or that terms have beside those of the model.
    pub(crate) fn check(&self, layout: &ParameterLayout) -> Result<()> {
        let ends = self.ranges.iter().map(|range| range.end);
        let starts = self.ranges.iter().map(|range| range.start).chain([layout.parameters()]);
        match iter::once(0).chain(ends).zip(starts).find(|(end, start)| end != start) {
            Some((end, start)) => {
                let parameters = end.min(start)..end.max(start);
                Err(CaptureError::Incomplete { paths: layout.paths(&parameters), parameters }.into())
            }
            None => Ok(()),
        }
    }

    /// The sum of all terms by blocks of parameters.
    pub(crate) fn by_blocks(&self) -> Vec<Range<usize>> {
        gram_terms(&self.blocks())
    }

    fn blocks(&self) -> Vec<Range<usize>> {
        let of_layer = |&(start, size): &(usize, LayerSize)| {
            size.blocks().into_iter().map(move |block| start + block.start..start + block.end)
        };
        self.layers.iter().flat_map(of_layer).collect()
    }

    /// The parameters from the first of the terms `terms` to the last.
    pub(crate) fn parameters(&self, terms: &Range<usize>) -> Range<usize> {
        self.ranges[terms.start].start..self.ranges[terms.end - 1].end
    }

    /// What is captured to make the terms that `wanted` says.
    pub(crate) fn share(&self, wanted: impl Fn(usize) -> bool) -> Share {
        let wanted: Vec<_> =
            (0..self.ranges.len()).filter(|&term| wanted(term)).map(|term| &self.ranges[term]).collect();
        let is_wanted = |&&(start, size): &&(usize, LayerSize)| {
            wanted.iter().any(|range| range.start < start + size.parameters() && start < range.end)
        };
        let factors: usize = self.layers.iter().filter(is_wanted).map(|(_, size)| size.factors).sum();
        Share { parameters: wanted.iter().map(|range| range.len() as u64).sum(), factors: factors as u64 }
    }

    /// `count` parts of about the same work; no more than there are terms.
    pub(crate) fn parts(&self, count: usize) -> Vec<Part> {
        let work = |term: usize| if self.are_layers { self.layers[term].1.factors } else { self.ranges[term].len() };
        let all = self.ranges.len();
        let (count, total) = (count.min(all), (0..all).map(work).sum::<usize>());
        let (mut start, mut before) = (0, 0);
        let part = |index: usize| {
            let first = start;
            while start == first
                || start < all - (count - index) && count * (2 * before + work(start)) <= 2 * total * index
            {
                before += work(start);
                start += 1;
            }
            Part { id: format!("{TERMS}/{}/{index}-of-{count}", short_key(&self.key)), terms: first..start }
        };
        (1..=count).map(part).collect()
    }

    /// The part whose id is `id`.
    pub(crate) fn part(&self, id: &str) -> Option<Part> {
        let (_, count) = id.rsplit_once("-of-")?;
        self.parts(count.parse().ok()?).into_iter().find(|part| part.id == id)
    }

    fn file(&self, store: &Store, term: usize) -> PathBuf {
        let Range { start, end } = &self.ranges[term];
        folder(store, &self.key).join(format!("{start}-{end}.{ENDING}"))
    }

    /// Whether `store` holds each of the terms.
    pub(crate) fn are_there(&self, store: &Store) -> Vec<bool> {
        (0..self.ranges.len()).map(|term| self.read(store, term).is_some()).collect()
    }

    /// Adds a term that `store` holds to `sum`; whether it does.
    pub(crate) fn add(&self, store: &Store, term: usize, sum: &mut Gram) -> bool {
        let Some(bytes) = self.read(store, term) else { return false };
        let (numbers, _) = bytes[HASH..bytes.len() - HASH].as_chunks();
        sum.add_numbers(numbers.iter().map(|&number| f64::from_le_bytes(number)));
        true
    }

    fn read(&self, store: &Store, term: usize) -> Option<Vec<u8>> {
        let bytes = fs::read(self.file(store, term)).ok()?;
        let length = 2 * HASH + size_of::<f64>() * Gram::count(self.iterations);
        (bytes.len() == length && bytes.starts_with(self.key.as_bytes()) && is_whole(&bytes)).then_some(bytes)
    }

    /// Keeps a term in `store`: the key, the numbers, and the SHA-256 of both.
    pub(crate) fn write(&self, store: &Store, term: usize, gram: &Gram) -> Result<()> {
        let mut bytes = Vec::with_capacity(2 * HASH + size_of::<f64>() * Gram::count(self.iterations));
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend(gram.numbers().flat_map(f64::to_le_bytes));
        let hash = files::sha256(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        Ok(files::write(&self.file(store, term), &bytes)?)
    }
}

/// The bytes of a SHA-256 in hexadecimal.
const HASH: usize = 64;
/// The ending of terms' files.
const ENDING: &str = "gram";

fn folder(store: &Store, key: &str) -> PathBuf {
    store.root().join(TERMS).join(short_key(key))
}

/// Whether the file `path` is a term.
pub(crate) fn is_term(path: &Path) -> bool {
    let ending = path.extension().is_some_and(|ending| ending == ENDING);
    ending && fs::read(path).is_ok_and(|bytes| is_whole(&bytes))
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<HASH>().is_some_and(|(content, hash)| files::sha256(content).as_bytes() == hash)
}

/// `parameters` in blocks of rows of G.
fn in_rows(parameters: Range<usize>) -> Vec<Range<usize>> {
    let end = parameters.end;
    parameters.step_by(GramBuilder::ROWS).map(|start| start..end.min(start + GramBuilder::ROWS)).collect()
}

/// Removes the terms of a run of `experiments` that no row needs any more; what cannot be removed stays.
///
/// # Errors
///
/// A file that a row names, or a file of a data set, cannot be read.
pub fn forget_terms(
    experiments: &[Experiment],
    seeds: &[u64],
    backend: Backend,
    data: &DataRoot,
    store: &Store,
) -> Result<()> {
    let terms = store.root().join(TERMS);
    if !terms.is_dir() {
        return Ok(());
    }
    let (mut done, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for task in tasks(experiments, seeds, backend, data)?.iter().flatten() {
        let keys = if task.is_done(store) { &mut done } else { &mut needed };
        keys.insert(task.gram_key());
    }
    for key in done.difference(&needed) {
        let _ = fs::remove_dir_all(folder(store, key));
    }
    let _ = fs::remove_dir(terms);
    Ok(())
}
