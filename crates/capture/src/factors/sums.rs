use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::ExampleFactors;
use super::layer::{Layer, Rows, Tokens, Values};
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
            Values::Lookup { tokens, delta } => self.fill_lookups(tokens, part, delta, minibatches, block),
            Values::Products(factors) if part.start == factors.weight() => {
                self.fill_sums(&factors.delta, 0..factors.delta.width, minibatches, block);
            }
            Values::Products(factors) => {
                let (major, minor) = factors.major_and_minor();
                let part = part.start / minor.width..part.end / minor.width;
                self.fill_products(major, part, minor, minibatches, block);
            }
        }
    }

    /// Means of the columns `part` of `source`, summed over positions, a few columns at a time, which then fit the cache for
    /// all minibatches.
    fn fill_sums(&self, source: &Rows, part: Range<usize>, minibatches: MinibatchIndices, block: MatMut<f32>) {
        let scale = 1.0 / minibatches.batch() as f32;
        block.par_row_chunks_mut(LANES).enumerate().for_each(|(chunk, mut block)| {
            let start = part.start + chunk * LANES;
            let width = block.nrows();
            let pack = |&row: &u32| {
                let mut values = [0.0; LANES];
                if row == u32::MAX {
                    return values;
                }
                if source.positions == 1 {
                    values[..width].copy_from_slice(&source.example(row)[start..start + width]);
                    return values;
                }
                let mut sums = [0.0; LANES];
                for position in source.example(row).chunks_exact(source.width) {
                    let entries = sums.iter_mut().zip(&position[start..start + width]);
                    entries.for_each(|(sum, &value)| *sum += f64::from(value));
                }
                sums.map(|sum| sum as f32)
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

    /// Means of Σ major_l minor_lᵀ over positions, row-major, of the entries `part` of the major factor.
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

    /// Means of the sums of `delta` over the positions that look up a row, of the rows `part` of the table, row-major.
    fn fill_lookups(
        &self,
        tokens: &Tokens,
        part: Range<usize>,
        delta: &Rows,
        minibatches: MinibatchIndices,
        block: MatMut<f32>,
    ) {
        let (width, scale) = (delta.width, 1.0 / minibatches.batch() as f64);
        let rows = (part.start / width) as u32..(part.end / width) as u32;
        block.par_col_iter_mut().enumerate().for_each_init(Vec::new, |sums: &mut Vec<f64>, (t, column)| {
            sums.clear();
            sums.resize(part.len(), 0.0);
            for &index in minibatches.iteration(t) {
                let example = self.rows[index as usize];
                let lookups = tokens.example(example).iter().zip(delta.example(example).chunks_exact(width));
                for (token, row) in lookups.filter(|(token, _)| rows.contains(token)) {
                    let sums = sums[(token - rows.start) as usize * width..].iter_mut();
                    sums.zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
                }
            }
            column.iter_mut().zip(&*sums).for_each(|(entry, sum)| *entry = (sum * scale) as f32);
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
    /// Sets `column`, a row-major matrix, to the sum of major_l minor_lᵀ over the positions of the examples.
    fn sum_products(&mut self, major: &Rows, part: Range<usize>, minor: &Rows, column: &mut [f32]) {
        let (height, width, positions) = (part.len(), minor.width, minor.positions);
        let mut product = MatMut::from_column_major_slice_mut(column, width, height);
        if let ([example], 2..) = (&self.rows[..], positions) {
            let (major, minor) = (major.as_columns(*example).subrows(part.start, height), minor.as_columns(*example));
            matmul(product, Accum::Replace, minor, major.transpose(), 1.0, Par::Seq);
            return;
        }
        let mut accum = Accum::Replace;
        for examples in self.rows.chunks((GATHER / positions).max(1)) {
            gather(&mut self.input, major, examples, part.clone());
            gather(&mut self.delta, minor, examples, 0..width);
            let columns = examples.len() * positions;
            matmul(
                product.as_mut(),
                accum,
                MatRef::from_column_major_slice(&self.delta, width, columns),
                MatRef::from_column_major_slice(&self.input, height, columns).transpose(),
                1.0,
                Par::Seq,
            );
            accum = Accum::Add;
        }
    }
}

fn gather(target: &mut Vec<f32>, source: &Rows, examples: &[u32], part: Range<usize>) {
    target.clear();
    for &example in examples {
        let rows = source.example(example).chunks_exact(source.width);
        rows.for_each(|row| target.extend_from_slice(&row[part.clone()]));
    }
}
