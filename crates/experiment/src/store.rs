//! The output folder: results of rows, trained positions, tables.

mod holder;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use gradspectra_files as files;

use crate::error::{Error, Result};
use crate::result::{Finding, RowResult, Timings};

/// An output folder; while it is [`locked`](Store::lock), no other process writes to it, and while it is
/// [`shared`](Store::share), only processes that do other tasks.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// The outermost folder that was made for it.
    made: Option<PathBuf>,
    locks: Vec<(PathBuf, File)>,
}

/// The folder of trained positions.
pub const POSITIONS: &str = "positions";
/// The folder of terms of Gram matrices.
pub const TERMS: &str = "terms";
/// The endings of the plots of a row.
pub const PLOTS: [&str; 2] = ["svg", "png"];
/// The lock of a folder of results.
const LOCK: &str = ".lock";
/// The folder of the locks of tasks.
const TASK_LOCKS: &str = ".tasks";

/// The part of a key that names the files of a position or of terms.
pub fn short_key(key: &str) -> &str {
    &key[..16]
}

impl Store {
    /// The folder `root`, made if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn open(root: &Path) -> Result<Self> {
        let missing = root.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = missing.last().map(Path::to_owned);
        fs::create_dir_all(root).map_err(|source| Error::io(root, "make the folder", source))?;
        let mut store = Self::at(root);
        store.made = made;
        Ok(store)
    }

    /// The folder `root`, there or not, to be read.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), made: None, locks: Vec::new() }
    }

    /// Takes the folder for this process, until it ends, and clears what a killed one left unfinished.
    ///
    /// # Errors
    ///
    /// Another process has it, or it cannot be written to.
    pub fn lock(&mut self) -> Result<()> {
        self.hold(&self.root.join(LOCK), File::try_lock)?;
        clear_unfinished(&self.root, 2);
        let _ = fs::remove_dir_all(self.root.join(TASK_LOCKS));
        Ok(())
    }

    /// Takes the tasks `ids` for this process, until it ends, beside others that have taken other tasks.
    ///
    /// # Errors
    ///
    /// Another process has the folder or one of the tasks, or the folder cannot be written to.
    pub fn share(&mut self, ids: &[String]) -> Result<()> {
        let folder = self.root.join(TASK_LOCKS);
        self.hold(&self.root.join(LOCK), File::try_lock_shared)?;
        fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, "make the folder", source))?;
        let ids: BTreeSet<&String> = ids.iter().collect();
        ids.into_iter().try_for_each(|id| self.hold(&folder.join(id.replace('/', ",")), File::try_lock))
    }

    fn hold(&mut self, path: &Path, lock: fn(&File) -> std::result::Result<(), TryLockError>) -> Result<()> {
        let error = |source| Error::io(&self.root, "write to the folder", source);
        let mut file = loop {
            let open = || File::options().create(true).truncate(false).read(true).write(true).open(path);
            let file = open().map_err(error)?;
            match lock(&file) {
                Ok(()) if holder::is_at(&file, path) => break file,
                // Whoever had it removed it meanwhile.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder::of(path, &self.root.join(TASK_LOCKS));
                    return Err(Error::Held { path: self.root.clone(), holder });
                }
                Err(TryLockError::Error(source)) => return Err(error(source)),
            }
        };
        let written = file.set_len(0).and_then(|()| write!(file, "{}", holder::this_process()));
        written.map_err(|source| files::Error::write(path, source))?;
        self.locks.push((path.to_owned(), file));
        Ok(())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of an experiment.
    pub fn experiment(&self, experiment: &str) -> PathBuf {
        self.root.join(experiment)
    }

    /// The file of a trained position without its ending.
    pub fn position(&self, key: &str) -> PathBuf {
        self.root.join(POSITIONS).join(short_key(key))
    }

    /// The files of a training after `epochs` epochs: its parameters, and what its optimiser remembers.
    pub fn begun(&self, key: &str, epochs: usize) -> [PathBuf; 2] {
        ["safetensors", "bpk"].map(|ending| self.position(key).with_extension(format!("epoch-{epochs}.{ending}")))
    }

    /// Removes what is kept of a training but for `kept` epochs; what cannot be removed stays.
    pub fn forget_begun(&self, key: &str, kept: Option<usize>) {
        let stem = self.position(key);
        let (Some(folder), Some(name)) = (stem.parent(), stem.file_name()) else { return };
        let name = name.to_string_lossy();
        let begun = (format!("{name}.begun.json"), format!("{name}.epoch-"));
        let current = kept.map(|epochs| format!("{name}.epoch-{epochs}."));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let old = match &current {
                Some(current) => file.starts_with(&begun.1) && !file.starts_with(current),
                None => file == begun.0 || file.starts_with(&begun.1),
            };
            if old {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// A file of a row.
    pub fn row_file(&self, experiment: &str, row: &str, seed: u64, ending: &str) -> PathBuf {
        self.root.join(experiment).join(row).join(format!("seed-{seed}.{ending}"))
    }

    /// The file of the eigenvalues of a row.
    pub fn eigenvalues_file(&self, experiment: &str, row: &str, seed: u64) -> PathBuf {
        self.row_file(experiment, row, seed, "eigenvalues.npy")
    }

    /// Writes the result of a row; the eigenvalues first, so that a result that is there is complete, and without the
    /// plots of another one.
    pub fn write(&self, result: &RowResult, eigenvalues: Option<&[u8]>, timings: &Timings) -> Result<()> {
        let file = |ending| self.row_file(&result.experiment, &result.row.id, result.seed, ending);
        for plot in PLOTS.map(file) {
            match fs::remove_file(&plot) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&plot, "remove", error)),
                _ => {}
            }
        }
        if let Some(eigenvalues) = eigenvalues {
            files::write(&file("eigenvalues.npy"), eigenvalues)?;
        }
        files::write_json(&file("timings.json"), timings)?;
        Ok(files::write_json(&file("json"), result)?)
    }

    /// The result of a row, if it is there, whole, and of the task `task` (of any, where that is `None`).
    pub fn result(&self, experiment: &str, row: &str, seed: u64, task: Option<&str>) -> Option<RowResult> {
        let result: RowResult = files::read_json(&self.row_file(experiment, row, seed, "json"))?;
        if let Finding::Spectrum(finding) = &result.finding {
            let eigenvalues = files::sha256_of_file(&self.eigenvalues_file(experiment, row, seed)).ok()?;
            if eigenvalues != finding.eigenvalues_sha256 || finding.power_law.is_some() == finding.no_fit.is_some() {
                return None;
            }
        }
        task.is_none_or(|task| result.task == task).then_some(result)
    }

    /// How long a row took, if that is known.
    pub fn timings(&self, experiment: &str, row: &str, seed: u64) -> Option<Timings> {
        files::read_json(&self.row_file(experiment, row, seed, "timings.json"))
    }
}

