//! The minibatches of a row: drawn by seed, or read from a file.

use std::path::Path;

use gradspectra_data::Minibatches;
use gradspectra_experiment::{MINIBATCHES, Row, minibatch_sizes};
use gradspectra_files::{StoredArray, npy};

use crate::error::{Error, Result};
use crate::seeds::Purpose;

/// The indices `[T, B]` of a row's minibatches, row by row, and B.
pub(crate) fn of_row(row: &Row, seed: u64, examples: usize) -> Result<(Vec<u32>, usize)> {
    match &row.minibatches {
        Some(path) => {
            row.sized()?;
            read(path, examples)
        }
        None => {
            let seed = Purpose::Minibatches.seed(seed);
            let minibatches = Minibatches::seeded(examples, row.batch_size, row.iterations, row.sampling, seed)?;
            Ok((minibatches.materialise(), row.batch_size))
        }
    }
}

/// Refuses minibatches that cannot be drawn of the row's `examples`, and a file of them that names other examples or gives
/// not the iterations that the row's K takes.
pub(crate) fn check(row: &Row, examples: usize) -> Result<()> {
    let Some(path) = &row.minibatches else {
        Minibatches::seeded(examples, row.batch_size, row.iterations, row.sampling, 0)?;
        return Ok(());
    };
    row.sized()?;
    for_each_index(&mut npy::open(path, MINIBATCHES)?, examples, |_, _| ())
}

/// Reads the indices `[T]` or `[T, B]` of `examples` examples, row by row.
fn read(path: &Path, examples: usize) -> Result<(Vec<u32>, usize)> {
    let mut array = npy::open(path, MINIBATCHES)?;
    let (iterations, batch) = minibatch_sizes(&array)?;
    let mut indices = vec![0; array.count()];
    let row_major = array.row_major;
    for_each_index(&mut array, examples, |place, index| {
        let place = if row_major { place } else { place % iterations * batch + place / iterations };
        indices[place] = index;
    })?;
    Ok((indices, batch))
}

/// Hands every index to `visit` with its place in the file's order, of which no more than a few are held at once.
fn for_each_index(array: &mut StoredArray, examples: usize, mut visit: impl FnMut(usize, u32)) -> Result<()> {
    const AT_ONCE: usize = 1 << 16;
    for start in (0..array.count()).step_by(AT_ONCE) {
        let expected = || format!("0 to {}", examples.saturating_sub(1));
        let values: Vec<f64> =
            array.read(start, AT_ONCE.min(array.count() - start)).map_err(|error| error.expecting(expected()))?;
        for (place, value) in (start..).zip(values) {
            if !(0.0..examples as f64).contains(&value) {
                return Err(Error::malformed(&array.path, format!("index {value}"), expected()));
            }
            visit(place, value as u32);
        }
    }
    Ok(())
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
    fn every_integer_type_order_and_byte_order_is_read() {
        let header =
            |dtype: &str, order, shape| format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}");
        let (rows, columns) = ([3_u8, 99, 0, 7, 21, 5], [3_u8, 7, 99, 21, 0, 5]);
        let stored = |values: [u8; 6], width: usize, big: bool| -> Vec<u8> {
            let little = values.iter().map(|&value| [value, 0, 0, 0, 0, 0, 0, 0]);
            let mut numbers: Vec<Vec<u8>> = little.map(|bytes| bytes[..width].to_vec()).collect();
            if big {
                numbers.iter_mut().for_each(|number| number.reverse());
            }
            numbers.concat()
        };
        for (kind, width) in [("i1", 1), ("i2", 2), ("i4", 4), ("i8", 8), ("u1", 1), ("u2", 2), ("u4", 4), ("u8", 8)] {
            for (mark, big) in [("<", false), (">", true)] {
                let mark = if width == 1 { "|" } else { mark };
                let dtype = format!("{mark}{kind}");
                for (order, shape, values, batch) in
                    [("False", "(6,)", rows, 1), ("False", "(2, 3)", rows, 3), ("True", "(2, 3)", columns, 3)]
                {
                    let read = parse(&header(&dtype, order, shape), &stored(values, width, big)).expect(&dtype);
                    assert_eq!(read, (vec![3, 99, 0, 7, 21, 5], batch), "{dtype} {order}");
                }
            }
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
            (header("<f8", "(2,)"), indices([0, 1]), "numbers of type float64"),
            (header("|b1", "(2,)"), vec![0, 1], "numbers of type '|b1'"),
            (
                header("<i8", "(2,)"),
                indices([0, 1 << 60]),
                "the integer 1152921504606846976 at place 1, counted from 0; expected 0 to 99",
            ),
            (
                header("<i8", "(2,)"),
                [indices([0, 1]), indices([0, 1])].concat(),
                "32 bytes for an array of shape [2] of '<i8'; expected 16",
            ),
            ("{".to_owned(), vec![], ""),
        ] {
            let error = parse(&header, &data).expect_err(expected).to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }
}
