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
use crate::scale::{exponent, times_power_of_two};
use crate::{AnalysisError, Result};

/// The side of a tile: a multiple of the bandwidth, with a tile and its operands within a core's cache.
const TILE_SIZE: usize = 3 * BANDWIDTH;

/// The largest exponent of which the power of two and its inverse are normal.
const LARGEST_SCALE: i32 = f64::MAX_EXP - 2;

/// The smallest order at which two stages are faster than one.
const TWO_STAGE_ORDER: usize = 320;

/// The eigenvalues, descending, of the symmetric matrix whose lower triangle is that of `matrix`.
///
/// Errors are a small multiple of ε ‖A‖₂, and the bits do not depend on the number of rayon threads.
///
/// # Errors
///
/// A matrix that is not square, an entry of the lower triangle that is not finite, eigenvalues out of the range of
/// `f64`, a working copy that memory is refused for, or an iteration that does not converge.
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
    reserve(order)?;
    let scale = exponent(largest).clamp(-LARGEST_SCALE, LARGEST_SCALE);
    let mut eigenvalues =
        solve(matrix, times_power_of_two(1.0, -scale)).ok_or(AnalysisError::NoConvergence { order })?;
    for value in &mut eigenvalues {
        let unscaled = times_power_of_two(*value, scale);
        if unscaled.is_infinite() {
            return Err(AnalysisError::OutOfRange { exponent: exponent(*value) + scale });
        }
        *value = unscaled;
    }
    eigenvalues.sort_unstable_by(|a, b| b.total_cmp(a));
    Ok(eigenvalues)
}

/// Refuses an order whose working copy the system has no memory for, where a later allocation would end the program.
fn reserve(order: usize) -> Result<()> {
    let bytes = order.saturating_mul(order).saturating_mul(size_of::<f64>());
    let mut copy = Vec::<u8>::new();
    let refused = std::hint::black_box(&mut copy).try_reserve_exact(bytes);
    refused.map_err(|_| AnalysisError::Memory { order, bytes })
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
