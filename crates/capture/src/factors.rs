mod layer;
mod sums;

use std::ops::Range;

use burn::tensor::Device;
use faer::Mat;
use gradspectra_models::{
    Classifier, GpuMemory, LabelledInputs, LayerFactors, Trace, cross_entropy_sum, detached, runs_on_cpu,
};

use crate::gram::{GramBuilder, gram_terms};
use crate::products::Products;
use crate::{CaptureError, GradientHistory, Gram, MinibatchIndices, ParameterLayout, Result};
pub use layer::LayerSize;
use layer::{Layer, Rows, Values};

/// Examples that run through the model at once on the CPU, and on a GPU at most.
const CHUNK: usize = 500;
const GPU_CHUNK: usize = 4096;
/// The share of a GPU's memory that the gradients of a chunk's examples would take.
const GPU_SHARE: u64 = 16;

/// The gradients of single examples at a fixed position, as the factors that they are products of.
#[derive(Debug)]
pub struct ExampleFactors {
    layout: ParameterLayout,
    /// The row of every example's factors, `u32::MAX` where it has none.
    rows: Vec<u32>,
    /// Those that are captured.
    layers: Vec<Layer>,
    device: Device,
}

impl ExampleFactors {
    /// Runs the examples `indices` once through `model`, which lives on the autodiff device `device`.
    ///
    /// Returns `None` where the model does not take part: not all of its parameters belong to layers that go through
    /// the trace, each once. An example's logits must depend on that example alone, and every use of a layer must go
    /// through the trace; neither can be checked here. `progress` hears how many examples are done.
    ///
    /// # Errors
    ///
    /// A gradient that is not finite, or a layer whose output does not reach the loss.
    ///
    /// # Panics
    ///
    /// If an index is beyond the examples.
    pub fn capture<M: Classifier>(
        model: &M,
        examples: LabelledInputs,
        indices: &[u32],
        device: &Device,
        progress: impl FnMut(usize),
    ) -> Result<Option<Self>> {
        let all = 0..ParameterLayout::of(model).parameters();
        Self::capture_parameters(model, examples, indices, &[all], device, progress)
    }

    /// As [`capture`](Self::capture), with the factors of no more layers than have some of the parameters `wanted`:
    /// what is made of them is of those layers' parameters alone.
    ///
    /// # Errors
    ///
    /// A gradient that is not finite, of those layers.
    pub fn capture_parameters<M: Classifier>(
        model: &M,
        examples: LabelledInputs,
        indices: &[u32],
        wanted: &[Range<usize>],
        device: &Device,
        mut progress: impl FnMut(usize),
    ) -> Result<Option<Self>> {
        let layout = ParameterLayout::of(model);
        let model = detached(model).no_grad();
        let mut rows = vec![u32::MAX; examples.len()];
        indices.iter().zip(0..).for_each(|(&index, row)| rows[index as usize] = row);
        let is_wanted = |layer: &Layer| wanted.iter().any(|wanted| overlap(&layer.range, wanted));
        let mut layers: Vec<Layer> = Vec::new();
        let mut done = 0;
        for chunk in indices.chunks(chunk_size(&layout, device)) {
            let traced = trace(&model, examples, chunk, device)?;
            if layers.is_empty() {
                match Self::lay_out(&layout, &traced, indices.len()) {
                    Some(laid_out) => layers = laid_out,
                    None => return Ok(None),
                }
            }
            for (layer, traced) in layers.iter_mut().zip(traced).filter(|(layer, _)| is_wanted(layer)) {
                if !layer.append(traced.factors) {
                    let place = format!("among examples {} to {}", chunk[0], chunk[chunk.len() - 1]);
                    return Err(CaptureError::NotFinite { path: layer.path.clone(), place });
                }
            }
            done += chunk.len();
            progress(done);
        }
        layers.retain(is_wanted);
        layers.sort_unstable_by_key(|layer| layer.range.start);
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

    /// The sizes of the captured layers, in the order of their parameters.
    pub fn layers(&self) -> Vec<LayerSize> {
        self.layers.iter().map(Layer::size).collect()
    }

    /// G for any minibatches of the captured examples.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn history(&self, minibatches: MinibatchIndices) -> GradientHistory {
        self.check(minibatches);
        let mut gradients = Mat::zeros(self.layout.parameters(), minibatches.iterations());
        for (layer, part) in self.parts(0..usize::MAX) {
            let rows = layer.range.start + part.start;
            let block = gradients.as_mut().subrows_mut(rows, part.len());
            self.fill(layer, part, minibatches, block);
        }
        GradientHistory::new(self.layout.clone(), gradients)
    }

