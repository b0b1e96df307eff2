//! Gradients of a table whose rows are looked up: two examples meet in the rows that both look up.

use faer::Mat;
use rayon::prelude::*;

use super::{OfMean, exponent, halves};
use crate::SquareMatrix;
use crate::factors::layer::{Rows, Tokens};
use crate::gram::{Gram, Precision};
use crate::products::{add_inner_products, inner_products};
use crate::scale::power_of_two;

/// Adds the inner products of the gradients of some examples to `sum`, row of the table by row.
pub(super) fn add(sum: &mut Gram, tokens: &Tokens, delta: &Rows, examples: &[u32]) -> OfMean {
    let precision = sum.precision();
    let gram = sum.plain_mut().0;
    let mut lookups: Vec<(u32, u32, u32)> = Vec::with_capacity(examples.len() * delta.positions);
    for (t, &example) in (0..).zip(examples) {
        lookups.extend((0..).zip(tokens.example(example)).map(|(position, &token)| (token, t, position)));
    }
    lookups.par_sort_unstable();
    let exponent = exponent(delta, examples);
    let [first, second] = halves(-exponent);
    let unit = power_of_two(2 * exponent);
    let mut of_mean = OfMean { products: vec![0.0; examples.len()], squared_norm: 0.0 };
    for lookups in lookups.chunk_by(|one, other| one.0 == other.0) {
        let of_examples: Vec<&[(u32, u32, u32)]> = lookups.chunk_by(|one, other| one.1 == other.1).collect();
        let mut gradients = Mat::<f64>::zeros(delta.width, of_examples.len());
        for (column, lookups) in gradients.as_mut().col_iter_mut().zip(&of_examples) {
            let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
            for &(_, t, position) in *lookups {
                let row = &delta.example(examples[t as usize])[position as usize * delta.width..][..delta.width];
                column.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let iterations: Vec<usize> = of_examples.iter().map(|lookups| lookups[0].1 as usize).collect();
        let mut mean = vec![0.0; delta.width];
        for gradient in gradients.col_iter() {
            mean.iter_mut().zip(gradient.iter()).for_each(|(sum, value)| *sum += value / examples.len() as f64);
        }
        for (&t, gradient) in iterations.iter().zip(gradients.col_iter()) {
            of_mean.products[t] += gradient.iter().zip(&mean).map(|(value, mean)| value * mean).sum::<f64>();
        }
        of_mean.squared_norm += mean.iter().map(|value| value * value).sum::<f64>();
        match precision {
            Precision::Single => {
                let scaled = Mat::from_fn(delta.width, iterations.len(), |row, column| {
                    gradients[(row, column)] as f32 * first * second
                });
                let mut product = Mat::<f32>::zeros(iterations.len(), iterations.len());
                inner_products(product.as_mut(), scaled.as_ref());
                scatter(gram, &iterations, |i, j| unit * f64::from(product[(i, j)]));
            }
            Precision::Double => {
                let mut product = Mat::<f64>::zeros(iterations.len(), iterations.len());
                add_inner_products(product.as_mut(), gradients.as_ref());
                scatter(gram, &iterations, |i, j| product[(i, j)]);
            }
        }
    }
    of_mean
}

/// Adds `entry(i, j)` to the entry of `gram` at the `iterations`, ascending, of i and j.
fn scatter(gram: &mut SquareMatrix<f64>, iterations: &[usize], entry: impl Fn(usize, usize) -> f64) {
    for (j, &column) in iterations.iter().enumerate() {
        let column = gram.column_mut(column);
        for (i, &row) in iterations.iter().enumerate().skip(j) {
            column[row] += entry(i, j);
        }
    }
}
