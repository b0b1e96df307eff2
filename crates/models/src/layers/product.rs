//! Matrix products in the precision of their numbers.

use burn::tensor::Tensor;

/// The product of `lhs` `[…, m, k]` and `rhs` `[…, k, n]` of equal leading dimensions, in the precision of their numbers.
///
/// Burn's own `matmul` rounds f32 to TF32 (11 bits) on the tensor cores of CUDA devices, which drowns the tail of a
/// spectrum.
pub fn product<const D: usize>(lhs: Tensor<D>, rhs: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    if gpu::holds(&lhs) {
        return gpu::product(lhs, rhs);
    }
    lhs.matmul(rhs)
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu {
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
    use burn::backend::cubecl::dtype_to_storage_type;
    use burn::backend::ops::FloatTensorOps;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{
        Autodiff, Backend, Cube, Dispatch, DispatchDevice, TensorMetadata, backend_extension, calculate_matmul_output,
    };
    use burn::tensor::Tensor;
    use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
    use cubek::matmul::launch::launch_ref;
    use cubek::matmul::multi_level;
    use cubek::matmul::strategy::Strategy;
    use cubek::std::InputBinding;

    /// Whether a GPU's backend holds `tensor`.
    pub(super) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
        matches!(tensor.device().without_autodiff().as_dispatch(), DispatchDevice::Cube(_))
    }

    pub(super) fn product<const D: usize>(lhs: Tensor<D>, rhs: Tensor<D>) -> Tensor<D> {
        let [lhs, rhs] = [lhs, rhs].map(Tensor::into_dispatch);
        Tensor::from_dispatch(<Dispatch as Products>::unit_product(lhs, rhs))
    }

    /// Products, differentiable once.
    #[backend_extension(Cube, Autodiff)]
    pub(crate) trait Products: Backend {
        /// The product of `lhs` and `rhs` on the units of general arithmetic, not on tensor cores.
        fn unit_product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
    }

    impl Products for Cube {
        fn unit_product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
            let shape = calculate_matmul_output(&lhs.shape(), &rhs.shape()).expect("shapes of a product");
            let output = Self::float_empty(shape, &lhs.device, lhs.dtype.into());
            let number = dtype_to_storage_type(lhs.dtype);
            let client = output.client.clone();
            let mut numbers = MatmulElems::from_globals(&MatmulGlobalElems { lhs: number, rhs: number, out: number });
            let [lhs, rhs] = [lhs, rhs].map(|factor| InputBinding::new(factor.binding(), number));
            let strategy = Strategy::MultiLevel(multi_level::Strategy::SimpleUnit(Default::default()));
            launch_ref(&strategy, &client, lhs, rhs, output.clone().binding(), &mut numbers)
                .expect("every device multiplies on its units");
            output
        }
    }

    impl<B: Products, C: CheckpointStrategy> Products for Autodiff<B, C> {
        fn unit_product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
            let factors = [&lhs, &rhs].map(|factor| factor.primitive().clone());
            let [left, right] = factors.clone();
            let output = B::unit_product(left, right);
            match Product.prepare::<C>([lhs.node(), rhs.node()]).compute_bound().stateful() {
                OpsKind::Tracked(operation) => operation.finish(factors, output),
                OpsKind::UnTracked(operation) => operation.finish(output),
            }
        }
    }

    /// The derivatives of a product at its factors.
    #[derive(Debug)]
    struct Product;

    impl<B: Products> Backward<B, 2> for Product {
        type State = [FloatTensor<B>; 2];

        fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
            let delta = gradients.consume::<B>(&ops.node);
            let [lhs, rhs] = ops.state;
            let [lhs_node, rhs_node] = ops.parents;
            if let Some(node) = lhs_node {
                gradients.register::<B>(node.id, B::unit_product(delta.clone(), transposed::<B>(rhs)));
            }
            if let Some(node) = rhs_node {
                gradients.register::<B>(node.id, B::unit_product(transposed::<B>(lhs), delta));
            }
        }
    }

    fn transposed<B: Backend>(matrix: FloatTensor<B>) -> FloatTensor<B> {
        let rank = matrix.rank();
        B::float_swap_dims(matrix, rank - 2, rank - 1)
    }
}
