use std::ops::Range;

use burn::tensor::Tensor;
use faer::MatRef;
use gradspectra_models::{Factors, LayerFactors, WeightLayout};

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
    /// The numbers in an example's factors.
    pub factors: usize,
}

impl LayerSize {
    /// That of Burn's `Linear`, with a bias.
    pub fn linear(inputs: usize, outputs: usize) -> Self {
        Self { weight: inputs * outputs, row: outputs, bias: outputs, factors: inputs + outputs }
    }

    /// That of a layer whose factor is the gradient.
    pub fn explicit(parameters: usize) -> Self {
        Self { weight: parameters, row: 1, bias: 0, factors: parameters }
    }

    /// Its entries of a gradient.
    pub fn parameters(&self) -> usize {
        self.weight + self.bias
    }

    /// Its parameters in blocks of about 8192, counted from its first: whole rows of the weight, the bias on its own.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let step = self.row * (BLOCK / self.row).max(1);
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

    /// Columns are examples.
    pub(super) fn columns(&self) -> MatRef<'_, f32> {
        MatRef::from_column_major_slice(&self.values, self.width, self.values.len() / self.width)
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
                LayerSize { weight, row, bias: self.range.len() - weight, factors: input.width + delta.width }
            }
            Values::Explicit(gradients) => LayerSize::explicit(gradients.width),
        }
    }

    /// Whether every value is finite.
    pub(super) fn append(&mut self, factors: Factors) -> bool {
        match (&mut self.values, factors) {
            (Values::Outer { input, delta, .. }, Factors::Outer { input: inputs, delta: deltas, .. }) => {
                input.append(inputs) & delta.append(deltas)
            }
            (Values::Explicit(rows), Factors::Explicit(gradients)) => rows.append(gradients),
            _ => unreachable!("a layer gives one kind of factors"),
        }
    }
}
