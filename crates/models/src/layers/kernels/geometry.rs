//! Where a convolution's kernel meets its input.

/// Runs a row function with the output's width as a constant, where it is a common one.
macro_rules! each_row {
    ($geometry:expr, |$width:ident| $body:expr) => {
        each_row!($geometry, $width, $body, [8 10 12 14 16 24 28 32])
    };
    ($geometry:expr, $width:ident, $body:expr, [$($common:literal)*]) => {
        match ($geometry.stride[1], $geometry.output[2]) {
            $((1, $common) => {
                const $width: usize = $common;
                $body
            })*
            _ => {
                const $width: usize = 0;
                $body
            }
        }
    };
}

/// The sizes of a 2-D convolution without groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Channels, height and width of an input.
    pub(crate) input: [usize; 3],
    /// Channels, height and width of an output.
    pub(crate) output: [usize; 3],
    /// Height and width of the kernel.
    pub(crate) kernel: [usize; 2],
    /// The steps of the kernel.
    pub(crate) stride: [usize; 2],
    /// The steps inside the kernel.
    pub(crate) dilation: [usize; 2],
    /// Zeros above, below, left and right of an input.
    pub(crate) padding: [[usize; 2]; 2],
}

/// What unfolding and folding need beside their arguments.
pub(crate) struct Scratch {
    /// A padded input, empty where there is no padding.
    padded: Vec<f32>,
    /// Where each tap of the kernel meets the padded input first.
    taps: Vec<usize>,
}

impl Geometry {
    /// The number of entries of an input.
    pub(crate) fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// The number of entries of an output.
    pub(crate) fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// The number of output pixels of a channel.
    pub(crate) fn positions(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// The number of input entries under the kernel.
    pub(crate) fn taps(&self) -> usize {
        self.input[0] * self.kernel[0] * self.kernel[1]
    }

    fn is_padded(&self) -> bool {
        self.padding != [[0; 2]; 2]
    }

    /// Height and width of a padded input.
    fn padded(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.padding[axis][0] + self.input[axis + 1] + self.padding[axis][1])
    }

    /// Room to unfold and fold in.
    pub(crate) fn scratch(&self) -> Scratch {
        let [height, width] = self.padded();
        let padded = if self.is_padded() { self.input[0] * height * width } else { 0 };
        Scratch { padded: vec![0.0; padded], taps: self.tap_starts().collect() }
    }

    /// Where the rows of an input start, in it and in a padded one.
    #[inline(always)]
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let ([channels, height, width], [padded_height, padded_width]) = (self.input, self.padded());
        let [[top, _], [left, _]] = self.padding;
        (0..channels).flat_map(move |channel| {
            (0..height).map(move |y| {
                let padded = (channel * padded_height + top + y) * padded_width + left;
                ((channel * height + y) * width, padded)
            })
        })
    }

    /// The patches of an input: row k of `patches`, `pitch` apart, holds what tap k of the kernel meets at every
    /// position.
    #[inline(always)]
    pub(crate) fn unfold(&self, input: &[f32], scratch: &mut Scratch, patches: &mut [f32], pitch: usize) {
        let width = self.input[2];
        let input = if self.is_padded() {
            for (from, to) in self.rows() {
                scratch.padded[to..to + width].copy_from_slice(&input[from..from + width]);
            }
            &scratch.padded
        } else {
            input
        };
        for (&tap, patches) in scratch.taps.iter().zip(patches.chunks_exact_mut(pitch)) {
            each_row!(self, |W| copy_rows::<W>(patches, &input[tap..], self));
        }
    }

    /// The transpose of [`unfold`](Self::unfold): adds what every tap met to where it met it in `input`.
    #[inline(always)]
    pub(crate) fn fold(&self, patches: &[f32], pitch: usize, scratch: &mut Scratch, input: &mut [f32]) {
        scratch.padded.fill(0.0);
        let target = if self.is_padded() { &mut scratch.padded[..] } else { &mut *input };
        for (&tap, patches) in scratch.taps.iter().zip(patches.chunks_exact(pitch)) {
            each_row!(self, |W| add_rows::<W>(&mut target[tap..], patches, self));
        }
        if self.is_padded() {
            let width = self.input[2];
            for (to, from) in self.rows() {
                input[to..to + width].copy_from_slice(&scratch.padded[from..from + width]);
            }
        }
    }

    /// Where each tap of the kernel meets the padded input first.
    fn tap_starts(&self) -> impl Iterator<Item = usize> {
        let ([height, width], [rows, columns]) = (self.padded(), self.kernel);
        let [down, right] = self.dilation;
        (0..self.input[0]).flat_map(move |channel| {
            (0..rows).flat_map(move |y| (0..columns).map(move |x| (channel * height + y * down) * width + x * right))
        })
    }

    /// The steps between neighbouring positions in the padded input, down and right.
    #[inline(always)]
    fn steps(&self) -> [usize; 2] {
        [self.stride[0] * self.padded()[1], self.stride[1]]
    }
}

/// Copies what one tap meets. `W` is the output's width where the kernel steps by 1 and the width is a common one,
/// and 0 elsewhere.
#[inline(always)]
fn copy_rows<const W: usize>(patches: &mut [f32], input: &[f32], geometry: &Geometry) {
    let ([down, right], [_, height, width]) = (geometry.steps(), geometry.output);
    for y in 0..height {
        if W > 0 {
            patches[y * W..][..W].copy_from_slice(&input[y * down..][..W]);
        } else {
            for x in 0..width {
                patches[y * width + x] = input[y * down + x * right];
            }
        }
    }
}

/// Adds what one tap met; `W` as in [`copy_rows`].
#[inline(always)]
fn add_rows<const W: usize>(input: &mut [f32], patches: &[f32], geometry: &Geometry) {
    let ([down, right], [_, height, width]) = (geometry.steps(), geometry.output);
    for y in 0..height {
        if W > 0 {
            let (input, patches) = (&mut input[y * down..][..W], &patches[y * W..][..W]);
            for x in 0..W {
                input[x] += patches[x];
            }
        } else {
            for x in 0..width {
                input[y * down + x * right] += patches[y * width + x];
            }
        }
    }
}
