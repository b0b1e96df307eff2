//! Where the files of a data set are.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    official::catalogue::{Listing, Source, Split},
    official::download::{Progress, download},
    error::{DataError, Result},
};

const VARIABLE: &str = "GRADSPECTRA_DATA";

/// The folders in which data sets are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataRoot {
    /// This one and no other; nothing is downloaded.
    Given(PathBuf),
    /// The first of several that holds the whole split.
    Searched {
        /// The folders, in the order of search.
        folders: Vec<PathBuf>,
        /// The last folder to search, into which is downloaded what is nowhere.
        cache: Option<PathBuf>,
    },
}

impl DataRoot {
    /// The `data_dir` that the user names; without one, in this order:
    ///
    /// 1. the folder that the environment variable `GRADSPECTRA_DATA` names,
    /// 2. `datasets/` of the clone of this project that the current folder is in,
    /// 3. the cache `$XDG_CACHE_HOME/gradspectra` or `~/.cache/gradspectra`, with download.
    ///
    /// # Errors
    ///
    /// `GRADSPECTRA_DATA` names no folder.
    pub fn new(data_dir: Option<PathBuf>) -> Result<Self> {
        match data_dir {
            Some(folder) => Ok(Self::Given(folder)),
            None => Self::searched(|name| env::var_os(name).map(PathBuf::from), env::current_dir().ok()),
        }
    }

    fn searched(variable: impl Fn(&str) -> Option<PathBuf>, current: Option<PathBuf>) -> Result<Self> {
        let variable = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
        let named = variable(VARIABLE);
        if let Some(path) = named.as_ref().filter(|path| !path.is_dir()) {
            return Err(DataError::NoSuchDirectory { variable: VARIABLE, path: path.clone() });
        }
        let clone = current.and_then(|current| {
            let mut ancestors = current.ancestors().map(|folder| folder.join("datasets"));
            ancestors.find(|datasets| datasets.join("datasets.toml").is_file())
        });
        let caches = variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| home.join(".cache")));
        Ok(Self::Searched {
            folders: named.into_iter().chain(clone).collect(),
            cache: caches.map(|caches| caches.join("gradspectra")),
        })
    }

    /// The files of one of the split's file sets, where they are at hand.
    pub(crate) fn at_hand(&self, source: &Source, split: Split) -> Option<Vec<PathBuf>> {
        let (listing, file_sets) = (source.listing(), source.file_sets(split));
        match self {
            Self::Given(folder) => find(folder, listing, file_sets),
            Self::Searched { folders, cache } => {
                folders.iter().chain(cache).find_map(|folder| find(folder, listing, file_sets))
            }
        }
    }

    /// The files of one of the split's file sets, downloaded if need be.
    pub(crate) fn locate(&self, source: &Source, split: Split, progress: &mut Progress) -> Result<Vec<PathBuf>> {
        let (listing, file_sets) = (source.listing(), source.file_sets(split));
        let (folders, cache) = match self {
            Self::Given(folder) => {
                return find(folder, listing, file_sets).ok_or_else(|| DataError::MissingInGiven {
                    title: &listing.title,
                    path: missing(folder, listing, file_sets),
                });
            }
            Self::Searched { folders, cache } => (folders, cache),
        };
        let mut searched = folders.iter().chain(cache);
        if let Some(files) = searched.find_map(|folder| find(folder, listing, file_sets)) {
            return Ok(files);
        }
        let mirrored = file_sets.iter().find_map(|names| {
            let files = names.iter().map(|name| listing.downloadable(name));
            files.collect::<Option<Vec<_>>>()
        });
        let failure = match (cache, mirrored) {
            (Some(cache), Some(files)) => {
                let folder = cache.join(&listing.folders[0]);
                let paths = files.into_iter().map(|file| match folder.join(&file.name) {
                    path if path.is_file() => Ok(path),
                    _ => download(file, &folder, progress),
                });
                match paths.collect() {
                    Ok(paths) => return Ok(paths),
                    Err(error) => Some(Box::new(error)),
                }
            }
            _ => None,
        };
        let searched: Vec<_> = folders.iter().chain(cache).map(|folder| folder.display().to_string()).collect();
        Err(DataError::NotFound {
            title: &listing.title,
            searched: if searched.is_empty() { "nowhere".to_owned() } else { searched.join(", ") },
            mend: format!(
                "{}, or put {} into a folder and name that folder in {VARIABLE}",
                match failure {
                    Some(_) => "try the download again",
                    None => "run inside a clone of gradspectra",
                },
                file_sets[0].join(", "),
            ),
            source: failure,
        })
    }
}

fn find(root: &Path, listing: &Listing, file_sets: &[&[&str]]) -> Option<Vec<PathBuf>> {
    let in_folder = |folder: &String| {
        let paths = |names: &&[&str]| -> Vec<_> { names.iter().map(|name| root.join(folder).join(name)).collect() };
        file_sets.iter().map(paths).find(|paths| paths.iter().all(|path| path.is_file()))
    };
    listing.folders.iter().find_map(in_folder)
}

/// The path to name in an error: of the first file that is not there, in the folder that has most of the others.
fn missing(root: &Path, listing: &Listing, file_sets: &[&[&str]]) -> PathBuf {
    let folder = |folder: &String| root.join(folder);
    let first = folder(&listing.folders[0]);
    let names = file_sets[0];
    let mut partial =
        listing.folders.iter().map(folder).filter(|folder| names.iter().any(|name| folder.join(name).is_file()));
    let folder = partial.next().unwrap_or(first);
    let mut paths = names.iter().map(|name| folder.join(name));
    let absent = paths.find(|path| !path.is_file());
    absent.unwrap_or(folder)
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
