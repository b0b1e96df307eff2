mod layer;
mod plain;
mod size;
mod sums;
mod workers;

use std::collections::BTreeSet;
use std::ops::Range;

use burn::tensor::Device;
use faer::Mat;
use gradspectra_models::{Examples, GpuMemory, LayerFactors, Model, Trace, detached, runs_on_cpu};

use crate::checks::{check, loss_sum, weighted_loss};
use crate::direct::read;
use crate::gram::{GramBuilder, Precision, gram_terms};
use crate::products::Products;
use crate::{
    CaptureError, GradientHistory, Gram, MinibatchIndices, NotFactored, ParameterLayout, ParameterSlot, Result,
};
use layer::Layer;
pub use size::{LayerSize, PlainWay};

/// Examples that run through the model at once on the CPU, and on a GPU, at most.
const CHUNK: u64 = 500;
const GPU_CHUNK: usize = 4096;
/// The numbers in the inputs and outputs of the layers for the examples that run through the model at once on the CPU.
const CHUNK_NUMBERS: u64 = 6 << 20;
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
    /// An example's loss must depend on that example alone, and every use of a layer must go through the trace: the
    /// gradient of the first examples by factors is held to that of a backward pass. `progress` hears how many examples
    /// are done.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NotFactored`] with the layer or parameter and the reason where the model does not take part, so
    /// that [`direct_history`](crate::direct_history) is the way; and all that stops that way too: a gradient that is not
    /// finite, a layer whose output does not reach the loss, examples that do not fit the model, an example that is not there, a
    /// loss that a second evaluation does not repeat, a device without autodiff.
    pub fn capture<M: Model>(
        model: &M,
        examples: impl Examples<Batch = M::Batch> + Copy,
        indices: &[u32],
        device: &Device,
        progress: impl FnMut(usize),
    ) -> Result<Self> {
        let all = 0..ParameterLayout::of(model).parameters();
        Self::capture_parameters(model, examples, indices, &[all], device, progress)
    }

    /// As [`capture`](Self::capture), with the factors of no more layers than have some of the parameters `wanted`:
    /// what is made of them is of those layers' parameters alone.
    ///
    /// # Errors
    ///
    /// As of [`capture`](Self::capture); of gradients that are not finite, those of the layers wanted.
    pub fn capture_parameters<M: Model>(
        model: &M,
        examples: impl Examples<Batch = M::Batch> + Copy,
        indices: &[u32],
        wanted: &[Range<usize>],
        device: &Device,
        mut progress: impl FnMut(usize),
    ) -> Result<Self> {
        let layout = ParameterLayout::of(model);
        let numbers = check(model, &layout, examples, indices, device)?;
        let copy = detached(model);
        let still = copy.clone().no_grad();
        let mut rows = vec![u32::MAX; examples.len()];
        indices.iter().zip(0..).for_each(|(&index, row)| rows[index as usize] = row);
        let is_wanted = |layer: &Layer| wanted.iter().any(|wanted| overlap(&layer.range, wanted));
        let size = chunk_size(&layout, numbers, device);
        let Some(first) = indices.chunks(size).next() else {
            return Err(NotFactored::NoLayer.into());
        };
        let traced = trace(&still, examples, first, None, device)?;
        let mut layers = lay_out(&layout, &traced, indices.len())?;
        layers.retain(is_wanted);
        let paths: Vec<String> = layers.iter().map(|layer| layer.path.clone()).collect();
        let mut jobs: Vec<Job> = indices.chunks(size).map(|chunk| Job { chunk, targets: Vec::new() }).collect();
        for layer in &mut layers {
            jobs.iter_mut().zip(layer.targets(size)).for_each(|(job, target)| job.targets.push(target));
        }
        let mut jobs = jobs.into_iter();
        if let Some(job) = jobs.next() {
            job.take(traced, &paths)?;
        }
        let mut done = first.len();
        progress(done);
        let wanted: BTreeSet<String> = paths.iter().cloned().collect();
        let work = |still: &M, job: Job| {
            let traced = trace(still, examples, job.chunk, Some(&wanted), device)?;
            let count = job.chunk.len();
            job.take(traced, &paths).map(|()| count)
        };
        workers::run(jobs, &still, runs_on_cpu(device), work, |count| {
            done += count;
            progress(done);
        })?;
        hold_to_a_pass(&layers, &copy, &layout, examples, first, device)?;
        layers.sort_unstable_by_key(|layer| layer.range.start);
        Ok(Self { layout, rows, layers, device: device.clone() })
    }

    /// The sizes of the captured layers, in the order of their parameters.
    pub fn layers(&self) -> Vec<LayerSize> {
        self.layers.iter().map(Layer::size).collect()
    }

    /// The paths of the captured layers, in the order of their parameters.
    pub fn paths(&self) -> Vec<String> {
        self.layers.iter().map(|layer| layer.path.clone()).collect()
    }

    /// G for any minibatches of the captured examples.
    ///
    /// # Errors
    ///
    /// A minibatch names an example that was not captured.
    pub fn history(&self, minibatches: MinibatchIndices) -> Result<GradientHistory> {
        self.check(minibatches)?;
        let mut gradients = Mat::zeros(self.layout.parameters(), minibatches.iterations());
        for (layer, part) in self.parts(0..usize::MAX) {
            let rows = layer.range.start + part.start;
            let block = gradients.as_mut().subrows_mut(rows, part.len());
            self.fill(layer, part, minibatches, block);
        }
        Ok(GradientHistory::new(self.layout.clone(), gradients))
    }

    /// G for any minibatches of the captured examples in blocks of rows, each made when it is asked for: the parameters
    /// of a block, ascending, and their rows. A block has about 8192 rows, so 164 MB at T = 5000. Those are passed over
    /// that have none of the parameters `wanted`.
    ///
    /// # Errors
    ///
    /// A minibatch names an example that was not captured.
    pub fn blocks<'a>(
        &'a self,
        minibatches: MinibatchIndices<'a>,
        wanted: Range<usize>,
    ) -> Result<impl Iterator<Item = (Range<usize>, Mat<f32>)>> {
        self.check(minibatches)?;
        Ok(self.parts(wanted).map(move |(layer, part)| {
            let parameters = layer.range.start + part.start..layer.range.start + part.end;
            let mut block = Mat::zeros(part.len(), minibatches.iterations());
            self.fill(layer, part, minibatches, block.as_mut());
            (parameters, block)
        }))
    }

    /// The blocks of the captured layers, counted from a layer's first parameter, that have some of those `wanted`.
    fn parts(&self, wanted: Range<usize>) -> impl Iterator<Item = (&Layer, Range<usize>)> {
        let parts = |layer: &Layer| layer.size().blocks().into_iter();
        let all = self.layers.iter().flat_map(move |layer| parts(layer).map(move |part| (layer, part)));
        all.filter(move |(layer, part)| {
            overlap(&(layer.range.start + part.start..layer.range.start + part.end), &wanted)
        })
    }

    /// The Gram matrix of the minibatches' gradients, without forming G whole, products in `precision`.
    ///
    /// For single examples a layer with one row an example adds (A Aᵀ) ∘ (D Dᵀ), and another by its [`PlainWay`]; for larger
    /// minibatches, and where the mean gradient dominates, G passes in blocks of parameters, centred before the product.
    ///
    /// # Errors
    ///
    /// A minibatch names an example that was not captured, or the system refuses the memory of T × T numbers.
    pub fn gram(&self, minibatches: MinibatchIndices, precision: Precision) -> Result<Gram> {
        let all = 0..usize::MAX;
        let iterations = minibatches.iterations();
        if minibatches.batch() == 1 {
            let gram = self.add_layers(Gram::zeros(iterations, precision)?, minibatches, all.clone())?.centred();
            if !gram.is_dominated_by_its_mean() {
                return Ok(gram);
            }
        }
        let within =
            |(layer, part): (&Layer, Range<usize>)| layer.range.start + part.start..layer.range.start + part.end;
        let terms = gram_terms(&self.parts(all.clone()).map(within).collect::<Vec<_>>());
        let mut builder = GramBuilder::new(iterations, precision)?.on(&self.device);
        for (parameters, block) in self.blocks(minibatches, all)? {
            builder.add_to_term(&terms, parameters, block)?;
        }
        builder.finish()
    }

    /// Adds the plain inner products of the gradients of minibatches of one example, layer by layer, as far as a layer
    /// has some of the parameters `wanted`, in the precision of `sum`.
    ///
    /// # Errors
    ///
    /// A minibatch names an example that was not captured, or the system refuses memory.
    pub fn add_layers(&self, mut sum: Gram, minibatches: MinibatchIndices, wanted: Range<usize>) -> Result<Gram> {
        self.check(minibatches)?;
        let products = Products::on(&self.device);
        for layer in self.layers.iter().filter(|layer| overlap(&layer.range, &wanted)) {
            if layer.size().is_added_at_once() {
                self.add_plain(&mut sum, layer, minibatches, &products)?;
                continue;
            }
            // A sum of its own, so that it has the same bits where layers are added up elsewhere.
            let mut own = Gram::zeros(sum.iterations(), sum.precision())?;
            self.add_plain(&mut own, layer, minibatches, &products)?;
            sum += &own;
        }
        Ok(sum)
    }

    /// The row of the first example of every minibatch.
    fn rows_of(&self, minibatches: MinibatchIndices) -> Vec<u32> {
        (0..minibatches.iterations()).map(|t| self.rows[minibatches.iteration(t)[0] as usize]).collect()
    }

    /// Refuses minibatches of examples that were not captured.
    fn check(&self, minibatches: MinibatchIndices) -> Result<()> {
        match minibatches
            .indices()
            .iter()
            .find(|&&index| self.rows.get(index as usize).is_none_or(|&row| row == u32::MAX))
        {
            Some(&index) => Err(CaptureError::NotCaptured { index }),
            None => Ok(()),
        }
    }
}

