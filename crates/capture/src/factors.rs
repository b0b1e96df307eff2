use std::ops::Range;

use burn::tensor::{Device, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use gradspectra_models::{
    Classifier, Factors, LabelledInputs, LayerFactors, Trace, WeightLayout, cross_entropy_sum, runs_on_cpu,
};
use rayon::prelude::*;

use crate::gram::{GramBuilder, update_lower};
use crate::products::Products;
use crate::{CaptureError, GradientHistory, Gram, MinibatchIndices, ParameterLayout, Result};

/// Examples that run through the model at once on the CPU, and on a GPU at most.
const CHUNK: usize = 500;
const GPU_CHUNK: usize = 1024;
/// Gradients of examples that a GPU holds at once, in numbers: 1 GiB.
const GPU_NUMBERS: usize = 1 << 28;
/// Parameters that enter a Gram matrix at once, about.
const BLOCK: usize = 8192;
/// Columns that are summed together, a cache line.
const LANES: usize = 16;
/// Examples whose factors are gathered at once.
const GATHER: usize = 512;

/// The gradients of single examples at a fixed position, as the factors that they are products of.
#[derive(Debug)]
pub struct ExampleFactors {
    layout: ParameterLayout,
    /// The row of every example's factors, `u32::MAX` where it has none.
    rows: Vec<u32>,
    layers: Vec<Layer>,
    device: Device,
}

#[derive(Debug)]
struct Layer {
    path: String,
    range: Range<usize>,
    values: Values,
}

/// Row-major arrays over examples, in the order of [`Factors`].
#[derive(Debug)]
enum Values {
    Outer { input: Rows, delta: Rows, layout: WeightLayout, bias: bool },
    Explicit(Rows),
}

#[derive(Debug)]
struct Rows {
    width: usize,
    values: Vec<f32>,
}

impl Rows {
    fn empty(width: usize, capacity: usize) -> Self {
        Self { width, values: Vec::with_capacity(width * capacity) }
    }

    fn row(&self, row: u32) -> &[f32] {
        let start = row as usize * self.width;
        &self.values[start..start + self.width]
    }

    /// Columns are examples.
    fn columns(&self) -> MatRef<'_, f32> {
        MatRef::from_column_major_slice(&self.values, self.width, self.values.len() / self.width)
    }

    fn append(&mut self, tensor: Tensor<2>) -> bool {
        let values = tensor.into_data().try_to_vec::<f32>().expect("factors are f32, as the model's parameters");
        self.values.extend_from_slice(&values);
        values.iter().all(|value| value.is_finite())
    }
}

impl ExampleFactors {
    /// Runs the examples `indices` once through `model`, which lives on the autodiff device `device`.
    ///
    /// Returns `None` where the model does not take part: not all of its parameters belong to layers that go through
    /// the trace, each once. `progress` hears how many examples are done.
    ///
    /// # Errors
    ///
    /// A gradient that is not finite.
    pub fn capture<M: Classifier>(
        model: &M,
        examples: LabelledInputs,
        indices: &[u32],
        device: &Device,
        mut progress: impl FnMut(usize),
    ) -> Result<Option<Self>> {
        let layout = ParameterLayout::of(model);
        let model = model.clone().no_grad();
        let mut rows = vec![u32::MAX; examples.len()];
        indices.iter().zip(0..).for_each(|(&index, row)| rows[index as usize] = row);
        let mut layers: Vec<Layer> = Vec::new();
        for chunk in indices.chunks(chunk_size(&layout, device)) {
            let traced = trace(&model, examples, chunk, device);
            if layers.is_empty() {
                match Self::lay_out(&layout, &traced, indices.len()) {
                    Some(laid_out) => layers = laid_out,
                    None => return Ok(None),
                }
            }
            for (layer, traced) in layers.iter_mut().zip(traced) {
                if !layer.append(traced.factors) {
                    let place = format!("among examples {} to {}", chunk[0], chunk[chunk.len() - 1]);
                    return Err(CaptureError::NotFinite { path: layer.path.clone(), place });
                }
            }
            let done = layers.first().map_or(0, Layer::examples);
            progress(done);
        }
        Ok(Some(Self { layout, rows, layers, device: device.clone() }))
    }

