use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why a file was refused or failed, in one line with the mend.
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
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the operating system about `path`.
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }

    /// An error of the operating system in writing `path`.
    pub fn write(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::NoRoom { path: path.to_owned(), source }
            }
            _ => Self::io(path, "write", source),
        }
    }

    /// The error with `expected` in place of what a reader that knows less of the file expected.
    pub fn expecting(self, expected: impl Into<String>) -> Self {
        match self {
            Self::Malformed { path, found, .. } => Self::Malformed { path, found, expected: expected.into() },
            other => other,
        }
    }

    /// A file whose content is not as expected.
    pub fn malformed(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), found: found.into(), expected: expected.into() }
    }
}
