use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use burn::store::burn_pack::{HEADER_SIZE, MAX_CBOR_RECURSION_DEPTH, aligned_data_section_start};
use serde::Deserialize;

use super::CheckpointError;

/// What the metadata of a `.bpk` say of its length.
#[derive(Deserialize)]
struct Metadata {
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor's bytes are, counted from the first byte of all tensors.
#[derive(Deserialize)]
struct Place {
    data_offsets: (u64, u64),
}

/// Refuses a `.bpk` whose metadata are longer than the file, for which Burn's reader would set memory aside, and one that
/// is not as long as its tensors make it.
pub(super) fn check(path: &Path) -> Result<(), CheckpointError> {
    const METADATA_SIZE: Range<usize> = 6..HEADER_SIZE;
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    let io = |error: std::io::Error| unreadable(error.to_string());
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut header = Vec::new();
    file.by_ref().take(HEADER_SIZE as u64).read_to_end(&mut header).map_err(io)?;
    let size = header.get(METADATA_SIZE).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    if u64::from(size) > length {
        return Err(unreadable(format!("metadata of {size} bytes in a file of {length}")));
    }
    let mut metadata = Vec::new();
    file.take(size.into()).read_to_end(&mut metadata).map_err(io)?;
    let metadata = ciborium::de::from_reader_with_recursion_limit(&metadata[..], MAX_CBOR_RECURSION_DEPTH);
    // What is wrong with metadata that cannot be read, Burn's reader says.
    let Ok(Metadata { tensors }) = metadata else { return Ok(()) };
    let end = tensors.values().map(|place| place.data_offsets.1).max().unwrap_or(0);
    let due = end.saturating_add(aligned_data_section_start(size as usize) as u64);
    match length == due {
        true => Ok(()),
        false => Err(unreadable(format!(
            "{length} bytes, where its tensors end at {due}: it is cut short or has others behind"
        ))),
    }
}