    fn lay_out(layout: &ParameterLayout, traced: &[LayerFactors], examples: usize) -> Option<Vec<Layer>> {
        let layers: Vec<Layer> = traced
            .iter()
            .map(|traced| {
                let range = layout.layer(&traced.path)?;
                let fits = range.len() == traced.factors.parameters();
                fits.then(|| Layer::new(traced, range, examples))
            })
            .collect::<Option<_>>()?;
        let mut ranges: Vec<_> = layers.iter().map(|layer| layer.range.clone()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let tiled = ranges.windows(2).all(|pair| pair[0].end == pair[1].start);
        let covered: usize = ranges.iter().map(Range::len).sum();
        (tiled && covered == layout.parameters()).then_some(layers)
    }

    /// G for any minibatches of the captured examples.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn history(&self, minibatches: MinibatchIndices) -> GradientHistory {
        self.check(minibatches);
        let mut gradients = Mat::zeros(self.layout.parameters(), minibatches.iterations());
        for layer in &self.layers {
            for part in layer.parts() {
                let rows = layer.range.start + part.start;
                let block = gradients.as_mut().subrows_mut(rows, part.len());
                self.fill(layer, part, minibatches, block);
            }
        }
        GradientHistory::new(self.layout.clone(), gradients)
    }

    /// The Gram matrix of the minibatches' gradients, without forming G.
    ///
    /// For single examples a layer of factors adds (A Aᵀ) ∘ (D Dᵀ); for larger minibatches, and where the mean gradient
    /// dominates, G passes in blocks of parameters, centred before the product.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn gram(&self, minibatches: MinibatchIndices) -> Gram {
        self.check(minibatches);
        if minibatches.batch() == 1 {
            let gram = self.gram_of_examples(minibatches);
            if !gram.is_dominated_by_its_mean() {
                return gram;
            }
        }
        let mut builder = GramBuilder::new(minibatches.iterations()).on(&self.device);
        for layer in &self.layers {
            for part in layer.parts() {
                let mut block = Mat::zeros(part.len(), minibatches.iterations());
                self.fill(layer, part, minibatches, block.as_mut());
                builder.add(block);
            }
        }
        builder.finish()
    }

    fn gram_of_examples(&self, minibatches: MinibatchIndices) -> Gram {
        let products = Products::on(&self.device);
        let iterations = minibatches.iterations();
        let mut gram = Mat::<f64>::zeros(iterations, iterations);
        let [mut inputs, mut deltas] = [(); 2].map(|()| Mat::<f32>::zeros(iterations, iterations));
        for layer in &self.layers {
            match &layer.values {
                Values::Outer { input, delta, bias, .. } => {
                    products.inner_products(&mut inputs, self.select(input, minibatches).columns());
                    products.inner_products(&mut deltas, self.select(delta, minibatches).columns());
                    let constant = if *bias { 1.0 } else { 0.0 };
                    update_lower(&mut gram, |i, j, sum| {
                        sum + (f64::from(inputs[(i, j)]) + constant) * f64::from(deltas[(i, j)])
                    });
                }
                Values::Explicit(gradients) => {
                    products.inner_products(&mut deltas, self.select(gradients, minibatches).columns());
                    update_lower(&mut gram, |i, j, sum| sum + f64::from(deltas[(i, j)]));
                }
            }
        }
        Gram::from_inner_products(gram)
    }

    fn select(&self, rows: &Rows, minibatches: MinibatchIndices) -> Rows {
        let mut selected = Rows::empty(rows.width, minibatches.iterations());
        for t in 0..minibatches.iterations() {
            selected.values.extend_from_slice(rows.row(self.rows[minibatches.iteration(t)[0] as usize]));
        }
        selected
    }

    /// Sets `block` `[part, T]` to the entries `part` of the layer's gradients of every minibatch.
    fn fill(&self, layer: &Layer, part: Range<usize>, minibatches: MinibatchIndices, block: MatMut<f32>) {
        match &layer.values {
            Values::Explicit(gradients) => self.fill_sums(gradients, part, minibatches, block),
            Values::Outer { input, delta, .. } if part.start == input.width * delta.width => {
                self.fill_sums(delta, 0..delta.width, minibatches, block);
            }
            Values::Outer { input, delta, layout, .. } => {
                let (major, minor) = match layout {
                    WeightLayout::InputMajor => (input, delta),
                    WeightLayout::OutputMajor => (delta, input),
                };
                let part = part.start / minor.width..part.end / minor.width;
                self.fill_products(major, part, minor, minibatches, block);
            }
        }
    }

    /// Means of the columns `part` of `source`, a few columns at a time, which then fit the cache for all minibatches.
    fn fill_sums(&self, source: &Rows, part: Range<usize>, minibatches: MinibatchIndices, block: MatMut<f32>) {
        let scale = 1.0 / minibatches.batch() as f32;
        block.par_row_chunks_mut(LANES).enumerate().for_each(|(chunk, mut block)| {
            let start = part.start + chunk * LANES;
            let width = block.nrows();
            let pack = |&row: &u32| {
                let mut values = [0.0; LANES];
                if row != u32::MAX {
                    values[..width].copy_from_slice(&source.row(row)[start..start + width]);
                }
                values
            };
            let packed: Vec<[f32; LANES]> = self.rows.iter().map(pack).collect();
            for t in 0..minibatches.iterations() {
                let sums = sum_of(&packed, minibatches.iteration(t));
                for (row, sum) in sums.iter().enumerate().take(width) {
                    block[(row, t)] = *sum as f32 * scale;
                }
            }
        });
    }

    /// Means of major_i minor_iᵀ, row-major, of the entries `part` of the major factor.
    fn fill_products(
        &self,
        major: &Rows,
        part: Range<usize>,
        minor: &Rows,
        minibatches: MinibatchIndices,
        block: MatMut<f32>,
    ) {
        let scale = 1.0 / minibatches.batch() as f32;
        block.par_col_iter_mut().enumerate().for_each_init(Scratch::default, |scratch, (t, column)| {
            let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
            scratch.rows.clear();
            scratch.rows.extend(minibatches.iteration(t).iter().map(|&example| self.rows[example as usize]));
            scratch.sum_products(major, part.clone(), minor, column);
            column.iter_mut().for_each(|value| *value *= scale);
        });
    }

    /// Refuses minibatches of examples that were not captured.
    fn check(&self, minibatches: MinibatchIndices) {
        for t in 0..minibatches.iterations() {
            for &example in minibatches.iteration(t) {
                assert_ne!(self.rows[example as usize], u32::MAX, "example {example} was not captured");
            }
        }
    }
}

