//! Convolutions on the CPU: patches of one example at a time, unfolded in cache, times the kernel.
//!
//! Every sum has an order of its own that no number of threads changes: examples are dealt in chunks of fixed size.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::geometry::Geometry;
use super::product::{Panels, accumulate, multiply};

/// Examples that one task takes at a time.
const CHUNK: usize = 8;

/// The convolution of `input`, `[examples, …]`, with `weight` plus `bias`.
pub(crate) fn convolve(geometry: &Geometry, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (inputs, outputs, taps) = (geometry.inputs(), geometry.outputs(), geometry.taps());
    let weight = Panels::pack(geometry.output[0], taps, |out, tap| weight[out * taps + tap]);
    let mut output = vec![0.0; input.len() / inputs * outputs];
    let chunks = output.par_chunks_mut(CHUNK * outputs).zip(input.par_chunks(CHUNK * inputs));
    chunks.for_each(|(output, input)| {
        Arch::new().dispatch(Convolve { geometry, input, weight: &weight, bias, output });
    });
    output
}

struct Convolve<'a> {
    geometry: &'a Geometry,
    input: &'a [f32],
    weight: &'a Panels,
    bias: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, input, weight, bias, output } = self;
        let (positions, channels) = (geometry.positions(), geometry.output[0]);
        let pitch = positions.next_multiple_of(S::F32_LANES);
        let mut scratch = geometry.scratch();
        let mut patches = vec![0.0; geometry.taps() * pitch];
        let mut padded = vec![0.0; if pitch == positions { 0 } else { channels * pitch }];
        let examples = input.chunks_exact(geometry.inputs()).zip(output.chunks_exact_mut(geometry.outputs()));
        for (input, output) in examples {
            geometry.unfold(input, &mut scratch, &mut patches, pitch);
            if pitch == positions {
                multiply(simd, weight, &patches, Some(bias), output);
            } else {
                multiply(simd, weight, &patches, Some(bias), &mut padded);
                copy_rows(&padded, pitch, output, positions);
            }
        }
    }
}

/// Copies rows of `from`, `from_pitch` apart, to rows of `to`, `to_pitch` apart, as far as both go.
#[inline(always)]
fn copy_rows(from: &[f32], from_pitch: usize, to: &mut [f32], to_pitch: usize) {
    let length = from_pitch.min(to_pitch);
    for (from, to) in from.chunks_exact(from_pitch).zip(to.chunks_exact_mut(to_pitch)) {
        to[..length].copy_from_slice(&from[..length]);
    }
}

/// The derivative at the input from `delta`, the derivative at the output.
pub(crate) fn input_gradient(geometry: &Geometry, weight: &[f32], delta: &[f32]) -> Vec<f32> {
    let (inputs, outputs, taps) = (geometry.inputs(), geometry.outputs(), geometry.taps());
    let weight = Panels::pack(taps, geometry.output[0], |tap, out| weight[out * taps + tap]);
    let mut gradient = vec![0.0; delta.len() / outputs * inputs];
    let chunks = gradient.par_chunks_mut(CHUNK * inputs).zip(delta.par_chunks(CHUNK * outputs));
    chunks.for_each(|(gradient, delta)| {
        Arch::new().dispatch(InputGradient { geometry, weight: &weight, delta, gradient });
    });
    gradient
}

struct InputGradient<'a> {
    geometry: &'a Geometry,
    weight: &'a Panels,
    delta: &'a [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, weight, delta, gradient } = self;
        let (positions, channels) = (geometry.positions(), geometry.output[0]);
        let pitch = positions.next_multiple_of(S::F32_LANES);
        let mut scratch = geometry.scratch();
        let mut patches = vec![0.0; geometry.taps() * pitch];
        let mut padded = vec![0.0; if pitch == positions { 0 } else { channels * pitch }];
        let examples = delta.chunks_exact(geometry.outputs()).zip(gradient.chunks_exact_mut(geometry.inputs()));
        for (delta, gradient) in examples {
            if pitch == positions {
                multiply(simd, weight, delta, None, &mut patches);
            } else {
                copy_rows(delta, positions, &mut padded, pitch);
                multiply(simd, weight, &padded, None, &mut patches);
            }
            geometry.fold(&patches, pitch, &mut scratch, gradient);
        }
    }
}

