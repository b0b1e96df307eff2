//! Elementary Householder reflectors and the vector kernels that they need.

use pulp::Simd;

/// Vectors that a kernel holds in registers at once, to hide the latency of the fused multiply-adds.
pub(super) const UNROLL: usize = 4;

/// Squared norms below this are zero beside a matrix whose largest entry is 1.
const NEGLIGIBLE_SQUARE: f64 = 1e-280;

/// What `reflect` finds beside the vector v of H = I − τ v vᵀ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reflection {
    /// The first entry of H x; the others are zero.
    pub(super) beta: f64,
    /// τ, zero where x needs no reflection.
    pub(super) tau: f64,
}

/// Overwrites x with the vector v (v₀ = 1) of the Householder reflector that maps x to β e₁
/// (Golub and Van Loan, "Matrix Computations", §5.1; LAPACK `dlarfg`).
#[inline(always)]
pub(super) fn reflect<S: Simd>(simd: S, x: &mut [f64]) -> Reflection {
    let Some((head, tail)) = x.split_first_mut() else {
        return Reflection { beta: 0.0, tau: 0.0 };
    };
    let alpha = *head;
    *head = 1.0;
    let square = dot(simd, tail, tail);
    if square < NEGLIGIBLE_SQUARE {
        tail.fill(0.0);
        return Reflection { beta: alpha, tau: 0.0 };
    }
    let beta = -(alpha * alpha + square).sqrt().copysign(alpha);
    let scale = 1.0 / (alpha - beta);
    for entry in tail {
        *entry *= scale;
    }
    Reflection { beta, tau: (beta - alpha) / beta }
}

/// xᵀ y, summed in an order that depends on the length alone.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, x: &[f64], y: &[f64]) -> f64 {
    let (x_vectors, x_tail) = S::as_simd_f64s(x);
    let (y_vectors, y_tail) = S::as_simd_f64s(y);
    let (x_groups, x_rest) = x_vectors.as_chunks::<UNROLL>();
    let (y_groups, y_rest) = y_vectors.as_chunks::<UNROLL>();
    let mut sums = [simd.splat_f64s(0.0); UNROLL];
    for (x, y) in x_groups.iter().zip(y_groups) {
        for lane in 0..UNROLL {
            sums[lane] = simd.mul_add_e_f64s(x[lane], y[lane], sums[lane]);
        }
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        sums[0] = simd.mul_add_e_f64s(*x, *y, sums[0]);
    }
    let tail: f64 = x_tail.iter().zip(y_tail).map(|(x, y)| x * y).sum();
    simd.reduce_sum_f64s(sum_of_vectors(simd, sums)) + tail
}

/// y += factor · x.
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, factor: f64, x: &[f64], y: &mut [f64]) {
    let (x_vectors, x_tail) = S::as_simd_f64s(x);
    let (y_vectors, y_tail) = S::as_mut_simd_f64s(y);
    let splat = simd.splat_f64s(factor);
    for (x, y) in x_vectors.iter().zip(y_vectors) {
        *y = simd.mul_add_e_f64s(splat, *x, *y);
    }
    for (x, y) in x_tail.iter().zip(y_tail) {
        *y += factor * x;
    }
}

/// The sum of the vectors, pairwise.
#[inline(always)]
pub(super) fn sum_of_vectors<S: Simd>(simd: S, [a, b, c, d]: [S::f64s; UNROLL]) -> S::f64s {
    simd.add_f64s(simd.add_f64s(a, b), simd.add_f64s(c, d))
}
