use std::ops::Range;

use burn::tensor::Tensor;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use gradspectra_models::{Factors, LayerFactors, WeightLayout};

pub use super::size::LayerSize;
use crate::{CaptureError, NotFactored, Result};

/// The factors of one layer for every captured example.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) path: String,
    /// Its entries of a gradient.
    pub(super) range: Range<usize>,
    pub(super) values: Values,
}

/// Row-major arrays over examples, in the order of [`Factors`].
#[derive(Debug)]
pub(super) enum Values {
    Products(Products),
    Lookup { tokens: Tokens, delta: Rows },
    Explicit(Rows),
}

/// Factors of a weight whose gradients are sums of outer products over positions.
#[derive(Debug)]
pub(super) struct Products {
    pub(super) input: Rows,
    pub(super) delta: Rows,
    pub(super) layout: WeightLayout,
    pub(super) bias: bool,
}

impl Products {
    /// The factors that the rows and the columns of the stored weight follow.
    pub(super) fn major_and_minor(&self) -> (&Rows, &Rows) {
        match self.layout {
            WeightLayout::InputMajor => (&self.input, &self.delta),
            WeightLayout::OutputMajor => (&self.delta, &self.input),
        }
    }

    /// The entries of the weight.
    pub(super) fn weight(&self) -> usize {
        self.input.width * self.delta.width
    }
}

/// A matrix with a row an example and position, row by row.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) width: usize,
    /// The rows of an example.
    pub(super) positions: usize,
    pub(super) values: Vec<f32>,
}

impl Rows {
    fn zeros(width: usize, positions: usize, examples: usize) -> Self {
        Self { width, positions, values: vec![0.0; width * positions * examples] }
    }

    /// The rows of an example, one after the other.
    pub(super) fn example(&self, example: u32) -> &[f32] {
        let length = self.width * self.positions;
        &self.values[example as usize * length..][..length]
    }

    /// The rows of an example as columns.
    pub(super) fn as_columns(&self, example: u32) -> MatRef<'_, f32> {
        MatRef::from_column_major_slice(self.example(example), self.width, self.positions)
    }

    /// The rows of an example in f64, a column each.
    pub(super) fn columns(&self, example: u32) -> Mat<f64> {
        let rows = self.example(example);
        Mat::from_fn(self.width, self.positions, |entry, position| f64::from(rows[position * self.width + entry]))
    }
}

/// The rows of a table that each example looks up.
#[derive(Debug)]
pub(super) struct Tokens {
    /// The rows of the table.
    pub(super) rows: usize,
    positions: usize,
    values: Vec<u32>,
}

impl Tokens {
    pub(super) fn example(&self, example: u32) -> &[u32] {
        &self.values[example as usize * self.positions..][..self.positions]
    }
}

/// Where the factors of some examples with respect to a layer belong.
pub(super) enum Target<'a> {
    Products { positions: usize, input: &'a mut [f32], delta: &'a mut [f32] },
    Lookup { positions: usize, tokens: &'a mut [u32], delta: &'a mut [f32] },
    Explicit(&'a mut [f32]),
}

impl Target<'_> {
    /// Takes the factors of the examples `chunk` with respect to the layer at `path`, of which there is a row or a block of
    /// rows each.
    ///
    /// # Errors
    ///
    /// Another number of positions than the first examples had, or a value that is not finite.
    pub(super) fn take(self, factors: Factors, path: &str, chunk: &[u32]) -> Result<()> {
        let positions = |found: usize, held: usize| match found == held {
            true => Ok(()),
            false => Err(NotFactored::Positions { path: path.to_owned(), first: held, then: found }),
        };
        let finite = match (self, factors) {
            (
                Self::Products { positions: held, input, delta },
                Factors::Products { input: inputs, delta: deltas, .. },
            ) => {
                positions(inputs.dims()[1], held)?;
                fill(input, inputs) & fill(delta, deltas)
            }
            (Self::Lookup { positions: held, tokens, delta }, Factors::Lookup { tokens: found, delta: deltas, .. }) => {
                positions(found.dims()[1], held)?;
                tokens.iter_mut().zip(found.into_data().iter::<u32>()).for_each(|(token, found)| *token = found);
                fill(delta, deltas)
            }
            (Self::Explicit(gradients), factors) => fill(gradients, factors.explicit()),
            _ => return Err(NotFactored::Uses { path: path.to_owned() }.into()),
        };
        let place = || format!("among examples {} to {}", chunk[0], chunk[chunk.len() - 1]);
        if finite { Ok(()) } else { Err(CaptureError::NotFinite { path: path.to_owned(), place: place() }) }
    }
}

/// Sets `target` to the numbers of a tensor; whether all are finite.
fn fill<const D: usize>(target: &mut [f32], tensor: Tensor<D>) -> bool {
    let data = tensor.into_data();
    let values = data.as_slice::<f32>().expect("factors are f32, as the model's parameters");
    target.copy_from_slice(values);
    values.iter().all(|value| value.is_finite())
}