/// Some examples, and where their factors belong.
struct Job<'a> {
    chunk: &'a [u32],
    targets: Vec<layer::Target<'a>>,
}

impl Job<'_> {
    /// Takes the factors of the layers at `paths`, which are in the order of the targets.
    fn take(self, traced: Vec<LayerFactors>, paths: &[String]) -> Result<()> {
        let mut traced = traced.into_iter();
        for (path, target) in paths.iter().zip(self.targets) {
            let Some(own) = traced.find(|traced| traced.path == *path) else {
                return Err(NotFactored::Uses { path: path.clone() }.into());
            };
            target.take(own.factors, path, self.chunk)?;
        }
        Ok(())
    }
}

fn overlap(first: &Range<usize>, second: &Range<usize>) -> bool {
    first.start < second.end && second.start < first.end
}

/// The threads that examples run through the model on, at most.
pub fn threads_at_once() -> u64 {
    workers::count() as u64
}

/// The most examples of which the CPU holds what a pass leaves at once: a chunk on each core, where the layers of an example have
/// `numbers` in their inputs and outputs.
pub fn examples_at_once(numbers: u64) -> u64 {
    cpu_chunk(numbers) * threads_at_once()
}

fn cpu_chunk(numbers: u64) -> u64 {
    (CHUNK_NUMBERS / numbers.max(1)).clamp(1, CHUNK)
}

