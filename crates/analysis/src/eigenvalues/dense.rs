//! Reduction of a dense symmetric matrix to band form.

use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::band::{BANDWIDTH, SymmetricBand};
use super::panel::PanelFactor;
use super::tiles::{Block, LowerTiles};

/// Into how many tasks a pass over the matrix is cut. It fixes the order of the sums, hence the bits of the result,
/// whatever the number of threads.
const TASKS: usize = 16;

/// Rows that a task of the tall and narrow products takes.
const CHUNK_ROWS: usize = 256;

/// Reduces the matrix to a band with the same eigenvalues by orthogonal similarities.
///
/// Each panel of [`BANDWIDTH`] columns is QR-factored below the band, P = (I − V T Vᵀ) R, and the rest of the matrix
/// gets A − V Wᵀ − W Vᵀ, W = X − ½ V Tᵀ Vᵀ X, X = A V T (Bischof, Lang and Sun 2000, "A framework for symmetric band
/// reduction"). The update waits until the next V is known, so that one pass over A serves both.
pub(super) fn reduce_to_band(mut matrix: LowerTiles) -> SymmetricBand {
    let order = matrix.order();
    let mut band = SymmetricBand::zeros(order);
    let mut products = Products::new(order);
    let mut pending = RankUpdate::new(order);
    let mut next = RankUpdate::new(order);
    for start in (0..order).step_by(BANDWIDTH) {
        let end = order.min(start + BANDWIDTH);
        let width = end - start;
        let mut block = Mat::zeros(width, width);
        matrix.copy_columns(start..end, start, block.as_mut());
        pending.apply(start, start, block.as_mut());
        for column in 0..width {
            for row in column..width {
                band.set(start + row, start + column, block[(row, column)]);
            }
        }
        if end == order {
            break;
        }
        next.start = end;
        next.basis_mut().par_row_chunks_mut(CHUNK_ROWS).enumerate().for_each(|(chunk, mut rows)| {
            let row = end + chunk * CHUNK_ROWS;
            matrix.copy_columns(start..end, row, rows.rb_mut());
            pending.apply(row, start, rows);
        });
        let PanelFactor { coefficients, triangle } = PanelFactor::new(next.basis_mut());
        for column in 0..width {
            for row in 0..=column.min(order - end - 1) {
                band.set(end + row, start + column, triangle[(row, column)]);
            }
        }
        products.update_and_multiply(&mut matrix, &pending, next.basis(), end);
        next.complete(coefficients.as_ref(), &mut products);
        std::mem::swap(&mut pending, &mut next);
    }
    band
}

/// The update A ← A − V Wᵀ − W Vᵀ as A ← A − L R, for rows and columns of A from `start` on.
struct RankUpdate {
    order: usize,
    start: usize,
    /// The columns of L, and rows of R: none before the first panel.
    rank: usize,
    /// L = [V W]; rows past `order − start` are unused.
    left: Mat<f64>,
    /// R = [W V]ᵀ; columns past `order − start` are unused.
    right: Mat<f64>,
}

impl RankUpdate {
    fn new(order: usize) -> Self {
        Self {
            order,
            start: 0,
            rank: 0,
            left: Mat::zeros(order, 2 * BANDWIDTH),
            right: Mat::zeros(2 * BANDWIDTH, order),
        }
    }

