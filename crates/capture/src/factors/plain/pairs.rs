//! Gradients Σ a_l δ_lᵀ with few positions for their parameters: ⟨g_i, g_j⟩ = Σ (a_l · a_m)(δ_l · δ_m) over pairs of positions.

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::traits::RealField;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::{OfMean, double, exponent, gathered, halves, squared_norm};
use crate::SquareMatrix;
use crate::factors::layer::{Products, Rows};
use crate::scale::power_of_two;

/// Columns of a tile, about: an example has as many as positions.
const TILE: usize = 256;
/// Examples whose factors are held in f64 at once.
const EXAMPLES: usize = 64;

/// Adds the inner products of the gradients of some examples to the lower triangle of `sum`, products in `T`.
pub(super) fn add<T>(sum: &mut SquareMatrix<f64>, factors: &Products, rows: &[u32])
where
    T: RealField + Copy + From<f32> + Into<f64>,
{
    let Products { input, delta, bias, .. } = factors;
    let positions = input.positions;
    let tile = (TILE / positions).max(1);
    let constant = if *bias { 1.0 } else { 0.0 };
    let exponents = [input, delta].map(|source| exponent(source, rows));
    let scales = exponents.map(|exponent| power_of_two(2 * exponent));
    let columns = |source: &Rows, index: usize, rows: &[u32]| -> Mat<T> {
        let [first, second] = halves(-exponents[index]).map(T::from);
        gathered(source, rows, first, second)
    };
    sum.as_mut().par_col_chunks_mut(tile).enumerate().for_each(|(strip, mut strip_columns)| {
        let (first, width) = (strip * tile, strip_columns.ncols());
        let own = &rows[first..first + width];
        let (inputs, deltas) = (columns(input, 0, own), columns(delta, 1, own));
        let mut products = [(); 2].map(|()| Mat::<T>::zeros(tile * positions, width * positions));
        for start in (first..rows.len()).step_by(tile) {
            let height = tile.min(rows.len() - start);
            let others = &rows[start..start + height];
            let below = [columns(input, 0, others), columns(delta, 1, others)];
            for ((product, below), above) in products.iter_mut().zip(&below).zip([&inputs, &deltas]) {
                let target = product.as_mut().subrows_mut(0, height * positions);
                matmul(target, Accum::Replace, below.transpose(), above.as_ref(), T::one_impl(), Par::Seq);
            }
            for (j, column) in strip_columns.rb_mut().subrows_mut(start, height).col_iter_mut().enumerate() {
                let above_diagonal = (first + j).saturating_sub(start);
                for (i, entry) in column.iter_mut().enumerate().skip(above_diagonal) {
                    let mut term = 0.0;
                    for m in j * positions..(j + 1) * positions {
                        let [of_inputs, of_deltas] =
                            products.each_ref().map(|product| &product.col_as_slice(m)[i * positions..][..positions]);
                        for (&a, &d) in of_inputs.iter().zip(of_deltas) {
                            term += (a.into() * scales[0] + constant) * (d.into() * scales[1]);
                        }
                    }
                    *entry += term;
                }
            }
        }
    });
}

/// What the layer adds to g_tᵀ ḡ and ‖ḡ‖²: ḡ is the sum over all examples and positions, divided by T.
pub(super) fn of_mean(factors: &Products, rows: &[u32]) -> OfMean {
    let Products { input, delta, bias, .. } = factors;
    let mut mean = Mat::<f64>::zeros(delta.width, input.width);
    let share = 1.0 / rows.len() as f64;
    for rows in rows.chunks(EXAMPLES) {
        let (inputs, deltas) = (double(input, rows), double(delta, rows));
        matmul(mean.as_mut(), Accum::Add, deltas.as_ref(), inputs.transpose(), share, Par::rayon(0));
    }
    let mut products = Vec::with_capacity(rows.len());
    for rows in rows.chunks(EXAMPLES) {
        let (inputs, deltas) = (double(input, rows), double(delta, rows));
        let mut projected = Mat::<f64>::zeros(delta.width, inputs.ncols());
        matmul(projected.as_mut(), Accum::Replace, mean.as_ref(), inputs.as_ref(), 1.0, Par::rayon(0));
        let own = |column: usize| {
            let entries = deltas.col_as_slice(column).iter().zip(projected.col_as_slice(column));
            entries.map(|(delta, mean)| delta * mean).sum::<f64>()
        };
        let positions = input.positions;
        products.extend((0..rows.len()).map(|t| (t * positions..(t + 1) * positions).map(own).sum::<f64>()));
    }
    let of_weight = OfMean { products, squared_norm: squared_norm(&mean) };
    if *bias { of_weight.plus(OfMean::plain(delta, rows)) } else { of_weight }
}
