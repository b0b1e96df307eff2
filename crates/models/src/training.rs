use std::ops::ControlFlow;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use gradspectra_settings::{EpochReport, Optimiser, Training};

use crate::{Examples, ExamplesError, Model, Trace, TrainingState, losses};

/// Burn's optimiser of the rule `optimiser`.
pub fn optimizer(optimiser: Optimiser, weight_decay: f64) -> ModuleOptimizer {
    let decay = Some(WeightDecayConfig::new(weight_decay as f32));
    let no_clipping = None::<GradientClippingConfig>;
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let sgd = SgdConfig::new().with_weight_decay(decay.clone()).with_gradient_clipping(no_clipping);
    match optimiser {
        Optimiser::Sgd => sgd.init(),
        Optimiser::Momentum => sgd.with_momentum(Some(momentum)).init(),
        Optimiser::Adam => AdamConfig::new().with_weight_decay(decay).with_epsilon(1e-8).init(),
        Optimiser::AdamW => AdamWConfig::new().with_weight_decay(weight_decay as f32).with_epsilon(1e-8).init(),
    }
}

/// What a training has come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrainingEvent {
    /// A step is done: its number in the whole training, counted from 1.
    Step(usize),
    /// An epoch is done.
    Epoch(EpochReport),
}

/// Why a training stopped before its end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The loss is NaN or infinite.
    #[error("the training loss is {loss} after epoch {epoch}; lower the learning rate")]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// The progress callback asked to stop.
    #[error("interrupted after epoch {epoch}")]
    Interrupted {
        /// The last finished epoch, counted from 1.
        epoch: usize,
    },
    /// Examples do not fit the model.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
}

/// What a training takes its examples from.
pub trait TrainingExamples {
    /// A batch, as the network takes it.
    type Batch;

    /// The number of examples.
    fn count(&self) -> usize;

    /// The batch of some examples in an epoch counted from 0, on a device; batches are taken in order.
    fn batch(&mut self, epoch: usize, indices: &[u32], device: &Device) -> Self::Batch;
}

impl<E: Examples> TrainingExamples for E {
    type Batch = E::Batch;

    fn count(&self) -> usize {
        self.len()
    }

    fn batch(&mut self, _epoch: usize, indices: &[u32], device: &Device) -> Self::Batch {
        Examples::batch(self, indices, device)
    }
}

/// Goes on with a training of a model that lives on an autodiff device, and returns it trained.
///
/// `order` gives the order of the examples in an epoch counted from 0; the short batch that remains at its end is
/// used, as PyTorch's loader does. `progress` hears of every step and epoch and may break off. The schedule's
/// augmentation is that of `examples`.
///
/// # Errors
///
/// Examples that do not fit the model, [`TrainingError::Diverged`] and [`TrainingError::Interrupted`].
pub fn train<M: Model>(
    mut state: TrainingState<M>,
    training: &Training,
    examples: &mut (impl TrainingExamples<Batch = M::Batch> + ?Sized),
    device: &Device,
    mut order: impl FnMut(usize) -> Vec<u32>,
    mut progress: impl FnMut(&TrainingState<M>, TrainingEvent) -> ControlFlow<()>,
) -> Result<M, TrainingError> {
    let count = examples.count();
    let mut steps = state.epochs().len() * count.div_ceil(training.batch);
    for epoch in state.epochs().len()..training.epochs {
        let mut sums = Vec::new();
        for indices in order(epoch).chunks(training.batch) {
            let batch = examples.batch(epoch, indices, device);
            let loss = losses(state.model(), batch, indices, &mut Trace::off())?.sum();
            let mean = loss.clone() / indices.len() as f64;
            let gradients = GradientsParams::from_grads(mean.backward(), state.model());
            let gradients = match training.gradient_clipping {
                Some(threshold) => clipped(gradients, state.model(), threshold),
                None => gradients,
            };
            let learning_rate = training.learning_rate_at(steps, count);
            sums.push(loss.inner());
            state = state.step(learning_rate, gradients);
            steps += 1;
            if progress(&state, TrainingEvent::Step(steps)).is_break() {
                return Err(TrainingError::Interrupted { epoch });
            }
        }
        let report = EpochReport { epoch: epoch + 1, loss: total(sums) / count as f64 };
        if !report.loss.is_finite() {
            return Err(TrainingError::Diverged { epoch: report.epoch, loss: report.loss });
        }
        state.end_epoch(report);
        if progress(&state, TrainingEvent::Epoch(report)).is_break() {
            return Err(TrainingError::Interrupted { epoch: report.epoch });
        }
    }
    Ok(state.into_model())
}

/// The sum of single numbers, read from their device at once.
fn total(numbers: Vec<Tensor<1>>) -> f64 {
    Tensor::cat(numbers, 0).into_data().iter::<f64>().sum()
}

/// The gradients of the parameters of `model`, scaled down together where their norm is larger than `threshold`.
fn clipped<M: Module>(gradients: GradientsParams, model: &M, threshold: f64) -> GradientsParams {
    /// PyTorch's, by which it keeps from dividing by 0.
    const EPSILON: f64 = 1e-6;
    let mut squares = Squares { gradients: &gradients, found: Vec::new() };
    model.visit(&mut squares);
    if squares.found.is_empty() {
        return gradients;
    }
    let norm = total(squares.found).sqrt();
    let mut scaled =
        Scaled { factor: (threshold / (norm + EPSILON)).min(1.0), gradients, scaled: GradientsParams::new() };
    model.visit(&mut scaled);
    scaled.scaled
}

/// The sum of the squares of each gradient.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    found: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.extend(self.gradients.get::<D>(param.id).map(|gradient| gradient.square().sum()));
    }
}

/// The gradients times a factor.
struct Scaled {
    factor: f64,
    gradients: GradientsParams,
    scaled: GradientsParams,
}

impl ModuleVisitor for Scaled {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.scaled.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
