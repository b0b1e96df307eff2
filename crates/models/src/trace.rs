use std::collections::BTreeSet;

use burn::backend::Dispatch;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::Embedding;
use burn::tensor::{Gradients, Int, Tensor};

use crate::layers::extension::{CpuKernels, on_cpu};
use crate::layers::product::product;
use crate::{Factors, LayerFactors, WeightLayout};

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

/// The output of a traced layer does not reach the loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the output of layer {path} does not reach the loss")]
pub struct UnreachedLayer {
    /// The layer's path in the model.
    pub path: String,
}

/// The factors of a use of a layer, if its output reached the loss.
type Resolve = Box<dyn FnOnce(&mut Gradients) -> Option<Factors>>;

/// What a model's parametric layers go through: it records nothing in training and in the direct capture, and in
/// the factored capture it adds a probe (a zero tensor that requires gradients) to each layer's output.
///
/// After the backward pass the probe's gradient is the loss's derivative at the layer's output. A layer may go through it
/// several times: the gradients of its uses are added up.
pub struct Trace {
    records: Option<Vec<(String, Resolve)>>,
    /// The paths of the layers that are recorded; all without it.
    wanted: Option<BTreeSet<String>>,
    captures: bool,
    multiply_adds: u64,
    numbers: u64,
}

impl Trace {
    /// A trace that records nothing: layers behave as plain Burn modules.
    pub fn off() -> Self {
        Self { records: None, wanted: None, captures: false, multiply_adds: 0, numbers: 0 }
    }

    /// A trace that records nothing in a pass whose gradients are captured: losses are formed so that small gradients keep
    /// their digits, at some more cost than in training.
    pub fn direct() -> Self {
        Self { captures: true, ..Self::off() }
    }

    /// A trace that records every layer that goes through it.
    pub fn recording() -> Self {
        Self { records: Some(Vec::new()), ..Self::direct() }
    }

    /// A trace that records the layers at the paths `wanted` alone.
    pub fn recording_only(wanted: BTreeSet<String>) -> Self {
        Self { wanted: Some(wanted), ..Self::recording() }
    }

    /// Whether the gradients of the pass are captured.
    pub fn captures(&self) -> bool {
        self.captures
    }

    /// Multiply-adds of the layers that went through the trace of a capture, of all examples together.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// The numbers in the inputs and outputs of the layers that went through the trace of a capture, of all examples together.
    pub fn numbers(&self) -> u64 {
        self.numbers
    }

    /// The output of `layer`, which the model holds at `path`.
    pub fn layer<L, const I: usize, const O: usize>(&mut self, path: &str, layer: &L, input: Tensor<I>) -> Tensor<O>
    where
        L: TracedLayer<I, O>,
    {
        if !self.captures {
            return layer.forward(input);
        }
        let output = layer.forward(input.clone());
        self.count(layer.multiply_adds(output.dims()), input.shape().num_elements(), &output);
        if !layer.has_factors() || self.records.is_none() {
            return output;
        }
        let layer = layer.clone();
        self.record(path, output, move |delta| layer.valid().factors(input.inner(), delta))
    }

    /// The rows `[examples, positions, width]` of `table`, which the model holds at `path`, that `tokens`
    /// `[examples, positions]` name.
    pub fn embedding(&mut self, path: &str, table: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        let output = table.forward(tokens.clone());
        self.count(0, tokens.shape().num_elements(), &output);
        let [rows, _] = table.weight.dims();
        self.record(path, output, move |delta| Factors::Lookup { tokens: tokens.inner(), delta, rows })
    }

    /// The products `[examples, positions, rows]` of `input` `[examples, positions, width]` with every row of `table`, which
    /// the model holds at `path`: the output of a network whose head is tied to its embedding.
    pub fn unembedding(&mut self, path: &str, table: &Embedding, input: Tensor<3>) -> Tensor<3> {
        let [examples, positions, width] = input.dims();
        let weight = table.weight.val();
        let [rows, _] = weight.dims();
        let flat = input.clone().reshape([examples * positions, width]);
        let output = product(flat, weight.transpose()).reshape([examples, positions, rows]);
        self.count((examples * positions * width * rows) as u64, input.shape().num_elements(), &output);
        self.record(path, output, move |delta| Factors::Products {
            input: input.inner(),
            delta,
            layout: WeightLayout::OutputMajor,
            bias: false,
        })
    }

    /// A bare parameter, which the model holds at `path`, once for each example: `[examples, …]`, one side more than it has.
    ///
    /// Positions, class tokens and gains go through it, so that an example's gradient is the derivative at its own copy.
    pub fn parameter<const D: usize, const O: usize>(
        &mut self,
        path: &str,
        parameter: &Param<Tensor<D>>,
        examples: usize,
    ) -> Tensor<O> {
        let value = parameter.val();
        let mut sides = [examples; O];
        sides[1..].copy_from_slice(&value.dims());
        let each = value.unsqueeze::<O>().expand(sides);
        self.count(0, 0, &each);
        self.record(path, each, move |delta| Factors::Explicit(delta.reshape([examples as i32, -1])))
    }

    fn count<const O: usize>(&mut self, multiply_adds: u64, inputs: usize, output: &Tensor<O>) {
        self.multiply_adds += multiply_adds;
        self.numbers += (inputs + output.shape().num_elements()) as u64;
    }

    /// `output` with a probe, of whose derivative `factors` are made.
    fn record<const O: usize>(
        &mut self,
        path: &str,
        output: Tensor<O>,
        factors: impl FnOnce(Tensor<O>) -> Factors + 'static,
    ) -> Tensor<O> {
        let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.contains(path));
        let Some(records) = self.records.as_mut().filter(|_| is_wanted) else { return output };
        let (traced, probe) = observe(output);
        let resolve = move |gradients: &mut Gradients| Some(factors(probe.grad_remove(gradients)?));
        records.push((path.to_owned(), Box::new(resolve)));
        traced
    }

    /// The factors of every recorded use of a layer, in the order of the calls, from the gradients of the summed loss.
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