/// The sums over `examples` of their columns, in f64.
fn sum_of(packed: &[[f32; LANES]], examples: &[u32]) -> [f64; LANES] {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            for &example in examples {
                let values = &packed[example as usize];
                for (sum, &value) in sums.iter_mut().zip(values) {
                    *sum += f64::from(value);
                }
            }
            sums
        },
    )
}

fn chunk_size(layout: &ParameterLayout, device: &Device) -> usize {
    match runs_on_cpu(device) {
        true => CHUNK,
        false => (GPU_NUMBERS / layout.parameters().max(1)).clamp(1, GPU_CHUNK),
    }
}

fn trace<M: Classifier>(model: &M, examples: LabelledInputs, chunk: &[u32], device: &Device) -> Vec<LayerFactors> {
    let (inputs, labels) = examples.gather(chunk, device);
    let mut trace = Trace::recording();
    let loss = cross_entropy_sum(model.logits(inputs, &mut trace), labels);
    trace.resolve(loss.backward())
}

#[derive(Default)]
struct Scratch {
    rows: Vec<u32>,
    input: Vec<f32>,
    delta: Vec<f32>,
}

impl Layer {
    fn new(traced: &LayerFactors, range: Range<usize>, examples: usize) -> Self {
        let empty = |tensor: &Tensor<2>| Rows::empty(tensor.dims()[1], examples);
        let values = match &traced.factors {
            Factors::Outer { input, delta, layout, bias } => {
                Values::Outer { input: empty(input), delta: empty(delta), layout: *layout, bias: *bias }
            }
            Factors::Explicit(gradients) => Values::Explicit(empty(gradients)),
        };
        Self { path: traced.path.clone(), range, values }
    }

    fn examples(&self) -> usize {
        match &self.values {
            Values::Outer { delta, .. } => delta.columns().ncols(),
            Values::Explicit(gradients) => gradients.columns().ncols(),
        }
    }

    /// Whether every value is finite.
    fn append(&mut self, factors: Factors) -> bool {
        match (&mut self.values, factors) {
            (Values::Outer { input, delta, .. }, Factors::Outer { input: inputs, delta: deltas, .. }) => {
                input.append(inputs) & delta.append(deltas)
            }
            (Values::Explicit(rows), Factors::Explicit(gradients)) => rows.append(gradients),
            _ => unreachable!("a layer gives one kind of factors"),
        }
    }

    /// The layer's entries in parts of about [`BLOCK`]: whole rows of the weight, the bias on its own.
    fn parts(&self) -> Vec<Range<usize>> {
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

impl Scratch {
    /// Sets `column`, a row-major matrix, to Σ major_i minor_iᵀ over the rows.
    fn sum_products(&mut self, major: &Rows, part: Range<usize>, minor: &Rows, column: &mut [f32]) {
        let (height, width) = (part.len(), minor.width);
        let mut product = MatMut::from_column_major_slice_mut(column, width, height);
        let mut accum = Accum::Replace;
        for rows in self.rows.chunks(GATHER) {
            gather(&mut self.input, major, rows, part.clone());
            gather(&mut self.delta, minor, rows, 0..width);
            matmul(
                product.as_mut(),
                accum,
                MatRef::from_column_major_slice(&self.delta, width, rows.len()),
                MatRef::from_column_major_slice(&self.input, height, rows.len()).transpose(),
                1.0,
                Par::Seq,
            );
            accum = Accum::Add;
        }
    }
}

fn gather(target: &mut Vec<f32>, source: &Rows, rows: &[u32], part: Range<usize>) {
    target.clear();
    rows.iter().for_each(|&row| target.extend_from_slice(&source.row(row)[part.clone()]));
}
