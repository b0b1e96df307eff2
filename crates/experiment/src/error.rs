use std::path::{Path, PathBuf};

/// Why something was refused or failed, in one line with the mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written, or is not of its format.
    #[error(transparent)]
    Files(#[from] gradspectra_files::Error),
    /// A TOML file, of an experiment or of a cluster, is not one.
    #[error("{}: {reason}", path.display())]
    Experiment {
        /// The file.
        path: PathBuf,
        /// The row or line, the value, what was expected.
        reason: String,
    },
    /// No experiment has this name.
    #[error("there is no {name}; expected one of {known}")]
    NoSuchExperiment {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// No row has this id.
    #[error("{experiment} has no row {row}; its rows are {known}")]
    NoSuchRow {
        /// The id that was asked for.
        row: String,
        /// The experiment.
        experiment: String,
        /// Its rows.
        known: String,
    },
    /// A row's values do not fit each other.
    #[error("{reason}")]
    Unfit {
        /// The value, what is expected and the mend.
        reason: String,
    },
    /// A folder has no result.
    #[error("{} has no result; run gradspectra reproduce first, or name a folder with --out", path.display())]
    NoResult {
        /// The folder.
        path: PathBuf,
    },
    /// Another process runs in the output folder.
    #[error("{}: {holder}, or name another folder with --out", path.display())]
    Held {
        /// The folder.
        path: PathBuf,
        /// Which process, since when, and how it ends.
        holder: String,
    },
    /// Finished results are of other settings than the run's, which would replace them.
    #[error(
        "{}: finished results are of another run: {results}; --replace computes them anew in their place, another --out \
         keeps both",
        path.display()
    )]
    Finished {
        /// The folder.
        path: PathBuf,
        /// Their names, each with what differs.
        results: String,
    },
    /// A report is not that of the results beside it.
    #[error("{}: is not the report of the results there; write it with gradspectra report", path.display())]
    Stale {
        /// The report.
        path: PathBuf,
    },
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the operating system about `path`.
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        gradspectra_files::Error::io(path, action, source).into()
    }

    /// A file whose content is not as expected.
    pub fn malformed(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        gradspectra_files::Error::malformed(path, found, expected).into()
    }
}
