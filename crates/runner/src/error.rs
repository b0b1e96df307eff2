use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gradspectra_analysis::AnalysisError;
use gradspectra_capture::CaptureError;
use gradspectra_data::DataError;
use gradspectra_models::{CheckpointError, ExamplesError, TrainingError, UndrawnParameter};

/// Why something was refused or failed, in one line with the mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file or folder.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file cannot grow: the disk, the quota or the limit of the process is reached.
    #[error("{}: cannot write: {source}; make room, and the same command goes on after what is finished", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
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
    /// A file is not of its format, or does not fit the run.
    #[error("{}: {found}; expected {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it should hold, and the mend.
        expected: String,
    },
    /// A setting does not fit this machine, build or data.
    #[error("{name} is {found}; {mend}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What to do.
        mend: String,
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
    /// No task of a run has this id.
    #[error("the run has no task {id}; `gradspectra tasks` with the same options lists them")]
    NoSuchTask {
        /// The id.
        id: String,
    },
    /// The training of a row or of a part is not done.
    #[error("{id} needs {training}, which is not done; do it first, or name both with --task")]
    TrainingMissing {
        /// The id of the row's or part's task.
        id: String,
        /// The id of the training.
        training: String,
    },
    /// Two folders have other bytes for the same thing.
    #[error(
        "{} and {} differ; they are of other versions, settings or machines: merge one of them",
        first.display(),
        second.display()
    )]
    Conflict {
        /// A file of one folder.
        first: PathBuf,
        /// The file of the same name in another.
        second: PathBuf,
    },
    /// Rows of a run are not done.
    #[error("{} of {all} rows are missing: {}", missing.len(), missing.join(", "))]
    Incomplete {
        /// The ids of their tasks.
        missing: Vec<String>,
        /// How many rows the run has.
        all: usize,
    },
    /// Slurm refused, or is not there.
    #[error("{command}: {reason}")]
    Slurm {
        /// Its command.
        command: &'static str,
        /// What it said, and the mend.
        reason: String,
    },
    /// The values of a file have no fit.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A row cannot be computed.
    #[error("{experiment}, row {row}, seed {seed}: {source}")]
    Row {
        /// The experiment.
        experiment: String,
        /// The row's id.
        row: String,
        /// The seed.
        seed: u64,
        /// Why.
        source: Box<Error>,
    },
    /// Data could not be found, read or prepared.
    #[error("{}", chain(.0))]
    Data(#[from] DataError),
    /// Examples do not fit the network.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
    /// A parameter cannot be drawn from the seed.
    #[error(transparent)]
    Undrawn(#[from] UndrawnParameter),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A training did not end.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// Gradients could not be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Values have no spectrum, fit or test.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the operating system about `path`.
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }

    /// An error of the operating system in writing `path`.
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::NoRoom { path: path.to_owned(), source }
            }
            _ => Self::io(path, "write", source),
        }
    }

    /// Whether every other row would fail alike.
    pub(crate) fn ends_the_run(&self) -> bool {
        match self {
            Self::Row { source, .. } => source.ends_the_run(),
            error => matches!(error, Self::NoRoom { .. }),
        }
    }

    /// A file whose content is not as expected.
    pub(crate) fn malformed(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), found: found.into(), expected: expected.into() }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
