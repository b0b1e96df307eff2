//! Tiled storage of the lower triangle of a symmetric matrix.

use std::ops::Range;

use faer::prelude::ReborrowMut;
use faer::{Mat, MatMut, MatRef, Scale};
use rayon::prelude::*;

/// The lower triangle of a symmetric matrix as contiguous square tiles, so that a tile fits a core's cache and threads
/// own disjoint tiles. Tiles on the diagonal are full.
pub(super) struct LowerTiles {
    order: usize,
    size: usize,
    tiles: Vec<Tile>,
}

/// A tile, or the part of one that is asked for.
pub(super) struct Block<'a> {
    /// Its rows in the matrix.
    pub(super) rows: Range<usize>,
    /// Its columns in the matrix.
    pub(super) columns: Range<usize>,
    /// Its entries.
    pub(super) entries: MatMut<'a, f64>,
}

struct Tile {
    rows: Range<usize>,
    columns: Range<usize>,
    entries: Mat<f64>,
}

impl LowerTiles {
    /// The lower triangle of `matrix`, times `factor`, in tiles of `size` × `size`.
    pub(super) fn new(matrix: MatRef<'_, f64>, factor: f64, size: usize) -> Self {
        let order = matrix.nrows();
        let count = order.div_ceil(size);
        let range = |tile: usize| tile * size..order.min((tile + 1) * size);
        let places: Vec<_> = (0..count).flat_map(|row| (0..=row).map(move |column| (row, column))).collect();
        let tiles = places
            .into_par_iter()
            .map(|(row, column)| {
                let (rows, columns) = (range(row), range(column));
                let source = matrix.submatrix(rows.start, columns.start, rows.len(), columns.len());
                let entries = if row == column {
                    Mat::from_fn(rows.len(), rows.len(), |i, j| factor * source[(i.max(j), i.min(j))])
                } else {
                    Scale(factor) * source
                };
                Tile { rows, columns, entries }
            })
            .collect();
        Self { order, size, tiles }
    }

    /// The number of rows, and of columns, of the matrix.
    pub(super) fn order(&self) -> usize {
        self.order
    }

    /// Copies the matrix's `columns`, which lie in one column of tiles, from row `start` ≥ `columns.start` on.
    pub(super) fn copy_columns(&self, columns: Range<usize>, start: usize, mut target: MatMut<'_, f64>) {
        let column = columns.start / self.size;
        for row in start / self.size..self.order.div_ceil(self.size) {
            let tile = &self.tiles[row * (row + 1) / 2 + column];
            let rows = start.max(tile.rows.start)..tile.rows.end.min(start + target.nrows());
            if rows.is_empty() {
                return;
            }
            let (top, left) = (rows.start - tile.rows.start, columns.start - tile.columns.start);
            let source = tile.entries.submatrix(top, left, rows.len(), columns.len());
            target.rb_mut().subrows_mut(rows.start - start, rows.len()).copy_from(source);
        }
    }

    /// The parts of the tiles at or past `start` in rows and columns, in the order of storage.
    pub(super) fn blocks_from(&mut self, start: usize) -> Vec<Block<'_>> {
        self.tiles
            .iter_mut()
            .filter(|tile| tile.rows.end > start && tile.columns.end > start)
            .map(|tile| {
                let (top, left) = (start.max(tile.rows.start), start.max(tile.columns.start));
                let (rows, columns) = (top..tile.rows.end, left..tile.columns.end);
                let entries = tile.entries.as_mut().submatrix_mut(
                    top - tile.rows.start,
                    left - tile.columns.start,
                    rows.len(),
                    columns.len(),
                );
                Block { rows, columns, entries }
            })
            .collect()
    }
}
