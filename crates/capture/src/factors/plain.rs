//! Plain inner products of the gradients of single examples, from a layer's factors.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::layer::{Rows, Values};
use crate::Result;
use crate::gram::{Gram, Precision};
use crate::products::{Factor, Products, add_tiles};
use crate::scale::{exponent_of, power_of_two};

/// Adds the inner products of the gradients of the examples `rows`, one an iteration, to `sum`; and from the mean gradient,
/// in f64, its products with them and its squared norm.
pub(super) fn add(sum: &mut Gram, values: &Values, rows: &[u32], products: &Products) -> Result<()> {
    let precision = sum.precision();
    let (gram, along, squared_norm) = sum.plain_mut();
    let of_mean = match values {
        Values::Outer { input, delta, bias, .. } => {
            let (inputs, deltas) = (double(input, rows), double(delta, rows));
            let constant = if *bias { 1.0 } else { 0.0 };
            match precision {
                Precision::Single => {
                    let (inputs, deltas) = (Scaled::of(input, rows), Scaled::of(delta, rows));
                    products.add_entrywise_product(gram, &[inputs.factor(constant), deltas.factor(0.0)])?;
                }
                Precision::Double => add_tiles(gram, &[exact(&inputs, constant), exact(&deltas, 0.0)]),
            }
            let of_weight = OfMean::outer(inputs.as_ref(), deltas.as_ref());
            if *bias { of_weight.plus(OfMean::plain(delta, rows)) } else { of_weight }
        }
        Values::Explicit(gradients) => {
            match precision {
                Precision::Single => {
                    products.add_entrywise_product(gram, &[Scaled::of(gradients, rows).factor(0.0)])?;
                }
                Precision::Double => add_tiles(gram, &[exact(&double(gradients, rows), 0.0)]),
            }
            OfMean::plain(gradients, rows)
        }
    };
    along.iter_mut().zip(of_mean.products).for_each(|(sum, product)| *sum += product);
    *squared_norm += of_mean.squared_norm;
    Ok(())
}

/// Some rows in f64, a column each.
fn double(source: &Rows, rows: &[u32]) -> Mat<f64> {
    let mut columns = Mat::zeros(source.width, rows.len());
    columns.as_mut().par_col_iter_mut().zip(rows).for_each(|(column, &row)| {
        column.iter_mut().zip(source.row(row)).for_each(|(entry, &value)| *entry = value.into());
    });
    columns
}

fn exact(columns: &Mat<f64>, constant: f64) -> Factor<'_, f64> {
    Factor { columns: columns.as_ref(), scale: 1.0, constant }
}

/// Some rows, a column each, from which a power of two is taken out, so that their products stay in f32's range.
struct Scaled {
    width: usize,
    values: Vec<f32>,
    exponent: i32,
}

impl Scaled {
    fn of(source: &Rows, rows: &[u32]) -> Self {
        let largest = rows.iter().flat_map(|&row| source.row(row)).fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let exponent = exponent_of(largest.into());
        // Two steps: the power of two itself may be beyond f32.
        let [first, second] = [-exponent / 2, -exponent + exponent / 2].map(|half| power_of_two(half) as f32);
        let mut values = Vec::with_capacity(source.width * rows.len());
        rows.iter().for_each(|&row| values.extend(source.row(row).iter().map(|value| value * first * second)));
        Self { width: source.width, values, exponent }
    }

    fn factor(&self, constant: f64) -> Factor<'_, f32> {
        let count = self.values.len().checked_div(self.width).unwrap_or(0);
        let columns = MatRef::from_column_major_slice(&self.values, self.width, count);
        Factor { columns, scale: power_of_two(2 * self.exponent), constant }
    }
}

/// What a layer adds to g_tᵀ ḡ and ‖ḡ‖².
struct OfMean {
    products: Vec<f64>,
    squared_norm: f64,
}

impl OfMean {
    /// Of gradients that are some rows of `gradients`.
    fn plain(gradients: &Rows, rows: &[u32]) -> Self {
        let mut mean = vec![0.0; gradients.width];
        for &row in rows {
            mean.iter_mut().zip(gradients.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
        let product =
            |&row: &u32| gradients.row(row).iter().zip(&mean).map(|(&value, mean)| f64::from(value) * mean).sum();
        Self {
            products: rows.par_iter().map(product).collect(),
            squared_norm: mean.iter().map(|value| value * value).sum(),
        }
    }

    /// Of gradients a_t δ_tᵀ: ḡ is A Dᵀ/T, and g_tᵀ ḡ is a_tᵀ ḡ δ_t.
    fn outer(inputs: MatRef<f64>, deltas: MatRef<f64>) -> Self {
        let iterations = inputs.ncols();
        let mut mean = Mat::<f64>::zeros(deltas.nrows(), inputs.nrows());
        let share = 1.0 / iterations as f64;
        matmul(mean.as_mut(), Accum::Replace, deltas, inputs.transpose(), share, Par::rayon(0));
        let mut projected = Mat::<f64>::zeros(deltas.nrows(), iterations);
        matmul(projected.as_mut(), Accum::Replace, mean.as_ref(), inputs, 1.0, Par::rayon(0));
        let squares = |t: usize| mean.col_as_slice(t).iter().map(|value| value * value).sum::<f64>();
        let own = |t: usize| deltas.col(t).iter().zip(projected.col(t).iter()).map(|(delta, mean)| delta * mean).sum();
        Self {
            products: (0..iterations).into_par_iter().map(own).collect(),
            squared_norm: (0..inputs.nrows()).map(squares).sum(),
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.products.iter_mut().zip(other.products).for_each(|(sum, product)| *sum += product);
        self.squared_norm += other.squared_norm;
        self
    }
}
