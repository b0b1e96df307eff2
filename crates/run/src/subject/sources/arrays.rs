//! Reading arrays of numbers in `.npy` and IDX files.

use std::path::Path;

use gradspectra_data::{DataError, read_idx};
use gradspectra_files::{FileKind, StoredArray};

use crate::error::{Error, Result};

/// The shape and the numbers of an array, the last index varying fastest.
pub(in crate::subject) type Array = (Vec<usize>, Vec<f64>);

/// Whether the file at `path` is IDX, as what is no array of NumPy's or SafeTensors' is taken for.
pub(in crate::subject) fn is_idx(path: &Path) -> Result<bool> {
    let kind = FileKind::of(path).map_err(|source| Error::io(path, "read", source))?;
    Ok(!matches!(kind, FileKind::Npy | FileKind::Safetensors))
}

/// The shape of the array at `path`.
pub(in crate::subject) fn shape(path: &Path, expected: &str) -> Result<Vec<usize>> {
    if is_idx(path)? { Ok(idx(path)?.0) } else { Ok(StoredArray::open(path, None, expected)?.shape) }
}

/// The array at `path`.
pub(in crate::subject) fn array(path: &Path, expected: &str) -> Result<Array> {
    if is_idx(path)? {
        let (shape, values) = idx(path)?;
        return Ok((shape, values.into_iter().map(f64::from).collect()));
    }
    let mut stored = StoredArray::open(path, None, expected)?;
    let (shape, values) = (stored.shape.clone(), stored.values()?);
    Ok(if stored.row_major { (shape, values) } else { (shape.clone(), by_rows(&values, &shape)) })
}

fn idx(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    read_idx(path).map_err(|error| match error {
        DataError::Malformed { path, found, expected } => Error::malformed(&path, found, expected),
        error => error.into(),
    })
}

/// The numbers of an array whose first index varies fastest, the last index varying fastest.
pub(super) fn by_rows<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let place = |mut row_major: usize| {
        let (mut place, mut stride) = (0, values.len());
        for &side in shape.iter().rev() {
            stride /= side;
            place += row_major % side * stride;
            row_major /= side;
        }
        place
    };
    (0..values.len()).map(|row_major| values[place(row_major)]).collect()
}

/// The numbers of the file at `path` as float32, `size` of them an example.
///
/// # Errors
///
/// One is not finite, or beyond what float32 holds, for which `mend` is what to do.
pub(in crate::subject) fn float32(path: &Path, values: Vec<f64>, size: usize, mend: &str) -> Result<Vec<f32>> {
    let is_held = |value: f64| (value as f32).is_finite() && (value == 0.0 || value as f32 != 0.0);
    let Some(place) = values.iter().position(|&value| !is_held(value)) else {
        return Ok(values.into_iter().map(|value| value as f32).collect());
    };
    let (value, example) = (values[place], place / size);
    if !value.is_finite() {
        return Err(Error::malformed(path, format!("{value} in example {example}"), "finite numbers"));
    }
    let expected = format!("0 or magnitudes from 1e-45 to 3.4e38, which float32 holds; {mend}");
    Err(Error::malformed(path, format!("{value:e} in example {example}"), expected))
}
