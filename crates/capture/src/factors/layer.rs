use std::ops::Range;

use burn::tensor::Tensor;
use gradspectra_models::{Factors, LayerFactors, WeightLayout};

use crate::{CaptureError, NotFactored, Result};

/// Parameters of a block, about.
const BLOCK: usize = 8192;

/// The sizes of a layer whose gradients are captured as factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSize {
    /// Its parameters but for a bias that is the second factor.
    weight: usize,
    /// The parameters that are not taken apart.
    row: usize,
    /// The others.
    bias: usize,
    /// The numbers in the second factor; 0 where the factor is the gradient.
    deltas: usize,
    /// The numbers in an example's factors.
    pub factors: usize,
}

impl LayerSize {
    /// The size of Burn's `Linear`, with a bias.
    pub fn linear(inputs: usize, outputs: usize) -> Self {
        Self { weight: inputs * outputs, row: outputs, bias: outputs, deltas: outputs, factors: inputs + outputs }
    }

    /// The size of a layer whose factor is the gradient.
    pub fn explicit(parameters: usize) -> Self {
        Self { weight: parameters, row: 1, bias: 0, deltas: 0, factors: parameters }
    }

    /// Its entries of a gradient.
    pub fn parameters(&self) -> usize {
        self.weight + self.bias
    }

    /// The numbers of f32 that would fill what is held beside the factors while the inner products of the gradients of
    /// `iterations` examples are formed: the factors in f64 and in f32, then in f64 the mean gradient and its products.
    pub fn copies(&self, iterations: usize) -> usize {
        let exact = 2 * self.factors * iterations;
        exact + (self.factors * iterations).max(2 * (self.deltas * iterations + self.weight))
    }

    /// The parameters of its largest block.
    pub fn largest_block(&self) -> usize {
        self.step().min(self.weight).max(self.bias)
    }

    /// Parameters of a block of whole rows of the weight.
    fn step(&self) -> usize {
        self.row * (BLOCK / self.row).max(1)
    }

    /// Its parameters in blocks of about 8192, counted from its first: whole rows of the weight, the bias on its own.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let step = self.step();
        let weight = (0..self.weight).step_by(step).map(|start| start..(start + step).min(self.weight));
        let bias = (self.bias > 0).then_some(self.weight..self.parameters());
        weight.chain(bias).collect()
    }
}

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
    Outer { input: Rows, delta: Rows, layout: WeightLayout, bias: bool },
    Explicit(Rows),
}

/// A row-major matrix with a row an example.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Rows {
    pub(super) fn empty(width: usize, capacity: usize) -> Self {
        Self { width, values: Vec::with_capacity(width * capacity) }
    }

    pub(super) fn row(&self, row: u32) -> &[f32] {
        let start = row as usize * self.width;
        &self.values[start..start + self.width]
    }

    pub(super) fn append(&mut self, tensor: Tensor<2>) -> bool {
        let values = tensor.into_data().try_to_vec::<f32>().expect("factors are f32, as the model's parameters");
        self.values.extend_from_slice(&values);
        values.iter().all(|value| value.is_finite())
    }
}

impl Layer {
    pub(super) fn new(traced: &LayerFactors, range: Range<usize>, examples: usize) -> Self {
        let empty = |tensor: &Tensor<2>| Rows::empty(tensor.dims()[1], examples);
        let values = match &traced.factors {
            Factors::Outer { input, delta, layout, bias } => {
                Values::Outer { input: empty(input), delta: empty(delta), layout: *layout, bias: *bias }
            }
            Factors::Explicit(gradients) => Values::Explicit(empty(gradients)),
        };
        Self { path: traced.path.clone(), range, values }
    }

