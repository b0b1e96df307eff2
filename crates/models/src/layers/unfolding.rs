//! The patches of images under a kernel that moves over them, and gradients that are products with them.

use burn::tensor::{Slice, Tensor, s};

use crate::device::GpuMemory;
use crate::layers::product::product;

/// How a kernel moves over an image: each pair is of its height and its width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    /// Zeros before and after each axis.
    pub(super) padding: [(usize, usize); 2],
    /// The places where it stops.
    pub(super) stops: [usize; 2],
}

impl Windows {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(super) fn positions(&self) -> usize {
        self.stops[0] * self.stops[1]
    }

    /// The patches `[examples, channels × taps, positions]` of `images` `[examples, channels, height, width]`.
    pub(super) fn unfold(&self, images: Tensor<4>) -> Tensor<3> {
        let [(top, bottom), (left, right)] = self.padding;
        let padded = match [top, bottom, left, right] {
            [0, 0, 0, 0] => images,
            _ => images.pad((left, right, top, bottom), 0.0),
        };
        let [examples, channels, _, _] = padded.dims();
        let window = |tap: usize, axis: usize| {
            let start = (tap * self.dilation[axis]) as isize;
            let end = start + ((self.stops[axis] - 1) * self.stride[axis]) as isize + 1;
            Slice::new(start, Some(end), self.stride[axis] as isize)
        };
        let shifted = (0..self.kernel[0])
            .flat_map(|row| (0..self.kernel[1]).map(move |column| (row, column)))
            .map(|(row, column)| {
                let shifted = padded.clone().slice(s![.., .., window(row, 0), window(column, 1)]);
                shifted.reshape([examples, channels, 1, self.positions()])
            })
            .collect();
        Tensor::cat(shifted, 2).flatten::<3>(1, 2)
    }

    /// For every example and group the products of `rows` `[examples, channels, positions]` with the patches of `images`,
    /// summed over the positions: `[examples, channels × patch of a group]`, as many examples at once as buffers hold.
    pub(super) fn products(&self, rows: Tensor<3>, images: Tensor<4>, groups: usize) -> Tensor<2> {
        let ([examples, channels, positions], [_, image_channels, ..]) = (rows.dims(), images.dims());
        let patch = image_channels * self.taps();
        let at_once = (GpuMemory::of(&rows.device()).buffer_numbers() / (patch * positions)).clamp(1, examples);
        let products = (0..examples).step_by(at_once).map(|start| {
            let part = start..examples.min(start + at_once);
            let patches = self.unfold(images.clone().slice_dim(0, part.clone()));
            let rows = rows.clone().slice_dim(0, part.clone());
            let rows = rows.reshape([part.len(), groups, channels / groups, positions]);
            let patches = patches.reshape([part.len(), groups, patch / groups, positions]);
            product(rows, patches.swap_dims(2, 3)).flatten::<2>(1, 3)
        });
        Tensor::cat(products.collect(), 0)
    }
}

/// `weight` `[examples, …]` and, where there is one, the gradient of a bias that is added at every position of `delta`.
pub(super) fn with_bias(weight: Tensor<2>, delta: Tensor<3>, bias: bool) -> Tensor<2> {
    match bias {
        true => Tensor::cat(vec![weight, delta.sum_dim(2).flatten::<2>(1, 2)], 1),
        false => weight,
    }
}
