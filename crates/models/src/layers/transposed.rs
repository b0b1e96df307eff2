use burn::nn::conv::{ConvTranspose1d, ConvTranspose2d};
use burn::tensor::Tensor;

use crate::layers::unfolding::{Windows, with_bias};
use crate::{Factors, TracedLayer};

impl TracedLayer<4, 4> for ConvTranspose2d {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        ConvTranspose2d::forward(self, input)
    }

    /// The kernel moves over the output: an entry of the weight meets each input and δ under the kernel's tap.
    fn factors(&self, input: Tensor<4>, delta: Tensor<4>) -> Factors {
        let Self { stride, dilation, padding, kernel_size: kernel, .. } = *self;
        factors(input, delta, Transposed { kernel, stride, dilation, padding }, self.groups, self.bias.is_some())
    }

    fn multiply_adds(&self, output: [usize; 4]) -> u64 {
        let [_, out, ..] = self.weight.dims();
        let positions = output[2] * output[3] / (self.stride[0] * self.stride[1]);
        (output[0] * positions * self.weight.dims()[0] * out * self.kernel_size[0] * self.kernel_size[1]) as u64
    }
}

/// As a transposed convolution of images of height 1.
impl TracedLayer<3, 3> for ConvTranspose1d {
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        ConvTranspose1d::forward(self, input)
    }

    fn factors(&self, input: Tensor<3>, delta: Tensor<3>) -> Factors {
        let moves = Transposed {
            kernel: [1, self.kernel_size],
            stride: [1, self.stride],
            dilation: [1, self.dilation],
            padding: [0, self.padding],
        };
        factors(input.unsqueeze_dim(2), delta.unsqueeze_dim(2), moves, self.groups, self.bias.is_some())
    }

    fn multiply_adds(&self, output: [usize; 3]) -> u64 {
        let [inputs, out, kernel] = self.weight.dims();
        (output[0] * (output[2] / self.stride) * inputs * out * kernel) as u64
    }
}

/// How the kernel of a transposed convolution moves over its output.
struct Transposed {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Places cut off before each axis of the output.
    padding: [usize; 2],
}

fn factors(input: Tensor<4>, delta: Tensor<4>, moves: Transposed, groups: usize, bias: bool) -> Factors {
    let [examples, channels, height, width] = input.dims();
    let [_, outputs, ..] = delta.dims();
    let stops = [height, width];
    let sides = [delta.dims()[2], delta.dims()[3]];
    let padding = [0, 1].map(|axis| {
        let reach = (stops[axis] - 1) * moves.stride[axis] + moves.dilation[axis] * (moves.kernel[axis] - 1) + 1;
        (moves.padding[axis], reach.saturating_sub(moves.padding[axis] + sides[axis]))
    });
    let Transposed { kernel, stride, dilation, .. } = moves;
    let windows = Windows { kernel, stride, dilation, padding, stops };
    let weight = windows.products(input.reshape([examples, channels, height * width]), delta.clone(), groups);
    Factors::Explicit(with_bias(weight, delta.reshape([examples, outputs, sides[0] * sides[1]]), bias))
}
