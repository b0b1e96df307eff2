//! Householder QR factorisation of a tall panel, with the compact WY form of its orthogonal factor.

use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, ColMut, Mat, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};

use super::reflector::{add_scaled, dot, reflect};

/// Panels this narrow are factored column by column.
const LEAF_COLUMNS: usize = 8;

/// P = Q [R; 0] with Q = I − V T Vᵀ (Schreiber and Van Loan 1989, "A storage-efficient WY representation for products
/// of Householder transformations").
pub(super) struct PanelFactor {
    /// T, upper triangular.
    pub(super) coefficients: Mat<f64>,
    /// R, square and upper triangular; rows that P lacks are zero.
    pub(super) triangle: Mat<f64>,
}

impl PanelFactor {
    /// Factors `panel` and overwrites it with V, unit lower trapezoidal with explicit zeros and ones; a column without
    /// a row for its one is zero.
    pub(super) fn new(mut panel: MatMut<'_, f64>) -> Self {
        let columns = panel.ncols();
        let mut triangle = Mat::zeros(columns, columns);
        let mut tau = vec![0.0; columns];
        factor_columns(panel.rb_mut(), triangle.as_mut(), &mut tau, 0);
        Self { coefficients: wy_coefficients(panel.rb(), &tau), triangle }
    }
}

/// Factors the columns of `panel`, whose first `done` rows are final entries of R.
fn factor_columns(panel: MatMut<'_, f64>, triangle: MatMut<'_, f64>, tau: &mut [f64], done: usize) {
    let (rows, columns) = panel.shape();
    if columns <= LEAF_COLUMNS {
        Arch::new().dispatch(FactorLeaf { panel, triangle, tau, done });
        return;
    }
    let left = columns / 2;
    let (mut left_panel, mut right_panel) = panel.split_at_col_mut(left);
    let (left_triangle, right_triangle) = triangle.split_at_col_mut(left);
    let (left_tau, right_tau) = tau.split_at_mut(left);
    factor_columns(left_panel.rb_mut(), left_triangle, left_tau, done);
    if done < rows {
        let basis = left_panel.rb().split_at_row(done).1;
        let coefficients = wy_coefficients(basis, left_tau);
        reflect_block(basis, coefficients.as_ref(), right_panel.rb_mut().split_at_row_mut(done).1);
    }
    factor_columns(right_panel, right_triangle, right_tau, done + left);
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
            let pivot = panel.nrows().min(done + column);
            let (left, right) = panel.rb_mut().split_at_col_mut(column + 1);
            let (top, rest) = contiguous(left.col_mut(column)).split_at_mut(pivot);
            for (row, entry) in top.iter_mut().enumerate() {
                triangle[(row, column)] = std::mem::take(entry);
            }
            if rest.is_empty() {
                continue;
            }
            let reflection = reflect(simd, rest);
            triangle[(pivot, column)] = reflection.beta;
            tau[column] = reflection.tau;
            for other in right.col_iter_mut() {
                let other = &mut contiguous(other)[pivot..];
                let factor = -reflection.tau * dot(simd, rest, other);
                add_scaled(simd, factor, rest, other);
            }
        }
    }
}

fn contiguous(column: ColMut<'_, f64>) -> &mut [f64] {
    column.try_as_col_major_mut().expect("panels are stored by columns").as_slice_mut()
}
