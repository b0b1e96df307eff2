//! Data of sequences of tokens and of numbers to predict, from the clone or from files of one's own.

mod arrays;
mod regression;
mod sequences;
mod shakespeare;
mod text;
mod token_file;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

pub(super) use arrays::{array, float32, is_idx, shape};
pub(super) use regression::RegressionFiles;
pub(super) use shakespeare::OfficialText;
pub(super) use text::TextFile;
pub(super) use tokens::TokenFiles;

use crate::error::{Error, Result};

/// What was learnt of whole files, each of which is read once in a process unless it changes: by path, length and time of
/// the last change.
struct Learnt<T>(Mutex<BTreeMap<State, T>>);

/// A file and its state.
type State = (PathBuf, u64, Option<SystemTime>);

impl<T: Clone> Learnt<T> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// What `read` tells of the file at `path`, or told before.
    fn of(&self, path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
        let state = path.metadata().map_err(|source| Error::io(path, "read", source))?;
        let key = (path.to_owned(), state.len(), state.modified().ok());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learnt) = known().get(&key) {
            return Ok(learnt.clone());
        }
        let learnt = read()?;
        known().insert(key, learnt.clone());
        Ok(learnt)
    }
}

/// The two files of a test, whose settings are `names`; `None` where neither is given.
fn both<'a>(files: [&'a Option<PathBuf>; 2], names: [&str; 2]) -> Result<Option<[&'a Path; 2]>> {
    match files {
        [None, None] => Ok(None),
        [Some(first), Some(second)] => Ok(Some([first, second])),
        _ => Err(unfit(format!("it has one of {} and {}; give both or none", names[0], names[1]))),
    }
}

/// The name of a data set in tables: the one given, else that of its file.
fn titled(title: &Option<String>, file: &Path) -> String {
    let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    title.clone().or_else(stem).unwrap_or_default()
}

fn unfit(reason: impl Into<String>) -> Error {
    Error::Unfit { reason: reason.into() }
}

/// Made-up numbers for a network to be measured on.
fn made_up() -> impl Iterator<Item = u32> {
    (1..).map(|number: u32| number.wrapping_mul(2_654_435_761) >> 8)
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