/// The examples that run through the model at once where each has `numbers` in its layers' inputs and outputs.
fn chunk_size(layout: &ParameterLayout, numbers: u64, device: &Device) -> usize {
    match runs_on_cpu(device) {
        true => cpu_chunk(numbers) as usize,
        false => {
            let example = (layout.parameters().max(1) * size_of::<f32>()) as u64;
            (GpuMemory::of(device).total / GPU_SHARE / example).clamp(1, GPU_CHUNK as u64) as usize
        }
    }
}

/// The factors of the layers at `paths`, of all without it, each once.
fn trace<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    chunk: &[u32],
    paths: Option<&BTreeSet<String>>,
    device: &Device,
) -> Result<Vec<LayerFactors>> {
    let mut trace = paths.map_or_else(Trace::recording, |paths| Trace::recording_only(paths.clone()));
    let loss = loss_sum(model, examples, chunk, device, &mut trace)?;
    let uses = trace.resolve(loss.backward()).map_err(|unreached| CaptureError::NoGradient { path: unreached.path })?;
    let mut layers: Vec<LayerFactors> = Vec::with_capacity(uses.len());
    for LayerFactors { path, factors } in uses {
        if let Some(&rows) = factors.examples().iter().find(|&&rows| rows != chunk.len()) {
            return Err(NotFactored::Rows { path, rows, examples: chunk.len() }.into());
        }
        match layers.iter_mut().find(|layer| layer.path == path) {
            None => layers.push(LayerFactors { path, factors }),
            Some(layer) if layer.factors.parameters() == factors.parameters() => {
                layer.factors = layer.factors.clone().plus(factors);
            }
            Some(_) => return Err(NotFactored::Uses { path }.into()),
        }
    }
    layers.iter_mut().for_each(|layer| layer.factors = layer.factors.clone().smallest());
    Ok(layers)
}

