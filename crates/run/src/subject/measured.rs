//! What is measured on a network before anything is done with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use gradspectra_capture::{CaptureError, ExampleFactors, LayerSize, MinibatchIndices, PlainWay, direct_history};
use gradspectra_data::LoadOptions;
use gradspectra_experiment::{DataSpec, LayerWay, ModelSpec};
use gradspectra_models::{Examples, Model, Trace, detached, losses};

use rayon::ThreadPoolBuilder;

use super::network::network;
use crate::error::{Error, Result};
use crate::estimate::memory::peak_of;
use crate::schedule::task::named;

/// What is known of a network for its data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// The training examples.
    pub(crate) examples: usize,
    /// The numbers in one input.
    pub(crate) features: usize,
    /// n.
    pub(crate) parameters: usize,
    /// The layers whose gradients come as factors, in the order of their parameters; none where not all do.
    pub(crate) layers: Vec<LayerSize>,
    /// The paths of those layers.
    pub(crate) paths: Vec<String>,
    /// Why the gradients of a network whose examples do not mix do not come as factors.
    pub(crate) why_direct: Option<String>,
    /// Whether an example's loss depends on the others of its minibatch, as with BatchNorm in training mode.
    pub(crate) mixes: bool,
    /// Multiply-adds of a pass forward, an example: of the layers that go through the trace, or one a parameter.
    pub(crate) multiply_adds: u64,
    /// The numbers that a pass holds at most, an example.
    pub(crate) activations: u64,
    /// The numbers in the inputs and outputs of the layers that go through the trace, an example.
    pub(crate) traced: u64,
}

impl Measured {
    /// How each layer's gradients come as factors, by its path; nothing where all have one position an example.
    pub(crate) fn ways(&self) -> Vec<LayerWay> {
        let is_single =
            |layer: &LayerSize| matches!(layer.way, PlainWay::Outer { .. } | PlainWay::Blocks { positions: 1 });
        if self.layers.iter().all(is_single) {
            return Vec::new();
        }
        let way = |(path, layer): (&String, &LayerSize)| LayerWay { path: path.clone(), way: layer.way.to_string() };
        self.paths.iter().zip(&self.layers).map(way).collect()
    }
}

/// What is known of a network for its data; measured once in a process.
///
/// # Errors
///
/// The network and the data do not fit each other, or the network's gradients cannot be captured.
pub(crate) fn measured(model: &ModelSpec, data: &DataSpec, options: LoadOptions) -> Result<Arc<Measured>> {
    type Known = Mutex<BTreeMap<String, std::result::Result<Arc<Measured>, String>>>;
    static KNOWN: Known = Mutex::new(BTreeMap::new());
    let key = named(&(model, data, options));
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let measured = known.unwrap_or_else(|| {
        let measured = network(model)
            .and_then(|network| network.measure(data, options))
            .map(Arc::new)
            .map_err(|error| error.to_string());
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key, measured.clone());
        measured
    });
    measured.map_err(|reason| Error::Unfit { reason })
}

/// The most parameters of a network that takes a pass for its sizes alone: 256 MB.
const MOST_PARAMETERS: usize = 1 << 26;

