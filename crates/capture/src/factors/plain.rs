//! Plain inner products of the gradients of single examples, from a layer's factors.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::ExampleFactors;
use super::layer::{Layer, Products as Sums, Rows, Values};
use super::size::{BLOCK, PlainWay};
use crate::gram::{Gram, Precision};
use crate::products::{Factor, Products, add_inner_products, add_tiles};
use crate::reductions::{Number, add, dot, largest};
use crate::scale::{exponent_of, power_of_two};
use crate::{MinibatchIndices, Result, SquareMatrix};

mod matches;
mod pairs;

impl ExampleFactors {
    /// Adds the inner products of the gradients of the examples of `minibatches`, one an iteration, with respect to `layer` to
    /// `sum`; and from the mean gradient, in f64, its products with them and its squared norm.
    pub(super) fn add_plain(
        &self,
        sum: &mut Gram,
        layer: &Layer,
        minibatches: MinibatchIndices,
        products: &Products,
    ) -> Result<()> {
        let rows = &self.rows_of(minibatches)[..];
        let precision = sum.precision();
        let of_mean = match (&layer.values, layer.size().way) {
            (Values::Products(factors), PlainWay::Outer { .. }) => add_outer(sum, factors, rows, products)?,
            (Values::Products(factors), PlainWay::Pairs { .. }) if !products.are_on_gpu() => {
                let gram = sum.plain_mut().0;
                match precision {
                    Precision::Single => pairs::add::<f32>(gram, factors, rows),
                    Precision::Double => pairs::add::<f64>(gram, factors, rows),
                }
                pairs::of_mean(factors, rows)
            }
            (Values::Lookup { tokens, delta }, _) => matches::add(sum, tokens, delta, rows),
            (Values::Explicit(gradients), _) if gradients.width <= BLOCK => {
                add_gradients(sum, gradients, rows, products)?
            }
            _ => return self.add_by_blocks(sum, layer, minibatches, products),
        };
        of_mean.add_to(sum);
        Ok(())
    }

    /// The products of gradients that are formed in blocks of parameters.
    fn add_by_blocks(
        &self,
        sum: &mut Gram,
        layer: &Layer,
        minibatches: MinibatchIndices,
        products: &Products,
    ) -> Result<()> {
        let (precision, iterations) = (sum.precision(), minibatches.iterations());
        let mut product = SquareMatrix::zeros(if precision == Precision::Single { iterations } else { 0 })?;
        let mut block = Mat::<f32>::zeros(0, 0);
        for part in layer.size().blocks() {
            if precision == Precision::Double {
                for part in layer.size().halves(part) {
                    let exact = exact_block(layer, part, &self.rows_of(minibatches));
                    OfMean::columns(&exact).add_to(sum);
                    add_inner_products(sum.plain_mut().0.as_mut(), exact.as_ref());
                }
                continue;
            }
            if block.nrows() != part.len() {
                block = Mat::zeros(part.len(), iterations);
            }
            self.fill(layer, part, minibatches, block.as_mut());
            OfMean::columns(&block).add_to(sum);
            let exponent = scale(&mut block);
            products.inner_products(&mut product, block.as_ref());
            let unit = power_of_two(2 * exponent);
            sum.plain_mut().0.update_lower(|i, j, value| value + unit * f64::from(product.entry(i, j)));
        }
        Ok(())
    }
}

/// The entries `part` of the gradients of some examples in f64, a column each.
fn exact_block(layer: &Layer, part: Range<usize>, examples: &[u32]) -> Mat<f64> {
    let mut exact = Mat::<f64>::zeros(part.len(), examples.len());
    exact.as_mut().par_col_iter_mut().zip(examples).for_each(|(column, &example)| {
        let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
        match &layer.values {
            Values::Products(factors) if part.start < factors.weight() => {
                let (major, minor) = factors.major_and_minor();
                let rows = part.start / minor.width..part.end / minor.width;
                let (major, minor) = (major.columns(example), minor.columns(example));
                let product = MatMut::from_column_major_slice_mut(column, minor.nrows(), rows.len());
                let major = major.as_ref().subrows(rows.start, rows.len());
                matmul(product, Accum::Replace, minor.as_ref(), major.transpose(), 1.0, Par::Seq);
            }
            Values::Products(factors) => {
                let entries = part.start - factors.weight()..part.end - factors.weight();
                let rows = factors.delta.example(example).chunks_exact(factors.delta.width);
                rows.for_each(|row| add(column, &row[entries.clone()]));
            }
            Values::Explicit(gradients) => add(column, &gradients.example(example)[part.clone()]),
            Values::Lookup { .. } => column.copy_from_slice(&layer.gradient(example)[part.clone()]),
        }
    });
    exact
}

/// Of gradients a δᵀ.
fn add_outer(sum: &mut Gram, factors: &Sums, rows: &[u32], products: &Products) -> Result<OfMean> {
    let Sums { input, delta, bias, .. } = factors;
    let precision = sum.precision();
    let gram = sum.plain_mut().0;
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
    Ok(if *bias { of_weight.plus(OfMean::plain(delta, rows)) } else { of_weight })
}

/// Of gradients that are held.
fn add_gradients(sum: &mut Gram, gradients: &Rows, rows: &[u32], products: &Products) -> Result<OfMean> {
    let precision = sum.precision();
    let gram = sum.plain_mut().0;
    match precision {
        Precision::Single => {
            products.add_entrywise_product(gram, &[Scaled::of(gradients, rows).factor(0.0)])?;
        }
        Precision::Double => add_tiles(gram, &[exact(&double(gradients, rows), 0.0)]),
    }
    Ok(OfMean::plain(gradients, rows))
}