impl Drop for Store {
    /// Removes its locks of tasks, and its folder where nothing was written into it.
    fn drop(&mut self) {
        let (folder, tasks) = (self.root.join(LOCK), self.root.join(TASK_LOCKS));
        for (path, _) in self.locks.iter().filter(|(path, _)| path.starts_with(&tasks)) {
            let _ = fs::remove_file(path);
        }
        let Some((path, file)) = self.locks.iter().find(|(path, _)| *path == folder) else { return };
        let _ = fs::remove_dir(&tasks);
        let is_bare = || names(&self.root, |_| true).is_ok_and(|names| names.len() == 1);
        if is_bare() && file.try_lock().is_ok() && is_bare() {
            let _ = fs::remove_file(path);
            let Some(made) = &self.made else { return };
            for folder in self.root.ancestors().take_while(|folder| folder.starts_with(made)) {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// Removes what a killed process left, down to `depth` folders below; what cannot be read or removed stays.
fn clear_unfinished(folder: &Path, depth: usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 {
                clear_unfinished(&entry.path(), depth - 1);
            }
        } else if entry.file_name().to_string_lossy().starts_with(files::TEMPORARY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The names of the folders in `folder`.
pub fn folders(folder: &Path) -> Result<BTreeSet<String>> {
    names(folder, |entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
}

/// The seeds of the results in the folder of a row.
pub fn seeds(folder: &Path) -> Result<Vec<u64>> {
    let seed = |name: &String| name.strip_prefix("seed-")?.strip_suffix(".json")?.parse().ok();
    Ok(names(folder, |_| true)?.iter().filter_map(seed).collect())
}

/// The names in `folder` that are wanted and are text.
pub fn names(folder: &Path, wanted: impl Fn(&fs::DirEntry) -> bool) -> Result<BTreeSet<String>> {
    let error = |source| Error::io(folder, "read the folder", source);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        if wanted(&entry)
            && let Ok(name) = entry.file_name().into_string()
        {
            names.insert(name);
        }
    }
    Ok(names)
}
