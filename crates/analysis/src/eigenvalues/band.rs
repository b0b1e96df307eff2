//! Symmetric band matrices.

use super::tridiagonal::SymmetricTridiagonal;

/// The number of diagonals below the main one: the rows of a block in the bulge chase, eight 512-bit vectors.
pub(super) const BANDWIDTH: usize = 64;

/// Scratch entries before the diagonal in a stored column: a vector that starts above the diagonal falls on them, not
/// on the column before. One more than the widest vector, so that the columns of a block lie whole vectors apart.
pub(super) const MARGIN: usize = 9;

/// The distance between stored columns.
pub(super) const STRIDE: usize = 2 * BANDWIDTH + MARGIN;

/// A symmetric matrix that is zero farther than [`BANDWIDTH`] from its diagonal, with room for the bulges of its
/// reduction: as many diagonals again below the band, and as many zero columns past the last.
#[derive(Clone, Debug)]
pub(super) struct SymmetricBand {
    order: usize,
    entries: Vec<f64>,
}

impl SymmetricBand {
    /// The zero matrix.
    pub(super) fn zeros(order: usize) -> Self {
        Self { order, entries: vec![0.0; (order + BANDWIDTH) * STRIDE] }
    }

    /// The number of rows, and of columns.
    pub(super) fn order(&self) -> usize {
        self.order
    }

    /// Sets the entry at (row, column), where column ≤ row ≤ column + [`BANDWIDTH`].
    pub(super) fn set(&mut self, row: usize, column: usize, value: f64) {
        self.entries[column * STRIDE + MARGIN + row - column] = value;
    }

    /// The stored columns, [`STRIDE`] entries each, the diagonal entry at [`MARGIN`].
    pub(super) fn columns_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// The diagonal and the entries next to it.
    pub(super) fn tridiagonal(&self) -> SymmetricTridiagonal {
        let columns = || self.entries.chunks_exact(STRIDE).take(self.order);
        let mut off_diagonal: Vec<f64> = columns().map(|column| column[MARGIN + 1]).collect();
        off_diagonal.pop();
        SymmetricTridiagonal { diagonal: columns().map(|column| column[MARGIN]).collect(), off_diagonal }
    }
}
