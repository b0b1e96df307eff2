//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

static WRITING: Mutex<()> = Mutex::new(());

/// Keeps files from being written while the guard lives.
pub fn hold_writes() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a file beside its place, syncs it and gives it its name; makes the folder if need be.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    place(path, |file| file.write_all(bytes))
}

/// As [`write()`], what `fill` writes into a temporary file.
pub fn place(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let _guard = hold_writes();
    let folder = path.parent().unwrap_or(Path::new("."));
    let error = |source| Error::write(path, source);
    fs::create_dir_all(folder).map_err(|source| Error::io(folder, "make the folder", source))?;
    let mut file = unfinished(folder).map_err(error)?;
    fill(file.as_file_mut()).map_err(error)?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(path).map_err(|failed| error(failed.error))?;
    sync_folder(folder).map_err(error)
}

/// How the names of unfinished files begin.
pub const TEMPORARY: &str = ".gradspectra-unfinished-";

/// A temporary file with the permissions that the umask gives.
fn unfinished(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(TEMPORARY).tempfile_in(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes `value` as indented JSON, from which it can be read back.
///
/// # Errors
///
/// It cannot be read back (JSON has no NaN and no infinity), or the file cannot be written.
pub fn write_json<T: Serialize + DeserializeOwned>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| Error::write(path, error.into()))?;
    if serde_json::from_slice::<T>(&bytes).is_err() {
        let found = "a value that JSON does not hold, such as NaN";
        return Err(Error::malformed(path, found, "finite numbers; please report this"));
    }
    bytes.push(b'\n');
    write(path, &bytes)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of the file at `path`.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    const PIECE: usize = 1 << 20;
    let io = |source| Error::io(path, "read", source);
    let (mut file, mut hash) = (File::open(path).map_err(io)?, Sha256::new());
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hexadecimal(&hash.finalize())),
            Ok(count) => hash.update(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

/// The value in a JSON file, if the file is there and whole.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
