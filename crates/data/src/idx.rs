//! IDX, the format of MNIST's files: <http://yann.lecun.com/exdb/mnist/>.

use std::{io::Read, path::Path};

use flate2::read::MultiGzDecoder;

use crate::{
    error::Result,
    official::file::{self, MAXIMUM_BYTES, malformed},
};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Deflate shrinks no more than this (<https://zlib.net/zlib_tech.html>).
const DEFLATE_MAXIMUM_RATIO: u64 = 1032;
const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// The images of an IDX file.
#[derive(Debug, PartialEq)]
pub(crate) struct IdxImages {
    pub count: usize,
    pub rows: usize,
    pub columns: usize,
    /// `[count, rows, columns]`
    pub pixels: Vec<u8>,
}

/// Parses an IDX file of images, gzipped or plain.
pub(crate) fn images(path: &Path, file: &[u8]) -> Result<IdxImages> {
    let ([count, rows, columns], pixels) = parse(path, file, IMAGES, "images")?;
    Ok(IdxImages { count, rows, columns, pixels })
}

/// Parses an IDX file of labels below `classes`, gzipped or plain.
pub(crate) fn labels(path: &Path, file: &[u8], classes: u8) -> Result<Vec<u8>> {
    let ([_], labels) = parse(path, file, LABELS, "labels")?;
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(labels),
        Some(index) => {
            Err(malformed(path, format!("label {} of example {index}", labels[index]), format!("0 to {}", classes - 1)))
        }
    }
}

/// Reads an IDX file of bytes, gzipped or plain, whatever its number of sides: their lengths, and the bytes, the last index
/// varying fastest.
///
/// # Errors
///
/// The file cannot be read, or is no IDX file of bytes with one to four sides.
pub fn read_idx(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    let file = file::read(path)?;
    let mut start = Vec::new();
    let read = match file.starts_with(&GZIP) {
        true => MultiGzDecoder::new(&*file).take(4).read_to_end(&mut start),
        false => (&*file).take(4).read_to_end(&mut start),
    };
    read.map_err(|error| malformed(path, format!("damaged data ({error})"), "a sound gzip file"))?;
    match start[..] {
        [0, 0, 8, 1] => parse::<1>(path, &file, 0x0801, "bytes").map(|(sides, data)| (sides.to_vec(), data)),
        [0, 0, 8, 2] => parse::<2>(path, &file, 0x0802, "bytes").map(|(sides, data)| (sides.to_vec(), data)),
        [0, 0, 8, 3] => parse::<3>(path, &file, 0x0803, "bytes").map(|(sides, data)| (sides.to_vec(), data)),
        [0, 0, 8, 4] => parse::<4>(path, &file, 0x0804, "bytes").map(|(sides, data)| (sides.to_vec(), data)),
        _ => Err(malformed(path, format!("a file that begins with the bytes {start:?}"), "an .npy, or IDX of bytes")),
    }
}

fn parse<const D: usize>(path: &Path, file: &[u8], magic: u32, what: &str) -> Result<([usize; D], Vec<u8>)> {
    let gzipped = file.starts_with(&GZIP);
    let mut reader: Box<dyn Read> = match gzipped {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut word = |name: &str| {
        let mut bytes = [0; 4];
        match reader.read_exact(&mut bytes) {
            Ok(()) => Ok(u32::from_be_bytes(bytes)),
            Err(error) => {
                Err(malformed(path, format!("no {name} ({error})"), format!("a header of {} bytes", 4 + 4 * D)))
            }
        }
    };
    let found = word("magic number")?;
    if found != magic {
        return Err(malformed(path, format!("magic number {found:#06x}"), format!("{magic:#06x} (IDX {what})")));
    }
    let mut sizes = [0; D];
    for size in &mut sizes {
        *size = word("sizes")? as usize;
    }
    let claimed = sizes.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64)).unwrap_or(u64::MAX);
    let possible = match gzipped {
        true => (file.len() as u64 * DEFLATE_MAXIMUM_RATIO).min(MAXIMUM_BYTES),
        false => file.len() as u64,
    };
    if claimed == 0 || claimed > possible {
        return Err(malformed(
            path,
            format!("a header that claims {what} of {sizes:?}"),
            format!("at least one and at most {possible} bytes, as the file has {}", file.len()),
        ));
    }
    let damaged = |error| malformed(path, format!("damaged data ({error})"), "a sound gzip file");
    let mut data = Vec::new();
    reader.by_ref().take(claimed).read_to_end(&mut data).map_err(damaged)?;
    let behind = std::io::copy(&mut reader.take(MAXIMUM_BYTES), &mut std::io::sink()).map_err(damaged)?;
    match data.len() as u64 + behind {
        found if found == claimed => Ok((sizes, data)),
        found => Err(malformed(
            path,
            format!("{} of data", bytes(found)),
            format!("{} for {what} of {sizes:?}", bytes(claimed)),
        )),
    }
}

/// `1 byte`, `2 bytes`.
fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

#[cfg(test)]
mod tests;
