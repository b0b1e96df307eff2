use faer::{MatMut, MatRef};
use rayon::prelude::*;

use crate::{CaptureError, Result};

/// A square matrix, column by column.
///
/// All threads map the pages of a new one: at T = 5000 one thread would take longer for that than for a layer's products.
#[derive(Debug, PartialEq)]
pub struct SquareMatrix<T> {
    order: usize,
    entries: Vec<T>,
}

impl<T: Copy + Default + Send + Sync> SquareMatrix<T> {
    /// The zero matrix.
    ///
    /// # Errors
    ///
    /// The system refuses the memory.
    pub fn zeros(order: usize) -> Result<Self> {
        let mut entries = reserved(order)?;
        entries.par_extend(rayon::iter::repeat_n(T::default(), order * order));
        Ok(Self { order, entries })
    }

    /// A copy.
    ///
    /// # Errors
    ///
    /// The system refuses the memory.
    pub fn copied(&self) -> Result<Self> {
        let mut entries = reserved(self.order)?;
        entries.par_extend(self.entries.par_iter().copied());
        Ok(Self { order: self.order, entries })
    }

    /// The number of rows, and of columns.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Entry (i, j).
    ///
    /// # Panics
    ///
    /// If there is no such entry.
    pub fn entry(&self, i: usize, j: usize) -> T {
        self.column(j)[i]
    }

    /// As faer takes it.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef::from_column_major_slice(&self.entries, self.order, self.order)
    }

    /// As faer changes it.
    pub fn as_mut(&mut self) -> MatMut<'_, T> {
        MatMut::from_column_major_slice_mut(&mut self.entries, self.order, self.order)
    }

    /// Column `j`.
    pub(crate) fn column(&self, j: usize) -> &[T] {
        &self.entries[j * self.order..][..self.order]
    }

    /// Column `j`.
    pub(crate) fn column_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.entries[j * self.order..][..self.order]
    }

    /// Replaces every entry (i, j), i ≥ j, by `update(i, j, entry)`.
    pub(crate) fn update_lower(&mut self, update: impl Fn(usize, usize, T) -> T + Sync) {
        self.entries.par_chunks_mut(self.order.max(1)).enumerate().for_each(|(j, column)| {
            for (i, value) in column.iter_mut().enumerate().skip(j) {
                *value = update(i, j, *value);
            }
        });
    }
}

/// Room for a square matrix.
fn reserved<T>(order: usize) -> Result<Vec<T>> {
    let refused = || CaptureError::OutOfMemory {
        what: format!("a matrix of {order} × {order}"),
        bytes: order as u128 * order as u128 * size_of::<T>() as u128,
    };
    let count = order.checked_mul(order).ok_or_else(refused)?;
    let mut entries = Vec::new();
    entries.try_reserve_exact(count).map_err(|_| refused())?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_to_be_had_is_an_error() {
        for order in [1 << 22, 1 << 40] {
            let error = SquareMatrix::<f64>::zeros(order).expect_err("no machine has it");
            assert!(matches!(error, CaptureError::OutOfMemory { .. }), "{error}");
        }
    }
}
