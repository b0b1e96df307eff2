//! The kernels as operations of Burn's CPU backend, with their derivatives.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DType, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Bytes, Shape, Tensor};

use crate::device::runs_on_cpu;
use crate::layers::kernels::{self, Geometry};

/// Whether the operations take this tensor.
pub(crate) fn on_cpu<const D: usize>(tensor: &Tensor<D>) -> bool {
    runs_on_cpu(&tensor.device()) && tensor.dtype() == DType::F32
}

/// Operations that are differentiable once.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait CpuKernels: Backend {
    /// The convolution of `input` with `weight` plus `bias`.
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// ReLU of 2×2 max-pooling.
    fn pool_relu(input: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `output` itself, whose derivative `probe` receives too, whatever its shape.
    fn observe(output: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Operations without a derivative.
#[backend_extension(Flex)]
pub(crate) trait CpuGradients: Backend {
    /// The gradients of every example with respect to a convolution's weight and, where `bias`, its bias.
    fn example_gradients(
        input: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        geometry: Geometry,
        bias: bool,
    ) -> FloatTensor<Self>;
}

/// A tensor in the memory order of its shape.
struct Contiguous(FlexTensor);

impl Contiguous {
    fn new(tensor: &FlexTensor) -> Self {
        Self(if tensor.is_contiguous() { tensor.clone() } else { tensor.to_contiguous() })
    }

    fn values(&self) -> &[f32] {
        self.0.as_slice().expect("contiguous numbers of 32 bits")
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

impl CpuKernels for Flex {
    fn convolve(input: FlexTensor, weight: FlexTensor, bias: FlexTensor, geometry: Geometry) -> FlexTensor {
        let ([examples, ..], [channels, height, width]) = (input.shape().dims::<4>(), geometry.output);
        let [input, weight, bias] = [input, weight, bias].each_ref().map(Contiguous::new);
        let output = kernels::convolve(&geometry, input.values(), weight.values(), bias.values());
        tensor(output, [examples, channels, height, width])
    }

    fn pool_relu(input: FlexTensor) -> FlexTensor {
        let [examples, channels, height, width] = input.shape().dims();
        let output = kernels::pool(Contiguous::new(&input).values(), [height, width]);
        tensor(output, [examples, channels, height / 2, width / 2])
    }

    fn observe(output: FlexTensor, _probe: FlexTensor) -> FlexTensor {
        output
    }
}

impl CpuGradients for Flex {
    fn example_gradients(input: FlexTensor, delta: FlexTensor, geometry: Geometry, bias: bool) -> FlexTensor {
        let [examples, ..] = input.shape().dims::<4>();
        let (input, delta) = (Contiguous::new(&input), Contiguous::new(&delta));
        let gradients = kernels::example_gradients(&geometry, input.values(), delta.values(), bias);
        tensor(gradients, [examples, geometry.output[0] * (geometry.taps() + bias as usize)])
    }
}

impl<C: CheckpointStrategy> CpuKernels for Autodiff<Flex, C> {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let primitives = [&input, &weight].map(|tensor| tensor.primitive().clone());
        let [x, w] = primitives.clone();
        let output = Flex::convolve(x, w, bias.primitive().clone(), geometry);
        let operation = Convolution.prepare::<C>([input.node(), weight.node(), bias.node()]);
        match operation.compute_bound().stateful() {
            OpsKind::Tracked(operation) => operation.finish((primitives, geometry), output),
            OpsKind::UnTracked(operation) => operation.finish(output),
        }
    }

    fn pool_relu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = Flex::pool_relu(input.primitive().clone());
        match PoolRelu.prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(operation) => operation.finish([input.primitive().clone(), output.clone()], output),
            OpsKind::UnTracked(operation) => operation.finish(output),
        }
    }

    fn observe(output: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self> {
        let primitive = output.primitive().clone();
        match Observation.prepare::<C>([output.node(), probe.node()]).compute_bound().stateful() {
            OpsKind::Tracked(operation) => operation.finish((), primitive),
            OpsKind::UnTracked(operation) => operation.finish(primitive),
        }
    }
}

/// The derivatives of a convolution at its input, weight and bias.
#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    type State = ([FlexTensor; 2], Geometry);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let delta = Contiguous::new(&gradients.consume::<Flex>(&ops.node));
        let ([input, weight], geometry) = ops.state;
        let [input_node, weight_node, bias_node] = ops.parents;
        if weight_node.is_some() || bias_node.is_some() {
            let mut values = kernels::weight_gradient(&geometry, Contiguous::new(&input).values(), delta.values());
            let bias = values.split_off(weight.shape().num_elements());
            if let Some(node) = weight_node {
                gradients.register::<Flex>(node.id, tensor(values, weight.shape()));
            }
            if let Some(node) = bias_node {
                gradients.register::<Flex>(node.id, tensor(bias, [geometry.output[0]]));
            }
        }
        if let Some(node) = input_node {
            let values = kernels::input_gradient(&geometry, Contiguous::new(&weight).values(), delta.values());
            gradients.register::<Flex>(node.id, tensor(values, input.shape()));
        }
    }
}

/// The derivative of ReLU of 2×2 max-pooling.
#[derive(Debug)]
struct PoolRelu;

impl Backward<Flex, 1> for PoolRelu {
    type State = [FlexTensor; 2];

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let delta = Contiguous::new(&gradients.consume::<Flex>(&ops.node));
        let [input, output] = ops.state;
        let [_, _, height, width] = input.shape().dims();
        let [Some(node)] = ops.parents else { return };
        let (values, pooled) = (Contiguous::new(&input), Contiguous::new(&output));
        let values = kernels::pool_gradient(values.values(), pooled.values(), delta.values(), [height, width]);
        gradients.register::<Flex>(node.id, tensor(values, input.shape()));
    }
}

/// The derivative at an output, handed to the output and to its probe.
#[derive(Debug)]
struct Observation;

impl Backward<Flex, 2> for Observation {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let delta = gradients.consume::<Flex>(&ops.node);
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, delta.clone());
        }
    }
}
