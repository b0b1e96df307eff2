use std::path::{Path, PathBuf};

use gradspectra_analysis::AnalysisError;
use gradspectra_capture::CaptureError;
use gradspectra_data::DataError;
use gradspectra_models::{CheckpointError, ExamplesError, TrainingError, UndrawnParameter};

/// Why something was refused or failed, in one line with the mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An experiment or its results are not as they should be.
    #[error(transparent)]
    Experiment(#[from] gradspectra_experiment::Error),
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

impl From<gradspectra_files::Error> for Error {
    fn from(error: gradspectra_files::Error) -> Self {
        gradspectra_experiment::Error::from(error).into()
    }
}

impl Error {
    /// An error of the operating system about `path`.
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        gradspectra_files::Error::io(path, action, source).into()
    }

    /// A file whose content is not as expected.
    pub fn malformed(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        gradspectra_files::Error::malformed(path, found, expected).into()
    }

    /// Whether every other row would fail alike.
    pub(crate) fn ends_the_run(&self) -> bool {
        use gradspectra_files::Error::NoRoom;
        match self {
            Self::Row { source, .. } => source.ends_the_run(),
            error => matches!(error, Self::Experiment(gradspectra_experiment::Error::Files(NoRoom { .. }))),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
