//! The step of the bulge chase on one block of columns, with vectors held in registers.

use pulp::{Simd, WithSimd};

use super::band::{BANDWIDTH, MARGIN, STRIDE};
use super::reflector::reflect;

/// H = I − τ v vᵀ on `BANDWIDTH` rows.
#[derive(Clone, Debug)]
pub(super) struct Reflector {
    v: [f64; BANDWIDTH],
    tau: f64,
}

impl Reflector {
    /// The identity.
    pub(super) const IDENTITY: Self = Self { v: [0.0; BANDWIDTH], tau: 0.0 };
}

/// Opens a sweep: reflects a stored column below its diagonal to one entry.
pub(super) struct Open<'a> {
    /// The column.
    pub(super) column: &'a mut [f64],
    /// The reflection used.
    pub(super) reflector: &'a mut Reflector,
}

impl WithSimd for Open<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        annihilate(simd, &mut self.column[MARGIN + 1..][..BANDWIDTH], self.reflector);
    }
}

/// Steps of one sweep: the reflector acts on both sides of the diagonal block in its rows, then on the columns of the
/// block below, whose first column gives the reflector of the next step.
pub(super) struct Advance<'a> {
    /// The columns of the steps' blocks.
    pub(super) columns: &'a mut [f64],
    /// The reflector of the first step, replaced by that of the step after the last.
    pub(super) reflector: &'a mut Reflector,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for columns in self.columns.chunks_exact_mut(BANDWIDTH * STRIDE) {
            match S::F64_LANES {
                8 => step::<S, { BANDWIDTH / 8 }, 8>(simd, columns, self.reflector),
                4 => step::<S, { BANDWIDTH / 4 }, 4>(simd, columns, self.reflector),
                2 => step::<S, { BANDWIDTH / 2 }, 2>(simd, columns, self.reflector),
                _ => step::<S, BANDWIDTH, 1>(simd, columns, self.reflector),
            }
        }
    }
}

#[inline(always)]
fn step<S: Simd, const N: usize, const LANES: usize>(simd: S, columns: &mut [f64], reflector: &mut Reflector) {
    reflect_diagonal::<S, N, LANES>(simd, columns, reflector);
    reflect_below::<S, N>(simd, columns, reflector);
}

/// A ← H A H for the diagonal block, of which the lower triangle is stored: A − v wᵀ − w vᵀ with
/// w = τ (y − ½ τ (vᵀ y) v), y = A v.
#[inline(always)]
fn reflect_diagonal<S: Simd, const N: usize, const LANES: usize>(simd: S, columns: &mut [f64], reflector: &Reflector) {
    let zero = simd.splat_f64s(0.0);
    let v: [S::f64s; N] = load::<S, N>(&reflector.v);
    let mut product = [zero; N];
    let mut diagonal = [0.0; BANDWIDTH];
    let mut dots = [0.0; BANDWIDTH];
    let lane_numbers = iota(simd);
    for (top, group) in columns.chunks_exact(LANES * STRIDE).enumerate() {
        let group: [&[S::f64s]; LANES] = std::array::from_fn(|lane| {
            S::as_simd_f64s(&group[lane * STRIDE..][MARGIN - lane..MARGIN + BANDWIDTH - top * LANES]).0
        });
        let factors: [S::f64s; LANES] = std::array::from_fn(|lane| simd.splat_f64s(reflector.v[top * LANES + lane]));
        let mut group_dots = [zero; LANES];
        for lane in 0..LANES {
            let below = simd.less_than_f64s(simd.splat_f64s(lane as f64), lane_numbers);
            let vector = simd.select_f64s(below, group[lane][0], zero);
            product[top] = simd.mul_add_e_f64s(vector, factors[lane], product[top]);
            group_dots[lane] = simd.mul_f64s(vector, v[top]);
            diagonal[top * LANES + lane] = columns[(top * LANES + lane) * STRIDE + MARGIN];
        }
        for row in 1..N - top {
            let mut sum = product[top + row];
            for lane in 0..LANES {
                let vector = group[lane][row];
                sum = simd.mul_add_e_f64s(vector, factors[lane], sum);
                group_dots[lane] = simd.mul_add_e_f64s(vector, v[top + row], group_dots[lane]);
            }
            product[top + row] = sum;
        }
        for lane in 0..LANES {
            dots[top * LANES + lane] = simd.reduce_sum_f64s(group_dots[lane]);
        }
    }
    let diagonal = load::<S, N>(&diagonal);
    let dots = load::<S, N>(&dots);
    let mut square = zero;
    for k in 0..N {
        product[k] = simd.add_f64s(simd.mul_add_e_f64s(diagonal[k], v[k], product[k]), dots[k]);
        square = simd.mul_add_e_f64s(product[k], v[k], square);
    }
    let tau = simd.splat_f64s(-reflector.tau);
    let half = simd.splat_f64s(-0.5 * reflector.tau * simd.reduce_sum_f64s(square));
    let mut minus_w = [0.0; BANDWIDTH];
    for (w, (&v, &product)) in S::as_mut_simd_f64s(&mut minus_w).0.iter_mut().zip(v.iter().zip(&product)) {
        *w = simd.mul_f64s(tau, simd.mul_add_e_f64s(half, v, product));
    }
    let w: [S::f64s; N] = load::<S, N>(&minus_w);
    for (top, group) in columns.chunks_exact_mut(LANES * STRIDE).enumerate() {
        for (lane, stored) in group.chunks_exact_mut(STRIDE).enumerate() {
            let column = top * LANES + lane;
            let vectors = S::as_mut_simd_f64s(&mut stored[MARGIN - lane..MARGIN + BANDWIDTH - top * LANES]).0;
            let (v_factor, w_factor) = (simd.splat_f64s(reflector.v[column]), simd.splat_f64s(minus_w[column]));
            for (vector, (&v, &w)) in vectors.iter_mut().zip(v[top..].iter().zip(&w[top..])) {
                *vector = simd.mul_add_e_f64s(w, v_factor, simd.mul_add_e_f64s(v, w_factor, *vector));
            }
        }
    }
}

