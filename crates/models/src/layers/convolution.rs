//! 2-D convolutions and their gradients, example by example, from unfolded patches.

use burn::backend::Dispatch;
use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::{Slice, Tensor, s};

use crate::device::GpuMemory;
use crate::layers::extension::{CpuGradients, CpuKernels, on_cpu};
use crate::layers::kernels::Geometry;
use crate::layers::product::product;
use crate::trace::{Factors, TracedLayer};

/// Kernels of more entries go to Burn's own convolution: ours keep a chunk's weight gradient in cache.
const MOST_WEIGHTS: usize = 1 << 16;

impl TracedLayer<4, 4> for Conv2d {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let Some(geometry) = geometry(self, &input) else {
            return Conv2d::forward(self, input);
        };
        let no_bias = || Tensor::zeros([geometry.output[0]], &input.device());
        let bias = self.bias.as_ref().map_or_else(no_bias, Param::val).into_dispatch();
        let [input, weight] = [input, self.weight.val()].map(Tensor::into_dispatch);
        Tensor::from_dispatch(<Dispatch as CpuKernels>::convolve(input, weight, bias, geometry))
    }

    fn has_factors(&self) -> bool {
        self.groups == 1
    }

    /// The weight's gradient of an example is δ `[out, positions]` times its patches `[positions, in × kernel]`;
    /// the bias's is δ summed over the positions.
    fn factors(&self, input: Tensor<4>, delta: Tensor<4>) -> Factors {
        if let Some(geometry) = geometry(self, &input) {
            let [input, delta] = [input, delta].map(Tensor::into_dispatch);
            let bias = self.bias.is_some();
            let gradients = <Dispatch as CpuGradients>::example_gradients(input, delta, geometry, bias);
            return Factors::Explicit(Tensor::from_dispatch(gradients));
        }
        let [examples, out, height, width] = delta.dims();
        let delta = delta.reshape([examples, out, height * width]);
        let [_, channels, ..] = input.dims();
        let patch = channels * self.kernel_size[0] * self.kernel_size[1] * height * width;
        let at_once = (GpuMemory::of(&delta.device()).buffer_numbers() / patch).clamp(1, examples);
        let products = (0..examples).step_by(at_once).map(|start| {
            let part = start..examples.min(start + at_once);
            let patches = unfold(self, input.clone().slice_dim(0, part.clone()), [height, width]);
            product(delta.clone().slice_dim(0, part), patches.swap_dims(1, 2)).flatten::<2>(1, 2)
        });
        let weight = Tensor::cat(products.collect(), 0);
        Factors::Explicit(match self.bias {
            Some(_) => Tensor::cat(vec![weight, delta.sum_dim(2).flatten::<2>(1, 2)], 1),
            None => weight,
        })
    }
}

/// The sizes of a convolution that the CPU's kernels take, none where Burn's own is to compute it.
fn geometry(layer: &Conv2d, input: &Tensor<4>) -> Option<Geometry> {
    let [out, channels, ..] = layer.weight.dims();
    let [_, input_channels, height, width] = input.dims();
    let taps = channels * layer.kernel_size[0] * layer.kernel_size[1];
    if layer.groups != 1 || input_channels != channels || out * taps > MOST_WEIGHTS || !on_cpu(input) {
        return None;
    }
    let reach = [0, 1].map(|axis| layer.dilation[axis] * (layer.kernel_size[axis] - 1) + 1);
    let padding = match layer.padding {
        PaddingConfig2d::Valid => [[0; 2]; 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
        PaddingConfig2d::Same => return None,
    };
    let size = [0, 1].map(|axis| {
        let padded = [height, width][axis] + padding[axis][0] + padding[axis][1];
        padded.checked_sub(reach[axis]).map(|rest| rest / layer.stride[axis] + 1)
    });
    let [Some(rows), Some(columns)] = size else { return None };
    Some(Geometry {
        input: [channels, height, width],
        output: [out, rows, columns],
        kernel: layer.kernel_size,
        stride: layer.stride,
        dilation: layer.dilation,
        padding,
    })
}

/// The patches under the kernel of `layer`, `[examples, in × kernel, positions]`, in the order of its weight.
fn unfold(layer: &Conv2d, input: Tensor<4>, output: [usize; 2]) -> Tensor<3> {
    let [_, _, height, width] = input.dims();
    let [(top, bottom), (left, right)] = padding(layer, [height, width]);
    let padded = match [top, bottom, left, right] {
        [0, 0, 0, 0] => input,
        _ => input.pad((left, right, top, bottom), 0.0),
    };
    let [examples, channels, _, _] = padded.dims();
    let window = |offset: usize, axis: usize| {
        let start = (offset * layer.dilation[axis]) as isize;
        let end = start + ((output[axis] - 1) * layer.stride[axis]) as isize + 1;
        Slice::new(start, Some(end), layer.stride[axis] as isize)
    };
    let [kernel_height, kernel_width] = layer.kernel_size;
    let shifted = (0..kernel_height)
        .flat_map(|row| (0..kernel_width).map(move |column| (row, column)))
        .map(|(row, column)| {
            let shifted = padded.clone().slice(s![.., .., window(row, 0), window(column, 1)]);
            shifted.reshape([examples, channels, 1, output[0] * output[1]])
        })
        .collect();
    Tensor::cat(shifted, 2).flatten::<3>(1, 2)
}

/// Zeros before and after each axis of the input; `Same` as Burn counts them, without regard to the dilation.
fn padding(layer: &Conv2d, input: [usize; 2]) -> [(usize, usize); 2] {
    match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => [0, 1].map(|axis| {
            let stride = layer.stride[axis];
            let covered = (input[axis].div_ceil(stride) - 1) * stride + layer.kernel_size[axis];
            let total = covered.saturating_sub(input[axis]);
            (total / 2, total - total / 2)
        }),
    }
}
