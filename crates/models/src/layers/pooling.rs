use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use crate::layers::extension::{CpuKernels, on_cpu};

/// ReLU of 2×2 max-pooling with stride 2, which is max-pooling of ReLU on a quarter of the numbers.
///
/// # Shapes
///
/// - input: `[examples, channels, height, width]`
/// - output: `[examples, channels, height / 2, width / 2]`
pub fn pool_relu(input: Tensor<4>) -> Tensor<4> {
    if on_cpu(&input) {
        return Tensor::from_dispatch(<Dispatch as CpuKernels>::pool_relu(input.into_dispatch()));
    }
    relu(max_pool2d(input, MaxPoolOptions::new([2, 2])))
}
