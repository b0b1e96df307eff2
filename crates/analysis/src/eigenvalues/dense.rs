//! Reduction of a dense symmetric matrix to band form.

use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::band::{BANDWIDTH, SymmetricBand};
use super::panel::PanelFactor;
use super::tiles::{Block, LowerTiles};

/// Into how many tasks a pass over the matrix is cut. It fixes the order of the sums, hence the bits of the result,
/// whatever the number of threads.
const TASKS: usize = 16;

/// Rows that a task of the tall and narrow products takes.
const CHUNK_ROWS: usize = 512;

/// The pending update A ← A − V Wᵀ − W Vᵀ as A ← A − L R, for rows and columns of A from `start` on.
struct RankUpdate {
    start: usize,
    /// L = [V W].
    left: Mat<f64>,
    /// R = [W V]ᵀ.
    right: Mat<f64>,
}

impl RankUpdate {
    fn apply(&self, block: &mut Block<'_>) {
        let left = self.left.subrows(block.rows.start - self.start, block.rows.len());
        let right = self.right.subcols(block.columns.start - self.start, block.columns.len());
        matmul(block.entries.rb_mut(), Accum::Add, left, right, -1.0, Par::Seq);
    }
}

/// Reduces the matrix to a band with the same eigenvalues by orthogonal similarities.
///
/// Each panel of `BANDWIDTH` columns is QR-factored below the band, P = (I − V T Vᵀ) R, and the rest of the matrix gets
/// A − V Wᵀ − W Vᵀ, W = X − ½ V Tᵀ Vᵀ X, X = A V T (Bischof, Lang and Sun 2000, "A framework for symmetric band
/// reduction"). The update waits until the next V is known, so that one pass over A serves both.
pub(super) fn reduce_to_band(mut matrix: LowerTiles) -> SymmetricBand {
    let order = matrix.order();
    let mut band = SymmetricBand::zeros(order);
    let mut pending: Option<RankUpdate> = None;
    let mut start = 0;
    while start < order {
        let end = order.min(start + BANDWIDTH);
        let mut columns = matrix.columns(start..end);
        if let Some(update) = &pending {
            update_columns(&mut columns, update, start);
        }
        for column in 0..end - start {
            for row in column..end - start {
                band.set(start + row, start + column, columns[(row, column)]);
            }
        }
        if end == order {
            break;
        }
        let below = columns.subrows(end - start, order - end).to_owned();
        let PanelFactor { basis, coefficients, triangle } = PanelFactor::new(below);
        for column in 0..end - start {
            for row in 0..triangle.nrows().min(column + 1) {
                band.set(end + row, start + column, triangle[(row, column)]);
            }
        }
        let product = update_and_multiply(&mut matrix, pending.as_ref(), basis.as_ref(), end);
        pending = Some(rank_update(basis.as_ref(), coefficients.as_ref(), &product, end));
        start = end;
    }
    band
}

/// Brings columns of the matrix, copied from row and column `start` on, up to date.
fn update_columns(columns: &mut Mat<f64>, update: &RankUpdate, start: usize) {
    let right = update.right.subcols(start - update.start, columns.ncols());
    let skipped = start - update.start;
    columns.par_row_chunks_mut(CHUNK_ROWS).enumerate().for_each(|(chunk, mut entries)| {
        let left = update.left.subrows(skipped + chunk * CHUNK_ROWS, entries.nrows());
        matmul(entries.rb_mut(), Accum::Add, left, right, -1.0, Par::Seq);
    });
}

/// Applies the pending update to the matrix from row and column `start` on, and returns the summands of A V, each
/// without the rows past its last that is not zero.
fn update_and_multiply(
    matrix: &mut LowerTiles,
    pending: Option<&RankUpdate>,
    basis: MatRef<'_, f64>,
    start: usize,
) -> Vec<Mat<f64>> {
    let mut blocks = matrix.blocks_from(start);
    let blocks_per_task = blocks.len().div_ceil(TASKS);
    blocks
        .par_chunks_mut(blocks_per_task)
        .map(|blocks| {
            let rows = blocks.last().map_or(0, |block| block.rows.end - start);
            let mut product = Mat::zeros(rows, basis.ncols());
            for block in blocks {
                if let Some(update) = pending {
                    update.apply(block);
                }
                let (row, column) = (block.rows.start - start, block.columns.start - start);
                let (height, width) = (block.rows.len(), block.columns.len());
                matmul(
                    product.subrows_mut(row, height),
                    Accum::Add,
                    block.entries.rb(),
                    basis.subrows(column, width),
                    1.0,
                    Par::Seq,
                );
                if row != column {
                    matmul(
                        product.subrows_mut(column, width),
                        Accum::Add,
                        block.entries.rb().transpose(),
                        basis.subrows(row, height),
                        1.0,
                        Par::Seq,
                    );
                }
            }
            product
        })
        .collect()
}

/// The update of the matrix from row and column `start` on, from V, T and the summands of A V.
fn rank_update(
    basis: MatRef<'_, f64>,
    coefficients: MatRef<'_, f64>,
    summands: &[Mat<f64>],
    start: usize,
) -> RankUpdate {
    let (rows, width) = basis.shape();
    let chunks: Vec<_> = (0..rows).step_by(CHUNK_ROWS).map(|row| (row, CHUNK_ROWS.min(rows - row))).collect();
    let reflected: Vec<(Mat<f64>, Mat<f64>)> = chunks
        .par_iter()
        .map(|&(row, height)| {
            let mut sum = Mat::<f64>::zeros(height, width);
            for summand in summands {
                let height = height.min(summand.nrows().saturating_sub(row));
                if height > 0 {
                    let mut target = sum.subrows_mut(0, height);
                    target += summand.subrows(row, height);
                }
            }
            let mut reflected = Mat::zeros(height, width);
            matmul(reflected.as_mut(), Accum::Replace, sum.as_ref(), coefficients, 1.0, Par::Seq);
            let mut inner = Mat::zeros(width, width);
            let basis = basis.subrows(row, height);
            matmul(inner.as_mut(), Accum::Replace, basis.transpose(), reflected.as_ref(), 1.0, Par::Seq);
            (reflected, inner)
        })
        .collect();
    let inner = reflected.iter().fold(Mat::<f64>::zeros(width, width), |sum, (_, inner)| sum + inner);
    let correction = coefficients.transpose() * inner;
    let mut left = Mat::zeros(rows, 2 * width);
    let mut right = Mat::zeros(2 * width, rows);
    left.par_row_chunks_mut(CHUNK_ROWS)
        .zip(right.par_col_chunks_mut(CHUNK_ROWS))
        .zip(chunks.par_iter().zip(reflected))
        .for_each(|((left, right), (&(row, height), (mut weights, _)))| {
            let basis = basis.subrows(row, height);
            matmul(weights.as_mut(), Accum::Add, basis, correction.as_ref(), -0.5, Par::Seq);
            let (mut left_basis, mut left_weights) = left.split_at_col_mut(width);
            left_basis.copy_from(basis);
            left_weights.copy_from(&weights);
            let (mut right_weights, mut right_basis) = right.split_at_row_mut(width);
            right_weights.copy_from(weights.transpose());
            right_basis.copy_from(basis.transpose());
        });
    RankUpdate { start, left, right }
}
