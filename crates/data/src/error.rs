use std::{io, path::PathBuf};

/// What loading, checking or sampling data refuses, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what its format demands.
    #[error("{}: {found}, expected {expected}; replace it by a file that datasets/datasets.toml lists", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the file holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The folder that was asked for lacks a file.
    #[error("{} does not exist; put {title} there, or leave out the data directory to search and download", path.display())]
    MissingInGiven {
        /// The data set.
        title: &'static str,
        /// The missing file.
        path: PathBuf,
    },
    /// An environment variable names a folder that does not exist.
    #[error("{variable} is {}, which is not a folder; create it or unset {variable}", path.display())]
    NoSuchDirectory {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// A data set is nowhere and cannot be downloaded.
    #[error("{title} is missing (searched: {searched}); {mend}")]
    NotFound {
        /// The data set.
        title: &'static str,
        /// The folders that were searched.
        searched: String,
        /// What to do about it.
        mend: String,
        /// Why it was not downloaded, if that was tried.
        source: Option<Box<DataError>>,
    },
    /// A mirror did not deliver.
    #[error("cannot download {url}")]
    Download {
        /// The address.
        url: String,
        /// The client's reason.
        source: Box<ureq::Error>,
    },
    /// A mirror delivered another file than the listed one.
    #[error("{url} sent {found}, expected {expected}")]
    WrongDownload {
        /// The address.
        url: String,
        /// The size or SHA-256 that arrived.
        found: String,
        /// The size or SHA-256 that is listed.
        expected: String,
    },
    /// What a data set of a program of one's own refuses.
    #[error("{0}")]
    Own(Box<dyn std::error::Error + Send + Sync>),
    /// Arrays or settings that do not fit together.
    #[error("{name} is {found}, expected {expected}")]
    Invalid {
        /// The setting or array.
        name: &'static str,
        /// Its value.
        found: String,
        /// The values it may have.
        expected: String,
    },
}

/// The result of this crate's functions.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

pub(crate) fn invalid(name: &'static str, found: impl ToString, expected: impl Into<String>) -> DataError {
    DataError::Invalid { name, found: found.to_string(), expected: expected.into() }
}
