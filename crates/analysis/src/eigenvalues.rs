//! Eigenvalues of dense symmetric matrices, in two stages: dense → band → tridiagonal.

mod band;
mod chase;
mod dense;
mod kernel;
mod panel;
mod reflector;
mod tiles;
mod tridiagonal;

#[cfg(test)]
mod tests;

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatRef, Par, Scale, Spec};
use rayon::prelude::*;

use self::band::BANDWIDTH;
use self::tiles::LowerTiles;
use crate::{AnalysisError, Result};

/// The side of a tile: a multiple of the bandwidth, with a tile and its operands within a core's cache.
const TILE_SIZE: usize = 3 * BANDWIDTH;

/// The smallest order at which two stages are faster than one.
const TWO_STAGE_ORDER: usize = 320;

/// The eigenvalues, descending, of the symmetric matrix whose lower triangle is that of `matrix`.
///
/// Errors are a small multiple of ε ‖A‖₂, and the bits do not depend on the number of rayon threads.
///
/// # Errors
///
/// A matrix that is not square, an entry of the lower triangle that is not finite, eigenvalues out of the range of
/// `f64`, or an iteration that does not converge.
pub fn symmetric_eigenvalues(matrix: MatRef<'_, f64>) -> Result<Vec<f64>> {
    eigenvalues_with(matrix, if matrix.nrows() < TWO_STAGE_ORDER { one_stage } else { two_stage })
}

/// Checks and scales the matrix for `solve(matrix, factor)`, which finds the eigenvalues of factor · A in any order.
fn eigenvalues_with(matrix: MatRef<'_, f64>, solve: fn(MatRef<'_, f64>, f64) -> Option<Vec<f64>>) -> Result<Vec<f64>> {
    let order = matrix.nrows();
    if order != matrix.ncols() {
        return Err(AnalysisError::NotSquare { rows: order, columns: matrix.ncols() });
    }
    let largest = largest_magnitude(matrix)?;
    if largest == 0.0 {
        return Ok(vec![0.0; order]);
    }
    let factor = 2.0_f64.powi(-exponent(largest));
    let mut eigenvalues = solve(matrix, factor).ok_or(AnalysisError::NoConvergence { order })?;
    for value in &mut eigenvalues {
        *value /= factor;
    }
    eigenvalues.sort_unstable_by(|a, b| b.total_cmp(a));
    crate::error::finite(&eigenvalues)?;
    Ok(eigenvalues)
}

fn two_stage(matrix: MatRef<'_, f64>, factor: f64) -> Option<Vec<f64>> {
    let band = dense::reduce_to_band(LowerTiles::new(matrix, factor, TILE_SIZE));
    chase::reduce_to_tridiagonal(band).eigenvalues()
}

/// faer's routine on one thread, since its sums depend on the number of threads.
fn one_stage(matrix: MatRef<'_, f64>, factor: f64) -> Option<Vec<f64>> {
    let order = matrix.nrows();
    let scaled = Scale(factor) * matrix;
    let scratch = self_adjoint_evd_scratch::<f64>(order, ComputeEigenvectors::No, Par::Seq, Spec::default());
    let mut memory = MemBuffer::new(scratch);
    let mut eigenvalues = Diag::zeros(order);
    let stack = MemStack::new(&mut memory);
    self_adjoint_evd(scaled.as_ref(), eigenvalues.as_mut(), None, Par::Seq, stack, Spec::default()).ok()?;
    Some(eigenvalues.column_vector().iter().copied().collect())
}

/// The largest |a| of the lower triangle.
fn largest_magnitude(matrix: MatRef<'_, f64>) -> Result<f64> {
    let order = matrix.nrows();
    let by_column: Vec<Result<f64>> = (0..order)
        .into_par_iter()
        .map(|column| {
            let mut largest = 0.0_f64;
            for (row, &value) in (column..).zip(matrix.col(column).subrows(column, order - column).iter()) {
                if !value.is_finite() {
                    return Err(AnalysisError::NotFinite { index: column * order + row, value });
                }
                largest = largest.max(value.abs());
            }
            Ok(largest)
        })
        .collect();
    by_column.into_iter().try_fold(0.0, |largest: f64, column| Ok(largest.max(column?)))
}

/// The exponent of a power of two near `value`, within the range of the normal numbers.
fn exponent(value: f64) -> i32 {
    (value.log2().floor() as i32).clamp(-1021, 1022)
}
