//! Householder QR factorisation of a tall panel, with the compact WY form of its orthogonal factor.

use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};

use super::reflector::{add_scaled, dot, reflect};

/// Panels this narrow are factored column by column.
const LEAF_COLUMNS: usize = 8;

/// P = Q [R; 0] with Q = I − V T Vᵀ (Schreiber and Van Loan 1989, "A storage-efficient WY representation for products
/// of Householder transformations").
pub(super) struct PanelFactor {
    /// V, m × k, unit lower trapezoidal with explicit zeros and ones, k = min(m, columns of P).
    pub(super) basis: Mat<f64>,
    /// T, k × k, upper triangular.
    pub(super) coefficients: Mat<f64>,
    /// R, k × columns of P, upper trapezoidal.
    pub(super) triangle: Mat<f64>,
}

impl PanelFactor {
    /// Factors `panel`, m × w with m ≥ 1.
    pub(super) fn new(mut panel: Mat<f64>) -> Self {
        let (rows, columns) = panel.shape();
        let reflectors = rows.min(columns);
        let mut triangle = Mat::zeros(reflectors, columns);
        let mut tau = vec![0.0; reflectors];
        factor_columns(panel.as_mut(), triangle.as_mut(), &mut tau, 0);
        panel.truncate(rows, reflectors);
        let coefficients = wy_coefficients(panel.as_ref(), &tau);
        Self { basis: panel, coefficients, triangle }
    }
}

/// Factors the columns of `panel`, whose first `done` rows are final entries of R; `tau` has a place for every
/// reflector that is left to these columns, and columns beyond the last reflector are only reflected.
fn factor_columns(panel: MatMut<'_, f64>, triangle: MatMut<'_, f64>, tau: &mut [f64], done: usize) {
    let columns = panel.ncols();
    if columns <= LEAF_COLUMNS {
        Arch::new().dispatch(FactorLeaf { panel, triangle, tau, done });
        return;
    }
    let left = columns / 2;
    let left_reflectors = left.min(tau.len());
    let (mut left_panel, mut right_panel) = panel.split_at_col_mut(left);
    let (left_triangle, right_triangle) = triangle.split_at_col_mut(left);
    let (left_tau, right_tau) = tau.split_at_mut(left_reflectors);
    factor_columns(left_panel.rb_mut(), left_triangle, left_tau, done);
    let basis = left_panel.rb().subrows(done, left_panel.nrows() - done).subcols(0, left_reflectors);
    let coefficients = wy_coefficients(basis, left_tau);
    reflect_block(basis, coefficients.as_ref(), right_panel.rb_mut().split_at_row_mut(done).1);
    factor_columns(right_panel, right_triangle, right_tau, done + left_reflectors);
}

/// C ← (I − V T Vᵀ)ᵀ C.
fn reflect_block(basis: MatRef<'_, f64>, coefficients: MatRef<'_, f64>, mut target: MatMut<'_, f64>) {
    let mut inner = Mat::zeros(basis.ncols(), target.ncols());
    matmul(inner.as_mut(), Accum::Replace, basis.transpose(), target.rb(), 1.0, Par::Seq);
    let mut weights = Mat::zeros(basis.ncols(), target.ncols());
    matmul(weights.as_mut(), Accum::Replace, coefficients.transpose(), inner.as_ref(), 1.0, Par::Seq);
    matmul(target.rb_mut(), Accum::Add, basis, weights.as_ref(), -1.0, Par::Seq);
}

/// T with H₁ ⋯ H_k = I − V T Vᵀ (LAPACK `dlarft`).
fn wy_coefficients(basis: MatRef<'_, f64>, tau: &[f64]) -> Mat<f64> {
    let order = tau.len();
    let mut products = Mat::<f64>::zeros(order, order);
    matmul(products.as_mut(), Accum::Replace, basis.transpose(), basis, 1.0, Par::Seq);
    let mut coefficients = Mat::<f64>::zeros(order, order);
    for (column, &tau) in tau.iter().enumerate() {
        for row in 0..column {
            let sum: f64 = (row..column).map(|k| coefficients[(row, k)] * products[(k, column)]).sum();
            coefficients[(row, column)] = -tau * sum;
        }
        coefficients[(column, column)] = tau;
    }
    coefficients
}

struct FactorLeaf<'a> {
    panel: MatMut<'a, f64>,
    triangle: MatMut<'a, f64>,
    tau: &'a mut [f64],
    done: usize,
}

impl WithSimd for FactorLeaf<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { mut panel, mut triangle, tau, done } = self;
        for column in 0..panel.ncols() {
            let pivot = done + column.min(tau.len());
            let (left, right) = panel.rb_mut().split_at_col_mut(column + 1);
            let own = left.col_mut(column).try_as_col_major_mut().expect("a panel is stored by columns").as_slice_mut();
            let (top, rest) = own.split_at_mut(pivot);
            for (row, entry) in top.iter_mut().enumerate() {
                triangle[(row, column)] = std::mem::take(entry);
            }
            let Some(tau) = tau.get_mut(column) else { continue };
            let reflection = reflect(simd, rest);
            triangle[(pivot, column)] = reflection.beta;
            *tau = reflection.tau;
            for other in right.col_iter_mut() {
                let other = other.try_as_col_major_mut().expect("a panel is stored by columns").as_slice_mut();
                let other = &mut other[pivot..];
                let factor = -reflection.tau * dot(simd, rest, other);
                add_scaled(simd, factor, rest, other);
            }
        }
    }
}