/// B ← G B H for the block below the diagonal block, where G reflects the first column of B H to one entry.
#[inline(always)]
fn reflect_below<S: Simd, const N: usize>(simd: S, columns: &mut [f64], reflector: &mut Reflector) {
    let zero = simd.splat_f64s(0.0);
    let mut product = [zero; N];
    for (column, stored) in columns.chunks_exact(STRIDE).enumerate() {
        let vectors = load::<S, N>(&stored[MARGIN + BANDWIDTH - column..]);
        let factor = simd.splat_f64s(reflector.v[column]);
        for k in 0..N {
            product[k] = simd.mul_add_e_f64s(vectors[k], factor, product[k]);
        }
    }
    let tau = simd.splat_f64s(-reflector.tau);
    for product in &mut product {
        *product = simd.mul_f64s(tau, *product);
    }
    let factors = reflector.v;
    let mut rest = columns.chunks_exact_mut(STRIDE).enumerate();
    if let Some((_, first)) = rest.next() {
        let head = &mut first[MARGIN + BANDWIDTH..];
        let factor = simd.splat_f64s(factors[0]);
        for (entry, &product) in S::as_mut_simd_f64s(head).0.iter_mut().zip(&product) {
            *entry = simd.mul_add_e_f64s(product, factor, *entry);
        }
        annihilate(simd, head, reflector);
    }
    let next: [S::f64s; N] = load::<S, N>(&reflector.v);
    for (column, stored) in rest {
        let entries = S::as_mut_simd_f64s(&mut stored[MARGIN + BANDWIDTH - column..][..BANDWIDTH]).0;
        let factor = simd.splat_f64s(factors[column]);
        let mut vectors = [zero; N];
        let mut dot = [zero; 2];
        for k in 0..N {
            vectors[k] = simd.mul_add_e_f64s(product[k], factor, entries[k]);
            dot[k % 2] = simd.mul_add_e_f64s(vectors[k], next[k], dot[k % 2]);
        }
        let dot = simd.reduce_sum_f64s(simd.add_f64s(dot[0], dot[1]));
        let factor = simd.splat_f64s(-reflector.tau * dot);
        for k in 0..N {
            entries[k] = simd.mul_add_e_f64s(next[k], factor, vectors[k]);
        }
    }
}

/// Reflects `x` to its first entry and keeps the reflector.
#[inline(always)]
fn annihilate<S: Simd>(simd: S, x: &mut [f64], reflector: &mut Reflector) {
    reflector.v.copy_from_slice(x);
    let reflection = reflect(simd, &mut reflector.v);
    reflector.tau = reflection.tau;
    x.fill(0.0);
    x[0] = reflection.beta;
}

#[inline(always)]
fn load<S: Simd, const N: usize>(entries: &[f64]) -> [S::f64s; N] {
    let vectors = S::as_simd_f64s(entries).0;
    std::array::from_fn(|k| vectors[k])
}

/// 0, 1, 2, … in the lanes of a vector.
#[inline(always)]
fn iota<S: Simd>(simd: S) -> S::f64s {
    let numbers: [f64; 8] = std::array::from_fn(|lane| lane as f64);
    S::as_simd_f64s(&numbers).0.first().copied().unwrap_or(simd.splat_f64s(0.0))
}
