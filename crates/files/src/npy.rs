//! NumPy's array files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::error::{Error, Result};
use crate::stored::{Kind, StoredArray};
use crate::{FileKind, counted};

/// Opens the array at `path`, whose header may not claim to be longer than the file nor nest brackets, and behind whose
/// header are the numbers that it tells of and nothing else.
pub fn open(path: &Path, expected: &str) -> Result<StoredArray> {
    let malformed = |found: String| Error::malformed(path, found, expected);
    let io = |source| Error::io(path, "read", source);
    match FileKind::of(path).map_err(io)? {
        FileKind::Npy => {}
        kind => return Err(malformed(kind.to_string())),
    }
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::new(file);
    if let Some(fault) = costly_header(&mut reader, length).map_err(io)? {
        return Err(malformed(fault));
    }
    let header = NpyHeader::from_reader(&mut reader).map_err(|error| malformed(reason(&error)))?;
    let start = reader.stream_position().map_err(io)?;
    let dtype = header.dtype();
    let Some((kind, big_endian)) = kind(&dtype) else {
        return Err(malformed(format!("numbers of type {}", dtype.descr())));
    };
    let shape = header.shape();
    let due = shape.iter().try_fold(kind.bytes() as u64, |bytes, &side| bytes.checked_mul(side));
    if due != Some(length - start) {
        let due = due.map_or_else(|| "more than a file can hold".to_owned(), |due| due.to_string());
        let found = format!(
            "{} for an array of shape {shape:?} of {}",
            counted((length - start) as usize, "bytes"),
            dtype.descr()
        );
        return Err(Error::malformed(
            path,
            found,
            format!("{due} behind its header, and one array a file; save it again"),
        ));
    }
    let shape = shape.iter().map(|&side| side as usize).collect();
    let row_major = header.order() == Order::C;
    Ok(StoredArray { path: path.to_owned(), file: reader.into_inner(), start, kind, big_endian, shape, row_major })
}

/// How numbers of this type are stored, and whether their first byte is the highest.
fn kind(dtype: &DType) -> Option<(Kind, bool)> {
    let DType::Plain(kind) = dtype else { return None };
    let big_endian = kind.endianness() == Endianness::Big;
    let kind = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 2) => Kind::Half,
        (TypeChar::Float, 4) => Kind::Single,
        (TypeChar::Float, 8) => Kind::Double,
        (TypeChar::Int, bytes @ (1 | 2 | 4 | 8)) => Kind::Integer { bytes: bytes as usize, signed: true },
        (TypeChar::Uint, bytes @ (1 | 2 | 4 | 8)) => Kind::Integer { bytes: bytes as usize, signed: false },
        _ => return None,
    };
    Some((kind, big_endian))
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
        (true, _) => Some(format!("{} with a header of {size}", counted(length as usize, "bytes"))),
        (_, true) => Some(format!("a header with {brackets} brackets")),
        _ => None,
    })
}

/// What the reader says, without the picture of the place.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" -->").next().unwrap_or(&text).replace('\n', " ")
}

/// The values of the `.npy` at `path`, integers or floating-point numbers in any shape, in the file's order.
///
/// # Errors
///
/// The file is not such an array, is shorter or longer than its header says, or holds an integer beyond 2^53.
pub fn values(path: &Path) -> Result<Vec<f64>> {
    open(path, "an .npy of integers or floating-point numbers")?.values()
}

/// The bytes of a one-dimensional array of float64.
pub fn bytes(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
    let mut writer = options.writer(&mut bytes).begin_nd().expect("a vector takes any number of bytes");
    writer.extend(values).expect("a vector takes any number of bytes");
    writer.finish().expect("as many values as the shape says were written");
    bytes
}