/// The gradients of every example with respect to the weight `[out, taps]` and, where `bias`, the bias after it.
pub(crate) fn example_gradients(geometry: &Geometry, input: &[f32], delta: &[f32], bias: bool) -> Vec<f32> {
    let (inputs, outputs) = (geometry.inputs(), geometry.outputs());
    let parameters = geometry.output[0] * (geometry.taps() + bias as usize);
    let mut gradients = vec![0.0; input.len() / inputs * parameters];
    let chunks = input.par_chunks(CHUNK * inputs).zip(delta.par_chunks(CHUNK * outputs));
    let chunks = gradients.par_chunks_mut(CHUNK * parameters).zip(chunks);
    chunks.for_each(|(gradients, (input, delta))| {
        Arch::new().dispatch(WeightGradient { geometry, input, delta, gradients, parameters });
    });
    gradients
}

/// The sum of all examples' gradients with respect to the weight `[out, taps]` and the bias after it.
pub(crate) fn weight_gradient(geometry: &Geometry, input: &[f32], delta: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (geometry.inputs(), geometry.outputs());
    let parameters = geometry.output[0] * (geometry.taps() + 1);
    let chunks = input.par_chunks(CHUNK * inputs).zip(delta.par_chunks(CHUNK * outputs));
    let partial = chunks.map(|(input, delta)| {
        let mut gradients = vec![0.0; parameters];
        let arch = Arch::new();
        arch.dispatch(WeightGradient { geometry, input, delta, gradients: &mut gradients, parameters });
        gradients
    });
    let partial: Vec<_> = partial.collect();
    let mut sum = vec![0.0; parameters];
    for gradients in partial {
        sum.iter_mut().zip(&gradients).for_each(|(sum, gradient)| *sum += gradient);
    }
    sum
}

/// Gradients of as many groups of examples as `parameters` goes into `gradients`, each summed over its group.
struct WeightGradient<'a> {
    geometry: &'a Geometry,
    input: &'a [f32],
    delta: &'a [f32],
    gradients: &'a mut [f32],
    parameters: usize,
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, input, delta, gradients, parameters } = self;
        let (positions, channels, taps) = (geometry.positions(), geometry.output[0], geometry.taps());
        let groups = gradients.len() / parameters;
        let group = input.len() / geometry.inputs() / groups;
        let width = channels.next_multiple_of(S::F32_LANES);
        let mut scratch = geometry.scratch();
        let mut patches = vec![1.0; (taps + 1) * positions];
        let mut turned = vec![0.0; positions * width];
        let mut sums = vec![0.0; (taps + 1) * width];
        let inputs = input.chunks_exact(group * geometry.inputs());
        let deltas = delta.chunks_exact(group * geometry.outputs());
        for ((input, delta), gradients) in inputs.zip(deltas).zip(gradients.chunks_exact_mut(parameters)) {
            sums.fill(0.0);
            let examples = input.chunks_exact(geometry.inputs()).zip(delta.chunks_exact(geometry.outputs()));
            for (input, delta) in examples {
                geometry.unfold(input, &mut scratch, &mut patches[..taps * positions], positions);
                turn(delta, positions, &mut turned, width);
                accumulate(simd, &patches, positions, &turned, positions, &mut sums);
            }
            let (weight, bias) = gradients.split_at_mut(channels * taps);
            turn(&sums[..taps * width], width, weight, taps);
            bias.copy_from_slice(&sums[taps * width..][..bias.len()]);
        }
    }
}

/// The transpose of `from`, whose rows are `from_pitch` long, in rows of `to_pitch`; what does not fit is left out.
#[inline(always)]
fn turn(from: &[f32], from_pitch: usize, to: &mut [f32], to_pitch: usize) {
    for (column, from) in from.chunks_exact(from_pitch).enumerate() {
        for (to, from) in to.chunks_exact_mut(to_pitch).zip(from) {
            to[column] = *from;
        }
    }
}
