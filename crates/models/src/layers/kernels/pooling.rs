//! ReLU of 2×2 max-pooling on the CPU.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Pooled channels that one task takes at a time.
const CHUNK: usize = 64;

/// Height and width of a channel, pooled.
fn halved([height, width]: [usize; 2]) -> [usize; 2] {
    [height / 2, width / 2]
}

/// The larger of two numbers, NaN if either is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The largest of every 2×2 block and 0, for channels of the given height and width one after another.
pub(crate) fn pool(input: &[f32], size: [usize; 2]) -> Vec<f32> {
    let ([height, width], [rows, columns]) = (size, halved(size));
    let mut output = vec![0.0; input.len() / (height * width) * rows * columns];
    if output.is_empty() {
        return output;
    }
    let chunks = output.par_chunks_mut(CHUNK * rows * columns).zip(input.par_chunks(CHUNK * height * width));
    chunks.for_each(|(output, input)| Arch::new().dispatch(Pool { input, output, size }));
    output
}

struct Pool<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    size: [usize; 2],
}

impl WithSimd for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ([height, width], [rows, columns]) = (self.size, halved(self.size));
        let channels = self.output.chunks_exact_mut(rows * columns).zip(self.input.chunks_exact(height * width));
        for (output, input) in channels {
            for (output, input) in output.chunks_exact_mut(columns).zip(input.chunks_exact(2 * width)) {
                let (upper, lower) = input.split_at(width);
                let blocks = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                for (output, ([a, b], [c, d])) in output.iter_mut().zip(blocks) {
                    let largest = larger(larger(*a, *b), larger(*c, *d));
                    *output = if largest <= 0.0 { 0.0 } else { largest };
                }
            }
        }
    }
}

/// The derivative at the input: that at the output, handed to the first largest entry of every block whose
/// largest entry is positive.
pub(crate) fn pool_gradient(input: &[f32], output: &[f32], delta: &[f32], size: [usize; 2]) -> Vec<f32> {
    let ([height, width], [rows, columns]) = (size, halved(size));
    let mut gradient = vec![0.0; input.len()];
    if output.is_empty() {
        return gradient;
    }
    let (small, large) = (CHUNK * rows * columns, CHUNK * height * width);
    let chunks = gradient.par_chunks_mut(large).zip(input.par_chunks(large));
    let chunks = chunks.zip(output.par_chunks(small).zip(delta.par_chunks(small)));
    chunks.for_each(|((gradient, input), (output, delta))| {
        Arch::new().dispatch(PoolGradient { input, output, delta, gradient, size });
    });
    gradient
}

struct PoolGradient<'a> {
    input: &'a [f32],
    output: &'a [f32],
    delta: &'a [f32],
    gradient: &'a mut [f32],
    size: [usize; 2],
}

impl WithSimd for PoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ([height, width], [rows, columns]) = (self.size, halved(self.size));
        let (small, large) = (rows * columns, height * width);
        let channels = self.gradient.chunks_exact_mut(large).zip(self.input.chunks_exact(large));
        let pooled = self.output.chunks_exact(small).zip(self.delta.chunks_exact(small));
        for ((gradient, input), (output, delta)) in channels.zip(pooled) {
            let pairs = gradient.chunks_exact_mut(2 * width).zip(input.chunks_exact(2 * width));
            let pooled = output.chunks_exact(columns).zip(delta.chunks_exact(columns));
            for ((gradient, input), (output, delta)) in pairs.zip(pooled) {
                hand_down(gradient, input, output, delta);
            }
        }
    }
}

/// All bits or none: a branch on the data would be mispredicted every other time.
#[inline(always)]
fn mask(condition: bool) -> u32 {
    (condition as u32).wrapping_neg()
}

/// The derivatives of two rows from those of the pooled row.
#[inline(always)]
fn hand_down(gradient: &mut [f32], input: &[f32], output: &[f32], delta: &[f32]) {
    let (width, columns) = (input.len() / 2, output.len());
    let (upper, lower) = input.split_at(width);
    let (upper_gradient, lower_gradient) = gradient.split_at_mut(width);
    let (upper, lower) = (&upper[..2 * columns], &lower[..2 * columns]);
    let (upper_gradient, lower_gradient) = (&mut upper_gradient[..2 * columns], &mut lower_gradient[..2 * columns]);
    let delta = &delta[..columns];
    for column in 0..columns {
        let largest = output[column];
        let mut rest = delta[column].to_bits() & mask(largest > 0.0);
        let mut share = |entry: f32| {
            let mine = rest & mask(entry == largest);
            rest ^= mine;
            f32::from_bits(mine)
        };
        upper_gradient[2 * column] = share(upper[2 * column]);
        upper_gradient[2 * column + 1] = share(upper[2 * column + 1]);
        lower_gradient[2 * column] = share(lower[2 * column]);
        lower_gradient[2 * column + 1] = share(lower[2 * column + 1]);
    }
}
