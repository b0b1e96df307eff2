use burn::backend::Dispatch;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::Linear;
use burn::tensor::{Gradients, Tensor};

use crate::layers::extension::{CpuKernels, on_cpu};
use crate::layers::product::product;

/// A parametric layer whose per-example gradients follow from its input and the loss's derivative at its output.
///
/// Implement it for a layer of your own, call the layer through [`Trace::layer`], and the model it stands in is
/// captured in one batched pass.
pub trait TracedLayer<const I: usize, const O: usize>: Module + 'static {
    /// The layer's output for a batch of examples, the first dimension counting the examples.
    fn forward(&self, input: Tensor<I>) -> Tensor<O>;

    /// The gradients of every example with respect to the layer's parameters, in the order of its fields.
    ///
    /// `input` `[examples, …]` is what [`forward`](Self::forward) received, `delta` `[examples, …]` the derivative of the
    /// summed loss at its output. An example's row of the output must depend on that example's row of the input alone.
    fn factors(&self, input: Tensor<I>, delta: Tensor<O>) -> Factors;

    /// Whether [`factors`](Self::factors) knows layers as this one is set; a model with another takes no part in the
    /// factored capture.
    fn has_factors(&self) -> bool {
        true
    }

    /// Multiply-adds of a pass that gives an output of the sides `output`, for estimates of time.
    ///
    /// Without it each weight is taken once for an example and for each position of it, the second side of the output
    /// counting channels.
    fn multiply_adds(&self, output: [usize; O]) -> u64 {
        let positions: usize =
            output.iter().enumerate().filter(|(side, _)| *side != 1).map(|(_, length)| length).product();
        let mut weights = Weights(0);
        self.visit(&mut weights);
        (positions * weights.0) as u64
    }
}

/// Counts the entries of weights, which have two sides or more.
struct Weights(usize);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D > 1 {
            self.0 += param.lazy_shape().num_elements();
        }
    }
}

/// How a layer stores its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// `[in, out]`, as Burn's `Linear`.
    InputMajor,
    /// `[out, in]`, as convolutions.
    OutputMajor,
}

/// The gradients of all examples with respect to one layer, as factors or in full.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one value a layer and pass")]
pub enum Factors {
    /// The weight's gradient of example i is the outer product a_i δ_iᵀ, the bias's is δ_i.
    Outer {
        /// a, `[examples, in]`.
        input: Tensor<2>,
        /// δ, `[examples, out]`.
        delta: Tensor<2>,
        /// The order of the weight's entries.
        layout: WeightLayout,
        /// Whether a bias of `out` entries follows the weight.
        bias: bool,
    },
    /// The gradients themselves, `[examples, parameters of the layer]`.
    Explicit(Tensor<2>),
}

impl Factors {
    /// The number of parameters whose gradients these are.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Outer { input, delta, bias, .. } => {
                let (inputs, outputs) = (input.dims()[1], delta.dims()[1]);
                inputs * outputs + if *bias { outputs } else { 0 }
            }
            Self::Explicit(gradients) => gradients.dims()[1],
        }
    }
}

/// The factors of one layer of a traced pass.
#[derive(Debug, Clone)]
pub struct LayerFactors {
    /// The layer's path in the model, e.g. `fc1`.
    pub path: String,
    /// Its examples' gradients.
    pub factors: Factors,
}

/// The output of a traced layer does not reach the loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the output of layer {path} does not reach the loss")]
pub struct UnreachedLayer {
    /// The layer's path in the model.
    pub path: String,
}

/// The factors of a layer, if its output reached the loss.
type Resolve = Box<dyn FnOnce(&mut Gradients) -> Option<Factors>>;

/// What a model's parametric layers go through: it records nothing in training and in the direct capture, and in
/// the factored capture it adds a probe (a zero tensor that requires gradients) to each layer's output.
///
/// After the backward pass the probe's gradient is the loss's derivative at the layer's output.
pub struct Trace {
    records: Option<Vec<(String, Resolve)>>,
    captures: bool,
    multiply_adds: u64,
}

impl Trace {
    /// A trace that records nothing: layers behave as plain Burn modules.
    pub fn off() -> Self {
        Self { records: None, captures: false, multiply_adds: 0 }
    }

    /// A trace that records nothing in a pass whose gradients are captured: losses are formed so that small gradients keep
    /// their digits, at some more cost than in training.
    pub fn direct() -> Self {
        Self { records: None, captures: true, multiply_adds: 0 }
    }

    /// A trace that records every layer that goes through it.
    pub fn recording() -> Self {
        Self { records: Some(Vec::new()), captures: true, multiply_adds: 0 }
    }

    /// Whether the gradients of the pass are captured.
    pub fn captures(&self) -> bool {
        self.captures
    }

    /// Multiply-adds of the layers that went through a recording trace, of all examples together.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// The output of `layer`, which the model holds at `path`.
    pub fn layer<L, const I: usize, const O: usize>(&mut self, path: &str, layer: &L, input: Tensor<I>) -> Tensor<O>
    where
        L: TracedLayer<I, O>,
    {
        let Some(records) = &mut self.records else { return layer.forward(input) };
        let output = layer.forward(input.clone());
        self.multiply_adds += layer.multiply_adds(output.dims());
        if !layer.has_factors() {
            return output;
        }
        let (traced, probe) = observe(output);
        let layer = layer.clone();
        let resolve = move |gradients: &mut Gradients| {
            let delta = probe.grad_remove(gradients)?;
            Some(layer.valid().factors(input.inner(), delta))
        };
        records.push((path.to_owned(), Box::new(resolve)));
        traced
    }

    /// The factors of every recorded layer, in the order of their calls, from the gradients of the summed loss.
    ///
    /// # Errors
    ///
    /// The first layer whose output does not reach the loss.
    pub fn resolve(self, mut gradients: Gradients) -> Result<Vec<LayerFactors>, UnreachedLayer> {
        let records = self.records.unwrap_or_default().into_iter();
        let resolved = records.map(|(path, resolve)| match resolve(&mut gradients) {
            Some(factors) => Ok(LayerFactors { path, factors }),
            None => Err(UnreachedLayer { path }),
        });
        resolved.collect()
    }
}

/// A layer's output and a probe whose gradient is the loss's derivative there.
fn observe<const O: usize>(output: Tensor<O>) -> (Tensor<O>, Tensor<O>) {
    if !on_cpu(&output) {
        let probe = Tensor::zeros(output.dims(), &output.device()).require_grad();
        return (output + probe.clone(), probe);
    }
    let probe = Tensor::zeros([1; O], &output.device()).require_grad();
    let traced = <Dispatch as CpuKernels>::observe(output.into_dispatch(), probe.clone().into_dispatch());
    (Tensor::from_dispatch(traced), probe)
}

impl TracedLayer<2, 2> for Linear {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        if on_cpu(&input) {
            return Linear::forward(self, input);
        }
        let output = product(input, self.weight.val());
        match &self.bias {
            Some(bias) => output + bias.val().unsqueeze(),
            None => output,
        }
    }

    fn factors(&self, input: Tensor<2>, delta: Tensor<2>) -> Factors {
        Factors::Outer { input, delta, layout: WeightLayout::InputMajor, bias: self.bias.is_some() }
    }
}
