//! Convolutions and their gradients, example by example, from unfolded patches.

use burn::backend::Dispatch;
use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv2d};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::layers::extension::{CpuGradients, CpuKernels, on_cpu};
use crate::layers::kernels::Geometry;
use crate::layers::unfolding::{Windows, with_bias};
use crate::{Factors, TracedLayer, WeightLayout};

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

    /// The weight's gradient of an example is δ `[out, positions]` times its patches `[positions, in × kernel]`, of which the
    /// fewer numbers are kept; the bias's is δ summed over the positions.
    fn factors(&self, input: Tensor<4>, delta: Tensor<4>) -> Factors {
        let windows = windows(self, input.dims(), delta.dims());
        let [_, out, ..] = delta.dims();
        let [_, channels, ..] = self.weight.dims();
        let taps = channels * self.kernel_size[0] * self.kernel_size[1];
        let bias = self.bias.is_some();
        let is_deep = self.groups == 1 && windows.positions() * (taps + out) < taps * out;
        if let (Some(geometry), false) = (geometry(self, &input), is_deep) {
            let [input, delta] = [input, delta].map(Tensor::into_dispatch);
            let gradients = <Dispatch as CpuGradients>::example_gradients(input, delta, geometry, bias);
            return Factors::Explicit(Tensor::from_dispatch(gradients));
        }
        factors(windows, input, delta, self.groups, bias, is_deep)
    }

    fn multiply_adds(&self, output: [usize; 4]) -> u64 {
        let [_, channels, height, width] = self.weight.dims();
        (output.iter().product::<usize>() * channels * height * width) as u64
    }
}

/// As a convolution of images of height 1.
impl TracedLayer<3, 3> for Conv1d {
    /// In two dimensions: the weight's gradient of Burn 0.22.1's `conv1d` is wrong with groups and a stride that leaves a rest.
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let (left, right) = padding_1d(self, input.dims()[2]);
        let options =
            ConvOptions::new_with_padding([1, self.stride], [(0, 0), (left, right)], [1, self.dilation], self.groups);
        let bias = self.bias.as_ref().map(Param::val);
        conv2d(input.unsqueeze_dim(2), self.weight.val().unsqueeze_dim(2), bias, options).squeeze_dim(2)
    }

    fn factors(&self, input: Tensor<3>, delta: Tensor<3>) -> Factors {
        let [[_, out, stops], [_, channels, taps]] = [delta.dims(), self.weight.dims()];
        let padding = padding_1d(self, input.dims()[2]);
        let windows = Windows {
            kernel: [1, self.kernel_size],
            stride: [1, self.stride],
            dilation: [1, self.dilation],
            padding: [(0, 0), padding],
            stops: [1, stops],
        };
        let is_deep = self.groups == 1 && stops * (channels * taps + out) < channels * taps * out;
        let (input, delta) = (input.unsqueeze_dim(2), delta.unsqueeze_dim(2));
        factors(windows, input, delta, self.groups, self.bias.is_some(), is_deep)
    }

    fn multiply_adds(&self, output: [usize; 3]) -> u64 {
        let [_, channels, taps] = self.weight.dims();
        (output.iter().product::<usize>() * channels * taps) as u64
    }
}

/// The factors of a convolution; of one that `is_deep`, with few positions for its weights, the patches and δ themselves.
fn factors(windows: Windows, input: Tensor<4>, delta: Tensor<4>, groups: usize, bias: bool, is_deep: bool) -> Factors {
    let [examples, out, ..] = delta.dims();
    let delta = delta.reshape([examples, out, windows.positions()]);
    match is_deep {
        true => Factors::Products {
            input: windows.unfold(input).swap_dims(1, 2),
            delta: delta.swap_dims(1, 2),
            layout: WeightLayout::OutputMajor,
            bias,
        },
        false => Factors::Explicit(with_bias(windows.products(delta.clone(), input, groups), delta, bias)),
    }
}

/// How the kernel of `layer` moves over an input.
fn windows(layer: &Conv2d, input: [usize; 4], output: [usize; 4]) -> Windows {
    Windows {
        kernel: layer.kernel_size,
        stride: layer.stride,
        dilation: layer.dilation,
        padding: padding(layer, [input[2], input[3]]),
        stops: [output[2], output[3]],
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

/// Zeros before and after each axis of the input; `Same` as Burn counts them, without regard to the dilation.
fn padding(layer: &Conv2d, input: [usize; 2]) -> [(usize, usize); 2] {
    match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => {
            [0, 1].map(|axis| same_padding(input[axis], layer.kernel_size[axis], layer.stride[axis]))
        }
    }
}

/// Zeros before and after an input of `length`.
fn padding_1d(layer: &Conv1d, length: usize) -> (usize, usize) {
    match layer.padding {
        PaddingConfig1d::Valid => (0, 0),
        PaddingConfig1d::Explicit(left, right) => (left, right),
        PaddingConfig1d::Same => same_padding(length, layer.kernel_size, layer.stride),
    }
}

fn same_padding(input: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = (input.div_ceil(stride) - 1) * stride + kernel;
    let total = covered.saturating_sub(input);
    (total / 2, total - total / 2)
}