impl Layer {
    pub(super) fn new(traced: &LayerFactors, range: Range<usize>, examples: usize) -> Self {
        let empty = |tensor: &Tensor<3>| {
            let [_, positions, width] = tensor.dims();
            Rows::zeros(width, positions, examples)
        };
        let values = match &traced.factors {
            Factors::Products { input, delta, layout, bias } => {
                let (input, delta) = (empty(input), empty(delta));
                Values::Products(Products { input, delta, layout: *layout, bias: *bias })
            }
            Factors::Lookup { delta, rows, .. } => {
                let delta = empty(delta);
                let tokens =
                    Tokens { rows: *rows, positions: delta.positions, values: vec![0; delta.positions * examples] };
                Values::Lookup { tokens, delta }
            }
            Factors::Explicit(gradients) => Values::Explicit(Rows::zeros(gradients.dims()[1], 1, examples)),
        };
        Self { path: traced.path.clone(), range, values }
    }

    pub(super) fn size(&self) -> LayerSize {
        match &self.values {
            Values::Products(products) => {
                let (_, minor) = products.major_and_minor();
                let sides = [products.input.width, products.delta.width];
                LayerSize::products(sides, minor.width, products.input.positions, products.bias)
            }
            Values::Lookup { tokens, delta } => LayerSize::lookup(tokens.rows, delta.width, delta.positions),
            Values::Explicit(gradients) => LayerSize::explicit(gradients.width),
        }
    }

    /// Where the factors of the examples belong, of as many at a time as `chunk`.
    pub(super) fn targets(&mut self, chunk: usize) -> Vec<Target<'_>> {
        fn parts(rows: &mut Rows, chunk: usize) -> (usize, std::slice::ChunksMut<'_, f32>) {
            (rows.positions, rows.values.chunks_mut((rows.width * rows.positions * chunk).max(1)))
        }
        match &mut self.values {
            Values::Products(Products { input, delta, .. }) => {
                let ((positions, inputs), (_, deltas)) = (parts(input, chunk), parts(delta, chunk));
                inputs.zip(deltas).map(|(input, delta)| Target::Products { positions, input, delta }).collect()
            }
            Values::Lookup { tokens, delta } => {
                let (positions, deltas) = parts(delta, chunk);
                let tokens = tokens.values.chunks_mut(positions * chunk);
                tokens.zip(deltas).map(|(tokens, delta)| Target::Lookup { positions, tokens, delta }).collect()
            }
            Values::Explicit(gradients) => parts(gradients, chunk).1.map(Target::Explicit).collect(),
        }
    }

    /// How far the sum of the first examples' gradients, each times its weight, is from `expected`, relative to the larger of
    /// its norm and the root of the sum of theirs squared.
    pub(super) fn difference(&self, weights: &[f64], expected: &[f32]) -> f64 {
        let mut sum = vec![0.0; expected.len()];
        let mut squares = 0.0;
        for (example, weight) in weights.iter().enumerate() {
            let gradient = self.gradient(example as u32);
            sum.iter_mut().zip(&gradient).for_each(|(sum, value)| *sum += weight * value);
            squares += weight * weight * gradient.iter().map(|value| value * value).sum::<f64>();
        }
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let apart = square(&mut sum.iter().zip(expected).map(|(found, &expected)| found - f64::from(expected)));
        let norm = square(&mut expected.iter().map(|&value| f64::from(value))).max(squares);
        if apart > 0.0 { (apart / norm).sqrt() } else { 0.0 }
    }

    /// The gradient of an example in f64.
    pub(super) fn gradient(&self, example: u32) -> Vec<f64> {
        match &self.values {
            Values::Explicit(gradients) => gradients.example(example).iter().map(|&value| value.into()).collect(),
            Values::Lookup { tokens, delta } => {
                let mut gradient = vec![0.0; tokens.rows * delta.width];
                let rows = delta.example(example).chunks_exact(delta.width);
                for (&token, row) in tokens.example(example).iter().zip(rows) {
                    let entries = gradient[token as usize * delta.width..].iter_mut();
                    entries.zip(row).for_each(|(entry, &value)| *entry += f64::from(value));
                }
                gradient
            }
            Values::Products(products) => {
                let (major, minor) = products.major_and_minor();
                let (major, minor) = (major.columns(example), minor.columns(example));
                let mut product = Mat::<f64>::zeros(minor.nrows(), major.nrows());
                matmul(product.as_mut(), Accum::Replace, minor.as_ref(), major.transpose(), 1.0, Par::rayon(0));
                let mut gradient: Vec<f64> = product.col_iter().flat_map(|column| column.iter().copied()).collect();
                if products.bias {
                    let rows = products.delta.as_columns(example);
                    gradient.extend(rows.row_iter().map(|row| row.iter().map(|&value| f64::from(value)).sum::<f64>()));
                }
                gradient
            }
        }
    }
}