/// Takes a power of two out of a block whose squares would leave f32's range, and tells its exponent.
fn scale(block: &mut Mat<f32>) -> i32 {
    /// Squares of numbers about 2^±NEAR, and of others far smaller, stay within it.
    const NEAR: i32 = 20;
    let of_column = |t: usize| largest(block.col_as_slice(t));
    let largest = (0..block.ncols()).into_par_iter().map(of_column).reduce(|| 0.0, f32::max);
    let exponent = exponent_of(largest.into());
    if exponent.abs() <= NEAR {
        return 0;
    }
    let [first, second] = halves(-exponent);
    block.as_mut().par_col_iter_mut().for_each(|column| {
        column.iter_mut().for_each(|value| *value = *value * first * second);
    });
    exponent
}

/// The rows of some examples in f64, a column each.
fn double(source: &Rows, examples: &[u32]) -> Mat<f64> {
    gathered(source, examples, 1.0, 1.0)
}

/// The rows of some examples times two factors, a column each.
fn gathered<T: RealField + Copy + From<f32>>(source: &Rows, examples: &[u32], first: T, second: T) -> Mat<T> {
    let mut columns = Mat::zeros(source.width, source.positions * examples.len());
    let targets = columns.as_mut().par_col_chunks_mut(source.positions);
    targets.zip(examples).for_each(|(mut target, &example)| {
        let rows = source.example(example).chunks_exact(source.width);
        for (column, row) in target.as_mut().col_iter_mut().zip(rows) {
            let entries = column.iter_mut().zip(row);
            entries.for_each(|(entry, &value)| *entry = T::from(value) * first * second);
        }
    });
    columns
}

fn exact(columns: &Mat<f64>, constant: f64) -> Factor<'_, f64> {
    Factor { columns: columns.as_ref(), scale: 1.0, constant }
}

/// The exponent of the largest magnitude among the rows of some examples.
fn exponent(source: &Rows, examples: &[u32]) -> i32 {
    let of_example = |&example: &u32| source.example(example).iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    exponent_of(examples.par_iter().map(of_example).reduce(|| 0.0, f32::max).into())
}

/// Some rows, a column each, from which a power of two is taken out, so that their products stay in f32's range.
struct Scaled {
    width: usize,
    values: Vec<f32>,
    exponent: i32,
}

impl Scaled {
    fn of(source: &Rows, rows: &[u32]) -> Self {
        let exponent = exponent(source, rows);
        let [first, second] = halves(-exponent);
        let mut values = Vec::with_capacity(source.width * rows.len());
        rows.iter().for_each(|&row| values.extend(source.example(row).iter().map(|value| value * first * second)));
        Self { width: source.width, values, exponent }
    }

    fn factor(&self, constant: f64) -> Factor<'_, f32> {
        let count = self.values.len().checked_div(self.width).unwrap_or(0);
        let columns = MatRef::from_column_major_slice(&self.values, self.width, count);
        Factor { columns, scale: power_of_two(2 * self.exponent), constant }
    }
}

/// Two powers of two whose product is 2^`exponent`, which itself may be beyond f32.
fn halves(exponent: i32) -> [f32; 2] {
    [exponent / 2, exponent - exponent / 2].map(|half| power_of_two(half) as f32)
}

/// What a layer adds to g_tᵀ ḡ and ‖ḡ‖².
struct OfMean {
    products: Vec<f64>,
    squared_norm: f64,
}

impl OfMean {
    /// Of gradients that are some rows of `gradients`, or sums over the rows of an example.
    fn plain(gradients: &Rows, rows: &[u32]) -> Self {
        let mut mean = vec![0.0; gradients.width];
        for &row in rows {
            for position in gradients.example(row).chunks_exact(gradients.width) {
                mean.iter_mut().zip(position).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
        let product = |&row: &u32| {
            let entries = gradients.example(row).iter().zip(mean.iter().cycle());
            entries.map(|(&value, mean)| f64::from(value) * mean).sum()
        };
        Self {
            products: rows.par_iter().map(product).collect(),
            squared_norm: mean.iter().map(|value| value * value).sum(),
        }
    }

    /// Of gradients that are the columns of a block.
    fn columns<T: Number>(block: &Mat<T>) -> Self {
        const ROWS: usize = 512;
        let iterations = block.ncols();
        let mut mean = vec![0.0; block.nrows()];
        mean.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, mean)| {
            for t in 0..iterations {
                let column = &block.col_as_slice(t)[chunk * ROWS..][..mean.len()];
                add(mean, column);
            }
            mean.iter_mut().for_each(|sum| *sum /= iterations as f64);
        });
        let product = |t: usize| dot(block.col_as_slice(t), &mean);
        Self {
            products: (0..iterations).into_par_iter().map(product).collect(),
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
        let own = |t: usize| deltas.col(t).iter().zip(projected.col(t).iter()).map(|(delta, mean)| delta * mean).sum();
        Self { products: (0..iterations).into_par_iter().map(own).collect(), squared_norm: squared_norm(&mean) }
    }

    fn plus(mut self, other: Self) -> Self {
        self.products.iter_mut().zip(other.products).for_each(|(sum, product)| *sum += product);
        self.squared_norm += other.squared_norm;
        self
    }

    fn add_to(self, sum: &mut Gram) {
        let (_, along, squared_norm) = sum.plain_mut();
        along.iter_mut().zip(self.products).for_each(|(sum, product)| *sum += product);
        *squared_norm += self.squared_norm;
    }
}

fn squared_norm(matrix: &Mat<f64>) -> f64 {
    let of_column = |j: usize| matrix.col_as_slice(j).iter().map(|value| value * value).sum::<f64>();
    (0..matrix.ncols()).map(of_column).sum()
}
