use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use gradspectra_models::WeightLayout;
use rayon::prelude::*;

use super::ExampleFactors;
use super::layer::{Layer, Rows, Values};
use crate::MinibatchIndices;

/// Columns that are summed together, a cache line.
const LANES: usize = 16;
/// Examples whose factors are gathered at once.
const GATHER: usize = 512;

impl ExampleFactors {
    /// Sets `block` `[part, T]` to the entries `part` of the layer's gradients of every minibatch.
    pub(super) fn fill(&self, layer: &Layer, part: Range<usize>, minibatches: MinibatchIndices, block: MatMut<f32>) {
        match &layer.values {
            Values::Explicit(gradients) => self.fill_sums(gradients, part, minibatches, block),
            Values::Outer { input, delta, .. } if part.start == input.width * delta.width => {
                self.fill_sums(delta, 0..delta.width, minibatches, block);
            }
            Values::Outer { input, delta, layout, .. } => {
                let (major, minor) = match layout {
                    WeightLayout::InputMajor => (input, delta),
                    WeightLayout::OutputMajor => (delta, input),
                };
                let part = part.start / minor.width..part.end / minor.width;
                self.fill_products(major, part, minor, minibatches, block);
            }
        }
    }

    /// Means of the columns `part` of `source`, a few columns at a time, which then fit the cache for all minibatches.
    fn fill_sums(&self, source: &Rows, part: Range<usize>, minibatches: MinibatchIndices, block: MatMut<f32>) {
        let scale = 1.0 / minibatches.batch() as f32;
        block.par_row_chunks_mut(LANES).enumerate().for_each(|(chunk, mut block)| {
            let start = part.start + chunk * LANES;
            let width = block.nrows();
            let pack = |&row: &u32| {
                let mut values = [0.0; LANES];
                if row != u32::MAX {
                    values[..width].copy_from_slice(&source.row(row)[start..start + width]);
                }
                values
            };
            let packed: Vec<[f32; LANES]> = self.rows.iter().map(pack).collect();
            for t in 0..minibatches.iterations() {
                let sums = sum_of(&packed, minibatches.iteration(t));
                for (row, sum) in sums.iter().enumerate().take(width) {
                    block[(row, t)] = *sum as f32 * scale;
                }
            }
        });
    }

    /// Means of major_i minor_iᵀ, row-major, of the entries `part` of the major factor.
    fn fill_products(
        &self,
        major: &Rows,
        part: Range<usize>,
        minor: &Rows,
        minibatches: MinibatchIndices,
        block: MatMut<f32>,
    ) {
        let scale = 1.0 / minibatches.batch() as f32;
        block.par_col_iter_mut().enumerate().for_each_init(Scratch::default, |scratch, (t, column)| {
            let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
            scratch.rows.clear();
            scratch.rows.extend(minibatches.iteration(t).iter().map(|&example| self.rows[example as usize]));
            scratch.sum_products(major, part.clone(), minor, column);
            column.iter_mut().for_each(|value| *value *= scale);
        });
    }
}

/// The sums over `examples` of their columns, in f64.
fn sum_of(packed: &[[f32; LANES]], examples: &[u32]) -> [f64; LANES] {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            for &example in examples {
                let values = &packed[example as usize];
                for (sum, &value) in sums.iter_mut().zip(values) {
                    *sum += f64::from(value);
                }
            }
            sums
        },
    )
}

#[derive(Default)]
struct Scratch {
    rows: Vec<u32>,
    input: Vec<f32>,
    delta: Vec<f32>,
}

impl Scratch {
    /// Sets `column`, a row-major matrix, to Σ major_i minor_iᵀ over the rows.
    fn sum_products(&mut self, major: &Rows, part: Range<usize>, minor: &Rows, column: &mut [f32]) {
        let (height, width) = (part.len(), minor.width);
        let mut product = MatMut::from_column_major_slice_mut(column, width, height);
        let mut accum = Accum::Replace;
        for rows in self.rows.chunks(GATHER) {
            gather(&mut self.input, major, rows, part.clone());
            gather(&mut self.delta, minor, rows, 0..width);
            matmul(
                product.as_mut(),
                accum,
                MatRef::from_column_major_slice(&self.delta, width, rows.len()),
                MatRef::from_column_major_slice(&self.input, height, rows.len()).transpose(),
                1.0,
                Par::Seq,
            );
            accum = Accum::Add;
        }
    }
}

fn gather(target: &mut Vec<f32>, source: &Rows, rows: &[u32], part: Range<usize>) {
    target.clear();
    rows.iter().for_each(|&row| target.extend_from_slice(&source.row(row)[part.clone()]));
}
