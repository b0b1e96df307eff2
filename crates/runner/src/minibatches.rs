//! The minibatches of a row: drawn by seed, or read from a file.

use std::path::Path;

use gradspectra_data::Minibatches;

use crate::error::{Error, Result};
use crate::experiment::Row;
use crate::npy;
use crate::seeds::Purpose;
use crate::stored::{Kind, StoredArray};

/// The indices `[T, B]` of a row's minibatches, row by row, and B.
pub(crate) fn of_row(row: &Row, seed: u64, examples: usize) -> Result<(Vec<u32>, usize)> {
    match &row.minibatches {
        Some(path) => {
            sized(row)?;
            read(path, examples)
        }
        None => {
            let seed = Purpose::Minibatches.seed(seed);
            let minibatches = Minibatches::seeded(examples, row.batch_size, row.iterations, row.sampling, seed)?;
            Ok((minibatches.materialise(), row.batch_size))
        }
    }
}

/// The row with the B and T of its file of minibatches, where it has one.
pub(crate) fn sized(row: &Row) -> Result<Row> {
    let mut row = row.clone();
    if let Some(path) = &row.minibatches {
        let malformed = |found: String| Error::malformed(path, found, EXPECTED);
        (row.iterations, row.batch_size) = shape(&npy::open(path, EXPECTED)?).map_err(malformed)?;
        if row.model.mixes_examples() && row.batch_size < 2 {
            return Err(malformed("minibatches of 1 example, whose batch-norm has no statistics".to_owned()));
        }
    }
    Ok(row)
}

const EXPECTED: &str = "an .npy of integers [T] or [T, B], T at least 2";

/// T and B of an array of indices.
fn shape(array: &StoredArray) -> std::result::Result<(usize, usize), String> {
    match (array.kind, &array.shape[..]) {
        (Kind::Integer { .. }, &[iterations]) if iterations >= 2 => Ok((iterations, 1)),
        (Kind::Integer { .. }, &[iterations, batch]) if iterations >= 2 && batch >= 1 => Ok((iterations, batch)),
        (Kind::Integer { .. }, shape) => Err(format!("an array of shape {shape:?}")),
        (kind, _) => Err(format!("numbers of type {kind:?}")),
    }
}

/// Reads the indices `[T]` or `[T, B]` of `examples` examples, row by row.
fn read(path: &Path, examples: usize) -> Result<(Vec<u32>, usize)> {
    let mut array = npy::open(path, EXPECTED)?;
    let (iterations, batch) = shape(&array).map_err(|found| Error::malformed(path, found, EXPECTED))?;
    let index = |value: f64| {
        let known = (0.0..examples as f64).contains(&value).then_some(value as u32);
        known.ok_or_else(|| Error::malformed(path, format!("index {value}"), format!("0 to {}", examples - 1)))
    };
    let stored: Vec<u32> = array.values()?.into_iter().map(index).collect::<Result<_>>()?;
    let by_row = |place: usize| stored[place % batch * iterations + place / batch];
    let indices = if array.row_major { stored } else { (0..stored.len()).map(by_row).collect() };
    Ok((indices, batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> tempfile::NamedTempFile {
        let padding = " ".repeat((64 - (10 + header.len() + 1) % 64) % 64);
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(((header.len() + padding.len() + 1) as u16).to_le_bytes());
        bytes.extend(header.bytes().chain(padding.bytes()).chain([b'\n']).chain(data.iter().copied()));
        let file = tempfile::NamedTempFile::new().expect("temporary folder");
        std::fs::write(file.path(), bytes).expect("temporary file");
        file
    }

    fn parse(header: &str, data: &[u8]) -> Result<(Vec<u32>, usize)> {
        read(file(header, data).path(), 100)
    }

    #[test]
    fn one_and_two_dimensions_of_both_integer_types_are_read() {
        let eight: Vec<u8> = [3_i64, 99, 0, 7].iter().flat_map(|index| index.to_le_bytes()).collect();
        let four: Vec<u8> = [3_i32, 99, 0, 7].iter().flat_map(|index| index.to_le_bytes()).collect();
        let header = |dtype, shape| format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
        for (header, data, batch) in [
            (header("<i8", "(4,)"), &eight, 1),
            (header("<i8", "(2, 2)"), &eight, 2),
            (header("<i4", "(2, 2)"), &four, 2),
        ] {
            assert_eq!(parse(&header, data).expect("valid"), (vec![3, 99, 0, 7], batch));
        }
    }

    #[test]
    fn what_is_no_list_of_minibatches_is_refused() {
        let header = |dtype, shape| format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
        let indices = |values: [i64; 2]| values.iter().flat_map(|index| index.to_le_bytes()).collect::<Vec<u8>>();
        for (header, data, expected) in [
            (header("<i8", "(2,)"), indices([0, 100]), "index 100; expected 0 to 99"),
            (header("<i8", "(2,)"), indices([-1, 0]), "index -1"),
            (header("<i8", "(2,)"), indices([0, 1])[..12].to_vec(), ""),
            (header("<i8", "(4000000000000,)"), indices([0, 1]), "of shape [4000000000000]"),
            (header("<i8", "(2, 1, 1)"), indices([0, 1]), "shape [2, 1, 1]"),
            (header("<f8", "(2,)"), indices([0, 1]), "numbers of type"),
            ("{".to_owned(), vec![], ""),
        ] {
            let error = parse(&header, &data).expect_err(expected).to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }
}
