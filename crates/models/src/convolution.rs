//! The gradients of 2-D convolutions, example by example, from unfolded patches.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::{Slice, Tensor, s};

use crate::trace::{Factors, TracedLayer};

impl TracedLayer<4, 4> for Conv2d {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        Conv2d::forward(self, input)
    }

    /// The weight's gradient of an example is δ `[out, positions]` times its patches `[positions, in × kernel]`;
    /// the bias's is δ summed over the positions.
    fn factors(&self, input: Tensor<4>, delta: Tensor<4>) -> Factors {
        assert_eq!(self.groups, 1, "grouped convolutions have no factors yet");
        let [examples, out, height, width] = delta.dims();
        let delta = delta.reshape([examples, out, height * width]);
        let patches = unfold(self, input, [height, width]);
        let weight = delta.clone().matmul(patches.swap_dims(1, 2)).flatten::<2>(1, 2);
        Factors::Explicit(match self.bias {
            Some(_) => Tensor::cat(vec![weight, delta.sum_dim(2).flatten::<2>(1, 2)], 1),
            None => weight,
        })
    }
}

/// The patches under the kernel of `layer`, `[examples, in × kernel, positions]`, in the order of its weight.
fn unfold(layer: &Conv2d, input: Tensor<4>, output: [usize; 2]) -> Tensor<3> {
    let [_, _, height, width] = input.dims();
    let [(top, bottom), (left, right)] = padding(layer, [height, width], output);
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

/// Zeros before and after each axis of the input.
fn padding(layer: &Conv2d, input: [usize; 2], output: [usize; 2]) -> [(usize, usize); 2] {
    match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => [0, 1].map(|axis| {
            let covered = (output[axis] - 1) * layer.stride[axis] + layer.kernel_size[axis];
            let total = covered.saturating_sub(input[axis]);
            (total / 2, total - total / 2)
        }),
    }
}