    pub(super) fn size(&self) -> LayerSize {
        match &self.values {
            Values::Outer { input, delta, layout, .. } => {
                let row = match layout {
                    WeightLayout::InputMajor => delta.width,
                    WeightLayout::OutputMajor => input.width,
                };
                let weight = input.width * delta.width;
                let (bias, deltas) = (self.range.len() - weight, delta.width);
                LayerSize { weight, row, bias, deltas, factors: input.width + deltas }
            }
            Values::Explicit(gradients) => LayerSize::explicit(gradients.width),
        }
    }

    /// Appends the factors of the examples `chunk`.
    ///
    /// # Errors
    ///
    /// Another number of rows than examples, or a value that is not finite.
    pub(super) fn append(&mut self, factors: Factors, chunk: &[u32]) -> Result<()> {
        let examples = chunk.len();
        let counted = match &factors {
            Factors::Outer { input, delta, .. } => [input.dims()[0], delta.dims()[0]],
            Factors::Explicit(gradients) => [gradients.dims()[0]; 2],
        };
        if let Some(&rows) = counted.iter().find(|&&rows| rows != examples) {
            return Err(NotFactored::Rows { path: self.path.clone(), rows, examples }.into());
        }
        let finite = match (&mut self.values, factors) {
            (Values::Outer { input, delta, .. }, Factors::Outer { input: inputs, delta: deltas, .. }) => {
                input.append(inputs) & delta.append(deltas)
            }
            (Values::Explicit(rows), Factors::Explicit(gradients)) => rows.append(gradients),
            _ => unreachable!("a layer gives one kind of factors"),
        };
        let place = || format!("among examples {} to {}", chunk[0], chunk[examples - 1]);
        if finite { Ok(()) } else { Err(CaptureError::NotFinite { path: self.path.clone(), place: place() }) }
    }

    /// How far the sum of the first `examples` examples' gradients is from `expected`, relative to the larger of its norm
    /// and the root of the sum of theirs squared.
    pub(super) fn difference(&self, examples: usize, expected: &[f32]) -> f64 {
        let mut sum = vec![0.0; expected.len()];
        let mut squares = 0.0;
        for row in 0..examples as u32 {
            let mut squared = 0.0;
            self.for_each_entry(row, |entry, value| {
                sum[entry] += value;
                squared += value * value;
            });
            squares += squared;
        }
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let apart = square(&mut sum.iter().zip(expected).map(|(found, &expected)| found - f64::from(expected)));
        let norm = square(&mut expected.iter().map(|&value| f64::from(value))).max(squares);
        if apart > 0.0 { (apart / norm).sqrt() } else { 0.0 }
    }

    /// Hands every entry of an example's gradient to `visit`, by its place in the layer.
    fn for_each_entry(&self, row: u32, mut visit: impl FnMut(usize, f64)) {
        match &self.values {
            Values::Explicit(gradients) => {
                gradients.row(row).iter().enumerate().for_each(|(entry, &value)| visit(entry, value.into()));
            }
            Values::Outer { input, delta, layout, bias } => {
                let (major, minor) = match layout {
                    WeightLayout::InputMajor => (input, delta),
                    WeightLayout::OutputMajor => (delta, input),
                };
                for (i, &first) in major.row(row).iter().enumerate() {
                    for (j, &second) in minor.row(row).iter().enumerate() {
                        visit(i * minor.width + j, f64::from(first) * f64::from(second));
                    }
                }
                let weight = major.width * minor.width;
                let biases = if *bias { delta.row(row) } else { &[] };
                biases.iter().enumerate().for_each(|(j, &value)| visit(weight + j, value.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_block_is_the_largest_of_all() {
        for (inputs, outputs) in [(1, 1), (6, 20_000), (20_000, 6), (784, 10), (300, 8192), (2, 8193), (1, 100_000)] {
            let size = LayerSize::linear(inputs, outputs);
            let largest = size.blocks().iter().map(Range::len).max();
            assert_eq!(Some(size.largest_block()), largest, "{inputs}, {outputs}");
        }
        assert_eq!(LayerSize::explicit(10_000).largest_block(), BLOCK);
        assert_eq!(LayerSize::explicit(7).largest_block(), 7);
    }
}
