//! Reading a whole file, with its SHA-256.

use std::{fs::File, io::Read, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    official::catalogue::Listing,
    error::{DataError, Result},
};

/// No file, and nothing that a compressed file holds, may be longer: 1 GiB.
/// The longest known one, CIFAR-10's unpacked archive, has 184 MB.
pub(crate) const MAXIMUM_BYTES: u64 = 1 << 30;

/// Which file the examples were read from, for results to name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProvenance {
    /// The file's name, without its folder.
    pub name: String,
    /// SHA-256 of the file as it lies on disk, in hexadecimal.
    pub sha256: String,
    /// Whether `datasets/datasets.toml` lists this name with this SHA-256.
    pub listed: bool,
    /// What sets a listed file apart from the official one, such as CIFAR's "png-export order".
    pub variant: Option<String>,
}

impl FileProvenance {
    pub(crate) fn of(path: &Path, bytes: &[u8], listing: &Listing) -> Self {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let sha256 = hexadecimal(&Sha256::digest(bytes));
        let known = listing.known(&name, &sha256);
        Self { listed: known.is_some(), variant: known.and_then(|file| file.variant.clone()), name, sha256 }
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of the file at `path`.
///
/// # Errors
///
/// The file cannot be read, or has more than [`MAXIMUM_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let io = |source| DataError::Io { path: path.to_owned(), action: "read", source };
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAXIMUM_BYTES {
        return Err(malformed(path, format!("more than {MAXIMUM_BYTES} bytes"), format!("at most {MAXIMUM_BYTES}")));
    }
    Ok(bytes)
}

pub(crate) fn malformed(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> DataError {
    DataError::Malformed { path: path.to_owned(), found: found.into(), expected: expected.into() }
}