/// The layers that go through the trace, in the order of their first calls; every parameter is in one of them.
fn lay_out(layout: &ParameterLayout, traced: &[LayerFactors], examples: usize) -> Result<Vec<Layer>, NotFactored> {
    if traced.is_empty() {
        return Err(NotFactored::NoLayer);
    }
    let mut layers: Vec<Layer> = Vec::with_capacity(traced.len());
    for layer in traced {
        let (path, factors) = (layer.path.clone(), layer.factors.parameters());
        let Some(range) = layout.layer(&path) else { return Err(NotFactored::Unknown { path }) };
        if layers.iter().any(|layer| overlap(&layer.range, &range)) {
            return Err(NotFactored::Repeated { path });
        }
        if factors != range.len() {
            return Err(NotFactored::Size { path, factors, parameters: range.len() });
        }
        layers.push(Layer::new(layer, range, examples));
    }
    let is_traced = |slot: &&ParameterSlot| layers.iter().any(|layer| overlap(&layer.range, &slot.range));
    match layout.slots().iter().find(|slot| !is_traced(slot)) {
        Some(slot) => Err(NotFactored::Untraced { path: slot.path.clone() }),
        None => Ok(layers),
    }
}

/// Holds a sum of the gradients of the first examples of `chunk`, which were captured first, to that of a backward pass. Each
/// has a weight of its own, so that gradients of other examples than they are taken for are found, and those of examples that
/// mix.
fn hold_to_a_pass<M: Model>(
    layers: &[Layer],
    model: &M,
    layout: &ParameterLayout,
    examples: impl Examples<Batch = M::Batch> + Copy,
    chunk: &[u32],
    device: &Device,
) -> Result<()> {
    /// Examples of a small minibatch; where they mix, it is another mixture than that of the chunk.
    const EXAMPLES: usize = 8;
    /// Above what another order of sums does, also where it decides which of two equal values is the largest.
    const TOLERANCE: f64 = 0.01;
    let chunk = &chunk[..chunk.len().min(EXAMPLES)];
    let weights: Vec<f64> = (0..chunk.len()).map(|example| 1.0 - 0.375 * example as f64).collect();
    let loss = weighted_loss(model, examples, chunk, &weights, device, &mut Trace::direct())?;
    let place = format!("examples {} to {}", chunk[0], chunk[chunk.len() - 1]);
    let expected = read(model, layout, &loss.backward(), &place)?;
    for layer in layers {
        let difference = layer.difference(&weights, &expected[layer.range.clone()]);
        if difference > TOLERANCE {
            return Err(NotFactored::Differs { path: layer.path.clone(), difference }.into());
        }
    }
    Ok(())
}