/// Measures a network on a few examples of its data.
///
/// # Errors
///
/// The examples do not fit the network, its losses move from one evaluation to the next, or a parameter takes no part in
/// them.
pub(super) fn measure<M: Model>(model: &M, specimen: &dyn Examples<Batch = M::Batch>) -> Result<Measured> {
    let mut count = Count(0);
    model.visit(&mut count);
    let Count(parameters) = count;
    let mut measured = Measured { parameters, multiply_adds: parameters as u64, ..Measured::default() };
    let device = Device::flex().autodiff();
    if parameters > MOST_PARAMETERS || specimen.is_empty() {
        return Ok(measured);
    }
    let traced = traced(model, specimen, &device)?;
    measured.multiply_adds = measured.multiply_adds.max(traced.0);
    measured.traced = traced.1;
    measured.mixes = mixes(model, specimen, &device)?;
    // In a program with another allocator about as much as layers take in and give.
    measured.activations = activations(model, specimen, measured.multiply_adds)?.unwrap_or(2 * measured.traced);
    if measured.mixes {
        direct_history(model, specimen, MinibatchIndices::new(&[0, 1], 2, specimen.len())?, &device, |_| ())?;
        return Ok(measured);
    }
    // Of two, so that a layer with one row for all is found.
    let few: Vec<u32> = (0..specimen.len().min(2) as u32).collect();
    match ExampleFactors::capture(model, specimen, &few, &device, |_| ()) {
        Ok(factors) => (measured.layers, measured.paths) = (factors.layers(), factors.paths()),
        Err(CaptureError::NotFactored(reason)) => {
            measured.why_direct = Some(reason.to_string());
            direct_history(model, specimen, MinibatchIndices::new(&[0], 1, specimen.len())?, &device, |_| ())?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(measured)
}

/// Multiply-adds of a pass forward, and the numbers in inputs and outputs, an example, of the layers that go through the trace.
fn traced<M: Model>(model: &M, specimen: &dyn Examples<Batch = M::Batch>, device: &Device) -> Result<(u64, u64)> {
    let indices = repeated(specimen, 2);
    let mut trace = Trace::direct();
    losses(&detached(model).no_grad(), specimen.batch(&indices, device), &indices, &mut trace)?;
    let examples = indices.len() as u64;
    Ok((trace.multiply_adds() / examples, trace.numbers() / examples))
}

/// The numbers that a pass forward and backward holds at most, an example: the difference that some more examples make.
fn activations<M: Model>(
    model: &M,
    specimen: &dyn Examples<Batch = M::Batch>,
    multiply_adds: u64,
) -> Result<Option<u64>> {
    /// Multiply-adds of the pass forward, about: a tenth of a second.
    const MOST: u64 = 2_000_000_000;
    const FEW: u32 = 2;
    let many = (MOST / multiply_adds.max(1)).clamp(2 * u64::from(FEW), 32) as u32;
    let alone = ThreadPoolBuilder::new().num_threads(1).build().map_err(|_| CaptureError::NoThreads)?;
    let peak = |count: u32| {
        let (indices, model) = (repeated(specimen, count), detached(model));
        alone.install(move || {
            let device = Device::flex().autodiff();
            let (loss, bytes) = peak_of(|| {
                let losses = losses(&model, specimen.batch(&indices, &device), &indices, &mut Trace::direct())?;
                // A pass can start from the zero also where every parameter is frozen.
                (losses.sum() + Tensor::zeros([1], &device).require_grad()).backward();
                Ok::<_, Error>(())
            });
            loss.map(|()| bytes)
        })
    };
    // The first pass fills what the process keeps.
    peak(FEW)?;
    let (Some(few), Some(all)) = (peak(FEW)?, peak(many)?) else { return Ok(None) };
    Ok(Some(all.saturating_sub(few) / u64::from(many - FEW) / size_of::<f32>() as u64))
}

/// The first examples, in turn as often as it takes.
fn repeated<B>(specimen: &dyn Examples<Batch = B>, count: u32) -> Vec<u32> {
    (0..count).map(|index| index % specimen.len() as u32).collect()
}

/// Whether the first example's loss moves with its neighbour.
fn mixes<M: Model>(model: &M, specimen: &dyn Examples<Batch = M::Batch>, device: &Device) -> Result<bool> {
    /// Above what another order of sums does.
    const TOLERANCE: f64 = 1e-4;
    if specimen.len() < 3 {
        return Ok(false);
    }
    let model = detached(model).no_grad();
    let first_beside = |neighbour: u32| -> Result<f64> {
        let indices = [0, neighbour];
        let losses = losses(&model, specimen.batch(&indices, device), &indices, &mut Trace::off())?;
        Ok(losses.narrow(0, 0, 1).into_scalar())
    };
    let (one, other) = (first_beside(1)?, first_beside(2)?);
    Ok((one - other).abs() > TOLERANCE * one.abs().max(other.abs()))
}

/// Counts parameters that require gradients, without making those that wait for their first use.
struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_initialized() || param.val().is_require_grad() {
            self.0 += param.lazy_shape().num_elements();
        }
    }
}

#[cfg(test)]
#[path = "measured_tests.rs"]
mod tests;