    /// V.
    fn basis(&self) -> MatRef<'_, f64> {
        self.left.submatrix(0, 0, self.order - self.start, BANDWIDTH)
    }

    fn basis_mut(&mut self) -> MatMut<'_, f64> {
        self.left.submatrix_mut(0, 0, self.order - self.start, BANDWIDTH)
    }

    /// Updates the block whose first entry is A's at (row, column).
    fn apply(&self, row: usize, column: usize, block: MatMut<'_, f64>) {
        let left = self.left.submatrix(row - self.start, 0, block.nrows(), self.rank);
        let right = self.right.submatrix(0, column - self.start, self.rank, block.ncols());
        matmul(block, Accum::Add, left, right, -1.0, Par::Seq);
    }

    /// Finds W from V, T and the summands of A V, the first of which is overwritten.
    fn complete(&mut self, coefficients: MatRef<'_, f64>, products: &mut Products) {
        let rows = self.order - self.start;
        let (mut left, mut right) = (self.left.subrows_mut(0, rows), self.right.subcols_mut(0, rows));
        let (basis, mut weights) = left.rb_mut().split_at_col_mut(BANDWIDTH);
        let basis = basis.rb();
        let (first, others) = products.summands.split_first_mut().expect("there are tasks");
        let first_rows = first.rows;
        let sums = first.entries.subrows_mut(0, rows).par_row_chunks_mut(CHUNK_ROWS);
        let inner: Vec<Mat<f64>> = weights
            .rb_mut()
            .par_row_chunks_mut(CHUNK_ROWS)
            .zip(sums)
            .enumerate()
            .map(|(chunk, (mut weights, mut sum))| {
                let (row, height) = (chunk * CHUNK_ROWS, sum.nrows());
                sum.rb_mut().split_at_row_mut(height.min(first_rows.saturating_sub(row))).1.fill(0.0);
                for summand in others.iter() {
                    let stored = height.min(summand.rows.saturating_sub(row));
                    if stored > 0 {
                        let mut target = sum.rb_mut().subrows_mut(0, stored);
                        target += summand.entries.subrows(row, stored);
                    }
                }
                matmul(weights.rb_mut(), Accum::Replace, sum.rb(), coefficients, 1.0, Par::Seq);
                let mut inner = Mat::zeros(BANDWIDTH, BANDWIDTH);
                let basis = basis.subrows(row, height);
                matmul(inner.as_mut(), Accum::Replace, basis.transpose(), weights.rb(), 1.0, Par::Seq);
                inner
            })
            .collect();
        let inner = inner.into_iter().reduce(|sum, inner| sum + inner).expect("a panel has rows");
        let mut correction = Mat::zeros(BANDWIDTH, BANDWIDTH);
        matmul(correction.as_mut(), Accum::Replace, coefficients.transpose(), inner.as_ref(), 1.0, Par::Seq);
        self.rank = 2 * BANDWIDTH;
        weights.par_row_chunks_mut(CHUNK_ROWS).zip(right.rb_mut().par_col_chunks_mut(CHUNK_ROWS)).enumerate().for_each(
            |(chunk, (mut weights, right))| {
                let basis = basis.subrows(chunk * CHUNK_ROWS, weights.nrows());
                matmul(weights.rb_mut(), Accum::Add, basis, correction.as_ref(), -0.5, Par::Seq);
                let (mut right_weights, mut right_basis) = right.split_at_row_mut(BANDWIDTH);
                right_weights.copy_from(weights.rb().transpose());
                right_basis.copy_from(basis.transpose());
            },
        );
    }
}

/// A V as the sum of what each task found; they are reused from panel to panel.
struct Products {
    summands: Vec<Summand>,
}

struct Summand {
    /// The rows past these are zero, and not stored.
    rows: usize,
    entries: Mat<f64>,
}

impl Products {
    fn new(order: usize) -> Self {
        let summand = || Summand { rows: 0, entries: Mat::zeros(order, BANDWIDTH) };
        Self { summands: (0..TASKS).into_par_iter().map(|_| summand()).collect() }
    }

    /// Applies the pending update to the matrix from row and column `start` on, and multiplies the result by V.
    fn update_and_multiply(
        &mut self,
        matrix: &mut LowerTiles,
        pending: &RankUpdate,
        basis: MatRef<'_, f64>,
        start: usize,
    ) {
        let mut blocks = matrix.blocks_from(start);
        let blocks_per_task = blocks.len().div_ceil(TASKS);
        for summand in &mut self.summands {
            summand.rows = 0;
        }
        blocks.par_chunks_mut(blocks_per_task).zip(&mut self.summands).for_each(|(blocks, summand)| {
            summand.rows = blocks.last().map_or(0, |block| block.rows.end - start);
            let mut product = summand.entries.subrows_mut(0, summand.rows);
            product.fill(0.0);
            for Block { rows, columns, entries } in blocks {
                pending.apply(rows.start, columns.start, entries.rb_mut());
                let (row, column) = (rows.start - start, columns.start - start);
                let row_basis = basis.subrows(row, rows.len());
                let column_basis = basis.subrows(column, columns.len());
                let target = product.rb_mut().subrows_mut(row, rows.len());
                matmul(target, Accum::Add, entries.rb(), column_basis, 1.0, Par::Seq);
                if row != column {
                    let target = product.rb_mut().subrows_mut(column, columns.len());
                    matmul(target, Accum::Add, entries.as_ref().transpose(), row_basis, 1.0, Par::Seq);
                }
            }
        });
    }
}
