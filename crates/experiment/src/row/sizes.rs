//! Sizes that a file of minibatches sets.

use gradspectra_files::{Kind, StoredArray, npy};

use super::Row;
use crate::error::{Error, Result};

/// What a file of minibatches holds.
pub const MINIBATCHES: &str = "an .npy of integers [T] or [T, B], T at least 2";

impl Row {
    /// The row with the B and T of its file of minibatches, where it has one.
    ///
    /// # Errors
    ///
    /// The file is none of minibatches, or has fewer iterations than the row's K takes.
    pub fn sized(&self) -> Result<Self> {
        let mut row = self.clone();
        if let Some(path) = &row.minibatches {
            (row.iterations, row.batch_size) = minibatch_sizes(&npy::open(path, MINIBATCHES)?)?;
            let beyond = |reason: String| {
                Error::malformed(path, reason, "as many iterations as top takes; lower top, or give more")
            };
            row.check_top().map_err(beyond)?;
        }
        Ok(row)
    }
}

/// T and B of an array of indices.
///
/// # Errors
///
/// It is none of minibatches.
pub fn minibatch_sizes(array: &StoredArray) -> Result<(usize, usize)> {
    let found = match (array.kind, &array.shape[..]) {
        (Kind::Integer { .. }, &[iterations]) if iterations >= 2 => return Ok((iterations, 1)),
        (Kind::Integer { .. }, &[iterations, batch]) if iterations >= 2 && batch >= 1 => {
            return Ok((iterations, batch));
        }
        (Kind::Integer { .. }, shape) => format!("an array of shape {shape:?}"),
        (kind, _) => format!("numbers of type {kind}"),
    };
    Err(Error::malformed(&array.path, found, MINIBATCHES))
}
