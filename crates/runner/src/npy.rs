//! NumPy's array files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use npyz::{NpyFile, WriterBuilder};

use crate::error::{Error, Result};

/// Opens an array, whose header may not claim to be longer than the file, nor more elements than the file has bytes, nor
/// nest brackets.
pub(crate) fn open(path: &Path, expected: &str) -> Result<NpyFile<BufReader<File>>> {
    let malformed = |found: String| Error::malformed(path, found, expected);
    let file = File::open(path).map_err(|source| Error::io(path, "read", source))?;
    let length = file.metadata().map_err(|source| Error::io(path, "read", source))?.len();
    let mut reader = BufReader::new(file);
    if let Some(fault) = costly_header(&mut reader, length).map_err(|source| Error::io(path, "read", source))? {
        return Err(malformed(fault));
    }
    let npy = NpyFile::new(reader).map_err(|error| malformed(reason(&error)))?;
    let elements = npy.shape().iter().try_fold(1_u64, |product, &side| product.checked_mul(side));
    match elements {
        Some(elements) if elements <= length => Ok(npy),
        _ => Err(malformed(format!("{length} bytes for an array of shape {:?}", npy.shape()))),
    }
}

/// What is wrong with a header that would cost its reader more than it is worth: one longer than the file, for which
/// memory is set aside, or one with nested brackets, each of which doubles the time. `reader` is left at its beginning.
fn costly_header(reader: &mut (impl Read + Seek), length: u64) -> std::io::Result<Option<String>> {
    const BRACKETS: usize = 4;
    let mut start = Vec::new();
    reader.take(12).read_to_end(&mut start)?;
    let (from, size) = match start[..] {
        [_, _, _, _, _, _, 0 | 1, _, a, b, ..] => (10, u16::from_le_bytes([a, b]).into()),
        [_, _, _, _, _, _, _, _, a, b, c, d] => (12, u32::from_le_bytes([a, b, c, d])),
        _ => (0, 0),
    };
    let mut header = Vec::new();
    reader.seek(SeekFrom::Start(from))?;
    reader.take(length.min(size.into())).read_to_end(&mut header)?;
    reader.rewind()?;
    let brackets = header.iter().filter(|byte| b"([{".contains(byte)).count();
    Ok(match (u64::from(size) > length, brackets > BRACKETS) {
        (true, _) => Some(format!("{length} bytes with a header of {size}")),
        (_, true) => Some(format!("a header with {brackets} brackets")),
        _ => None,
    })
}

/// What the reader says, without the picture of the place.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" -->").next().unwrap_or(&text).replace('\n', " ")
}

/// The values of the `.npy` at `path`, float32 or float64 in any shape, in the file's order.
///
/// # Errors
///
/// The file is not such an array.
pub fn values(path: &Path) -> Result<Vec<f64>> {
    let expected = "an .npy of float32 or float64";
    let malformed = |found: String| Error::malformed(path, found, expected);
    let npy = open(path, expected)?;
    let values: std::io::Result<Vec<f64>> = match npy.try_data::<f64>() {
        Ok(data) => data.collect(),
        Err(npy) => match npy.try_data::<f32>() {
            Ok(data) => data.map(|value| value.map(f64::from)).collect(),
            Err(npy) => return Err(malformed(format!("values of type {}", npy.dtype().descr()))),
        },
    };
    values.map_err(|error| malformed(error.to_string()))
}

/// The bytes of a one-dimensional array of float64.
pub(crate) fn bytes(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
    let mut writer = options.writer(&mut bytes).begin_nd().expect("a vector takes any number of bytes");
    writer.extend(values).expect("a vector takes any number of bytes");
    writer.finish().expect("as many values as the shape says were written");
    bytes
}
