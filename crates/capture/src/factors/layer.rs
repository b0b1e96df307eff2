use std::ops::Range;

use burn::tensor::Tensor;
use faer::MatRef;
use gradspectra_models::{Factors, LayerFactors, WeightLayout};

/// Parameters of a block, about.
const BLOCK: usize = 8192;

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

    pub(super) fn bytes_per_example(&self) -> usize {
        let width = match &self.values {
            Values::Outer { input, delta, .. } => input.width + delta.width,
            Values::Explicit(gradients) => gradients.width,
        };
        width * size_of::<f32>()
    }

    pub(super) fn examples(&self) -> usize {
        match &self.values {
            Values::Outer { delta, .. } => delta.columns().ncols(),
            Values::Explicit(gradients) => gradients.columns().ncols(),
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

    /// The layer's entries in parts of about [`BLOCK`]: whole rows of the weight, the bias on its own.
    pub(super) fn parts(&self) -> Vec<Range<usize>> {
        let (weight, row) = match &self.values {
            Values::Outer { input, delta, layout, .. } => match layout {
                WeightLayout::InputMajor => (input.width * delta.width, delta.width),
                WeightLayout::OutputMajor => (input.width * delta.width, input.width),
            },
            Values::Explicit(gradients) => (gradients.width, 1),
        };
        let step = row * (BLOCK / row).max(1);
        let mut parts: Vec<_> = (0..weight).step_by(step).map(|start| start..(start + step).min(weight)).collect();
        if weight < self.range.len() {
            parts.push(weight..self.range.len());
        }
        parts
    }
}
