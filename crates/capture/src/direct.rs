use std::ops::Range;

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor};
use faer::Mat;
use gradspectra_models::{Examples, Model, Optimiser, Trace, detached, optimizer};

use crate::checks::{check, loss_sum};
use crate::{CaptureError, GradientHistory, MinibatchIndices, ParameterLayout, ParameterSlot, Result};

/// Where the parameters are at each iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Trajectory {
    /// At one position.
    #[default]
    Fixed,
    /// Along a run that starts at the position and takes a step with each gradient.
    Run {
        /// The rule of the steps.
        optimiser: Optimiser,
        /// The learning rate.
        learning_rate: f64,
        /// The L2 penalty of the steps; the gradients are without it.
        weight_decay: f64,
    },
}

/// Captures one gradient of the mean loss a minibatch, each by a backward pass of its own.
///
/// `model` lives on the autodiff device `device`. `progress` hears how many iterations are done.
///
/// # Errors
///
/// A parameter without a gradient, a gradient that is not finite, examples that do not fit the model, a loss that a second
/// evaluation does not repeat, or a device without autodiff.
pub fn direct_history<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    minibatches: MinibatchIndices,
    device: &Device,
    progress: impl FnMut(usize),
) -> Result<GradientHistory> {
    let layout = ParameterLayout::of(model);
    let rows = 0..layout.parameters();
    let gradients = direct_block(model, examples, minibatches, device, Trajectory::Fixed, rows, progress)?;
    Ok(GradientHistory::new(layout, gradients))
}

/// The rows of G of the parameters `rows` along `trajectory`, as [`direct_history`] else: one pass an iteration for
/// every such block.
///
/// # Errors
///
/// A parameter without a gradient, a gradient that is not finite, examples that do not fit the model, a loss that a second
/// evaluation does not repeat, or a device without autodiff.
///
/// # Panics
///
/// If `rows` goes beyond the parameters.
pub fn direct_block<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    minibatches: MinibatchIndices,
    device: &Device,
    trajectory: Trajectory,
    rows: Range<usize>,
    mut progress: impl FnMut(usize),
) -> Result<Mat<f32>> {
    let mut block = Mat::zeros(rows.len(), minibatches.iterations());
    for_each_gradient(model, examples, minibatches, device, trajectory, |t, gradient| {
        block.col_as_slice_mut(t).copy_from_slice(&gradient[rows.clone()]);
        progress(t + 1);
        Ok::<_, CaptureError>(())
    })?;
    Ok(block)
}

/// Hands the gradient of every iteration in turn to `visit`, so that G need not be held; as [`direct_history`] else.
///
/// # Errors
///
/// A parameter without a gradient, a gradient that is not finite, or an error of `visit`.
pub fn for_each_gradient<M: Model, E: From<CaptureError>>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    minibatches: MinibatchIndices,
    device: &Device,
    trajectory: Trajectory,
    mut visit: impl FnMut(usize, &[f32]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let layout = ParameterLayout::of(model);
    check(model, &layout, examples, minibatches.indices(), device)?;
    let mut model = detached(model);
    let mut run = match trajectory {
        Trajectory::Fixed => None,
        Trajectory::Run { optimiser, learning_rate, weight_decay } => {
            Some((optimizer(optimiser, weight_decay), learning_rate))
        }
    };
    for t in 0..minibatches.iterations() {
        let loss = loss_sum(&model, examples, minibatches.iteration(t), device, &mut Trace::direct())?;
        let gradients = (loss / minibatches.batch() as f64).backward();
        visit(t, &read(&model, &layout, &gradients, &format!("iteration {t}"))?)?;
        if let Some((optimizer, learning_rate)) = &mut run {
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(*learning_rate, model, gradients);
        }
    }
    Ok(())
}

/// A gradient in the order of `layout`, read from the device at once; errors name its `place`.
pub(crate) fn read<M: Model>(
    model: &M,
    layout: &ParameterLayout,
    gradients: &Gradients,
    place: &str,
) -> Result<Vec<f32>> {
    let mut collector = Collector { gradients, found: Vec::new() };
    model.visit(&mut collector);
    let found: Vec<_> = collector.found.into_iter().map_while(|gradient| gradient).collect();
    let (present, missing) = layout.slots().split_at(found.len());
    let values: Vec<f32> = match found.is_empty() {
        true => Vec::new(),
        false => Tensor::cat(found, 0).into_data().try_to_vec().expect("gradients are f32, as their parameters"),
    };
    let finite = |slot: &&ParameterSlot| values[slot.range.clone()].iter().all(|value| value.is_finite());
    if let Some(slot) = present.iter().find(|slot| !finite(slot)) {
        return Err(CaptureError::NotFinite { path: slot.path.clone(), place: place.to_owned() });
    }
    match missing.first() {
        Some(slot) => Err(CaptureError::NoGradient { path: slot.path.clone() }),
        None => Ok(values),
    }
}

struct Collector<'a> {
    gradients: &'a Gradients,
    /// The flattened gradient of every parameter, where it has one.
    found: Vec<Option<Tensor<1>>>,
}

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if tensor.is_require_grad() {
            self.found.push(tensor.grad(self.gradients).map(|gradient| gradient.flatten(0, D - 1)));
        }
    }
}
