//! Folders of results joined into one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gradspectra_experiment::{PLOTS, POSITIONS, Store, TERMS, folders, names, seeds};
use gradspectra_files as files;

use crate::error::{Error, Result};
use crate::position::stored_as;
use crate::schedule::task::TaskKeys;
use crate::schedule::terms::is_term;
use crate::track::stored_at;

/// What joining folders came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Results that were copied.
    pub results: usize,
    /// Tracks that were copied.
    pub tracks: usize,
    /// Trained positions that were copied.
    pub positions: usize,
    /// Terms of Gram matrices that were copied.
    pub terms: usize,
    /// Results, tracks and positions that are not whole, and results of another spec than the run's.
    pub left_out: Vec<PathBuf>,
}

/// A set of files that are there together or not at all.
struct Whole {
    /// The files that two folders must agree on; the first says that the others are whole.
    agreed: Vec<PathBuf>,
    /// What else belongs to it.
    beside: Vec<PathBuf>,
}

/// What is found in folders, by where it lies in each.
type Found = BTreeMap<PathBuf, Whole>;

/// Copies the results, tracks, trained positions and terms of Gram matrices of `folders` to `out`, which is locked; of the rows
/// that `keys` knows only results of its tasks are taken.
///
/// # Errors
///
/// Two folders have other bytes for one row and seed, one track, one position or one term, in which case nothing is written; a file
/// cannot be read or written.
pub fn merge(sources: &[Store], out: &Store, keys: &TaskKeys) -> Result<Merged> {
    let mut left_out = Vec::new();
    let mut found = Found::new();
    let mut copied: [Vec<PathBuf>; 4] = Default::default();
    for store in std::iter::once(out).chain(sources) {
        let own = std::ptr::eq(store, out);
        let wholes = [
            whole_results(store, keys, &mut left_out)?,
            whole_tracks(store, &mut left_out)?,
            whole_positions(store, &mut left_out)?,
            whole_terms(store)?,
        ];
        for (copied, wholes) in copied.iter_mut().zip(wholes) {
            for (name, whole) in wholes {
                if add(&mut found, &name, whole)? && !own {
                    copied.push(name);
                }
            }
        }
    }
    let [results, tracks, positions, terms] = &copied;
    for name in positions.iter().chain(terms).chain(tracks).chain(results) {
        copy(&found[name], name.parent().unwrap_or(Path::new("")), out)?;
    }
    left_out.retain(|file| !file.starts_with(out.root()));
    let [results, tracks, positions, terms] = copied.map(|names| names.len());
    Ok(Merged { results, tracks, positions, terms, left_out })
}

/// Adds what a folder has under `name`; whether it is the first that has it.
fn add(found: &mut Found, name: &Path, whole: Whole) -> Result<bool> {
    let Some(known) = found.get(name) else {
        found.insert(name.to_owned(), whole);
        return Ok(true);
    };
    for (first, second) in known.agreed.iter().zip(&whole.agreed) {
        if files::sha256_of_file(first)? != files::sha256_of_file(second)? {
            return Err(Error::Conflict { first: first.clone(), second: second.clone() });
        }
    }
    Ok(false)
}

/// Copies files into the folder `folder` of `out`, that which says that they are whole last.
fn copy(whole: &Whole, folder: &Path, out: &Store) -> Result<()> {
    for file in whole.beside.iter().chain(whole.agreed.iter().rev()) {
        let bytes = std::fs::read(file).map_err(|source| Error::io(file, "read", source))?;
        files::write(&out.root().join(folder).join(file.file_name().expect("it is a file")), &bytes)?;
    }
    Ok(())
}

/// The results of `store` that are whole; the others go to `left_out`.
fn whole_results(store: &Store, keys: &TaskKeys, left_out: &mut Vec<PathBuf>) -> Result<Vec<(PathBuf, Whole)>> {
    let mut results = Vec::new();
    for experiment in folders(store.root())? {
        for row in folders(&store.experiment(&experiment))? {
            let folder = store.experiment(&experiment).join(&row);
            for seed in seeds(&folder)? {
                let file = store.row_file(&experiment, &row, seed, "json");
                if store.result(&experiment, &row, seed, keys.get(&experiment, &row, seed)).is_none() {
                    left_out.push(file);
                    continue;
                }
                let eigenvalues = store.eigenvalues_file(&experiment, &row, seed);
                let agreed: Vec<_> =
                    [Some(file), eigenvalues.is_file().then_some(eigenvalues)].into_iter().flatten().collect();
                let prefix = format!("seed-{seed}.");
                let track = format!("{prefix}track.");
                let is_own = |name: &str| name.starts_with(&prefix) && !name.starts_with(&track);
                let beside = names(&folder, |entry| is_own(&entry.file_name().to_string_lossy()))?;
                let beside = beside.iter().map(|name| folder.join(name)).filter(|file| !agreed.contains(file));
                let beside = beside.collect();
                results.push((Path::new(&experiment).join(&row).join(&prefix), Whole { agreed, beside }));
            }
        }
    }
    Ok(results)
}

/// The tracks of `store` that are whole, each with its captures and plots; the others are added to `left_out`.
fn whole_tracks(store: &Store, left_out: &mut Vec<PathBuf>) -> Result<Vec<(PathBuf, Whole)>> {
    const ENDING: &str = ".track.json";
    let mut tracks = Vec::new();
    for experiment in folders(store.root())? {
        for row in folders(&store.experiment(&experiment))? {
            let folder = store.experiment(&experiment).join(&row);
            for name in names(&folder, |entry| entry.file_name().to_string_lossy().ends_with(ENDING))? {
                let json = folder.join(&name);
                if stored_at(&json).is_none() {
                    left_out.push(json);
                    continue;
                }
                let beside = PLOTS.map(|ending| json.with_extension(ending)).into_iter().filter(|file| file.is_file());
                let whole = Whole { beside: beside.collect(), agreed: vec![json.clone(), json.with_extension("csv")] };
                tracks.push((Path::new(&experiment).join(&row).join(&name), whole));
            }
        }
    }
    Ok(tracks)
}

/// The trained positions of `store` that are whole; the others are added to `left_out`.
fn whole_positions(store: &Store, left_out: &mut Vec<PathBuf>) -> Result<Vec<(PathBuf, Whole)>> {
    let folder = store.root().join(POSITIONS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let keys = names(&folder, |entry| entry.file_name().to_str().is_some_and(is_position))?;
    let files = keys.iter().map(|name| folder.join(name));
    let (whole, cut_off): (Vec<_>, Vec<_>) = files.partition(|file| stored_as(file).is_some());
    left_out.extend(cut_off);
    let whole = whole.into_iter().map(|file| {
        let name = Path::new(POSITIONS).join(file.file_stem().expect("it has a name"));
        (name, Whole { agreed: vec![file.clone(), file.with_extension("safetensors")], beside: Vec::new() })
    });
    Ok(whole.collect())
}

/// Whether a file of this name says what a trained position is, not what a training has come to.
fn is_position(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|key| !key.contains('.'))
}

/// The terms of Gram matrices of `store` that are whole.
fn whole_terms(store: &Store) -> Result<Vec<(PathBuf, Whole)>> {
    let folder = store.root().join(TERMS);
    let mut terms = Vec::new();
    if folder.is_dir() {
        for key in folders(&folder)? {
            for name in names(&folder.join(&key), |entry| is_term(&entry.path()))? {
                let file = folder.join(&key).join(&name);
                terms.push((Path::new(TERMS).join(&key).join(&name), Whole { agreed: vec![file], beside: Vec::new() }));
            }
        }
    }
    Ok(terms)
}