    /// G for any minibatches of the captured examples in blocks of rows, each made when it is asked for: the parameters
    /// of a block, ascending, and their rows. A block has about 8192 rows, so 164 MB at T = 5000. Those are passed over
    /// that have none of the parameters `wanted`.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn blocks<'a>(
        &'a self,
        minibatches: MinibatchIndices<'a>,
        wanted: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, Mat<f32>)> {
        self.check(minibatches);
        self.parts(wanted).map(move |(layer, part)| {
            let parameters = layer.range.start + part.start..layer.range.start + part.end;
            let mut block = Mat::zeros(part.len(), minibatches.iterations());
            self.fill(layer, part, minibatches, block.as_mut());
            (parameters, block)
        })
    }

    /// The blocks of the captured layers, counted from a layer's first parameter, that have some of those `wanted`.
    fn parts(&self, wanted: Range<usize>) -> impl Iterator<Item = (&Layer, Range<usize>)> {
        let parts = |layer: &Layer| layer.size().blocks().into_iter();
        let all = self.layers.iter().flat_map(move |layer| parts(layer).map(move |part| (layer, part)));
        all.filter(move |(layer, part)| {
            overlap(&(layer.range.start + part.start..layer.range.start + part.end), &wanted)
        })
    }

    /// The Gram matrix of the minibatches' gradients, without forming G whole.
    ///
    /// For single examples a layer of factors adds (A Aᵀ) ∘ (D Dᵀ); for larger minibatches, and where the mean gradient
    /// dominates, G passes in blocks of parameters, centred before the product.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn gram(&self, minibatches: MinibatchIndices) -> Gram {
        let all = 0..usize::MAX;
        if minibatches.batch() == 1 {
            let gram = self.add_layers(Gram::zeros(minibatches.iterations()), minibatches, all.clone()).centred();
            if !gram.is_dominated_by_its_mean() {
                return gram;
            }
        }
        let within =
            |(layer, part): (&Layer, Range<usize>)| layer.range.start + part.start..layer.range.start + part.end;
        let terms = gram_terms(&self.parts(all.clone()).map(within).collect::<Vec<_>>());
        let mut builder = GramBuilder::new(minibatches.iterations()).on(&self.device);
        for (parameters, block) in self.blocks(minibatches, all) {
            builder.add_to_term(&terms, parameters, block);
        }
        builder.finish()
    }

    /// Adds the plain inner products of the gradients of minibatches of one example, layer by layer, as far as a layer
    /// has some of the parameters `wanted`.
    ///
    /// # Panics
    ///
    /// If a minibatch names an example that was not captured.
    pub fn add_layers(&self, mut sum: Gram, minibatches: MinibatchIndices, wanted: Range<usize>) -> Gram {
        self.check(minibatches);
        let products = Products::on(&self.device);
        let gram = sum.inner_products_mut();
        for layer in self.layers.iter().filter(|layer| overlap(&layer.range, &wanted)) {
            match &layer.values {
                Values::Outer { input, delta, bias, .. } => {
                    let [input, delta] = [input, delta].map(|rows| self.select(rows, minibatches));
                    let constant = if *bias { 1.0 } else { 0.0 };
                    products.add_entrywise_product(gram, &[(input.columns(), constant), (delta.columns(), 0.0)]);
                }
                Values::Explicit(gradients) => {
                    products.add_entrywise_product(gram, &[(self.select(gradients, minibatches).columns(), 0.0)]);
                }
            }
        }
        sum
    }

    fn select(&self, rows: &Rows, minibatches: MinibatchIndices) -> Rows {
        let mut selected = Rows::empty(rows.width, minibatches.iterations());
        for t in 0..minibatches.iterations() {
            selected.values.extend_from_slice(rows.row(self.rows[minibatches.iteration(t)[0] as usize]));
        }
        selected
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

fn overlap(first: &Range<usize>, second: &Range<usize>) -> bool {
    first.start < second.end && second.start < first.end
}

fn chunk_size(layout: &ParameterLayout, device: &Device) -> usize {
    match runs_on_cpu(device) {
        true => CHUNK,
        false => {
            let example = (layout.parameters().max(1) * size_of::<f32>()) as u64;
            (GpuMemory::of(device).total / GPU_SHARE / example).clamp(1, GPU_CHUNK as u64) as usize
        }
    }
}

fn trace<M: Classifier>(
    model: &M,
    examples: LabelledInputs,
    chunk: &[u32],
    device: &Device,
) -> Result<Vec<LayerFactors>> {
    let (inputs, labels) = examples.gather(chunk, device);
    let mut trace = Trace::recording();
    let loss = cross_entropy_sum(model.logits(inputs, &mut trace), labels);
    trace.resolve(loss.backward()).map_err(|unreached| CaptureError::NoGradient { path: unreached.path })
}
