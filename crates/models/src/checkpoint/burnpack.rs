use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::CheckpointError;

/// Refuses a `.bpk` whose metadata is longer than the file: Burn's reader would set memory aside for it.
pub(super) fn check(path: &Path) -> Result<(), CheckpointError> {
    const METADATA_SIZE: Range<usize> = 6..10;
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    let io = |error: std::io::Error| unreadable(error.to_string());
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut header = Vec::new();
    file.take(METADATA_SIZE.end as u64).read_to_end(&mut header).map_err(io)?;
    let size = header.get(METADATA_SIZE).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    match u64::from(size) <= length {
        true => Ok(()),
        false => Err(unreadable(format!("metadata of {size} bytes in a file of {length}"))),
    }
}
