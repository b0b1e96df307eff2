//! What a row holds, from the sizes of its data and network.

use gradspectra_capture::{GramBuilder, LayerSize, examples_at_once, threads_at_once};
use gradspectra_data::LabelCorruption;
use gradspectra_experiment::{Analysis, Axis, Matrix, Row, Store, Vectors};

use super::{BASE, F32, LEAST_COLUMNS, LEAST_ROWS};
use crate::error::Result;
use crate::schedule::task::Task;
use crate::schedule::terms::GramTerms;
use crate::subject::fit::measured_of;

/// Blocks up to which every term of a Gram matrix is one of them.
const SINGLE_BLOCKS: u64 = 128;

/// The parameters, their gradients, and what either is read into.
const PASS_COPIES: u64 = 4;

/// The factors of a chunk of examples, as the network's backend holds them and as they are read from it.
const FACTOR_COPIES: u64 = 2;
/// What a thread that runs examples through the network keeps of memory that it gave back.
const WORKER: u64 = 28 << 20;

/// How much is captured for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Parameters whose rows of G are made.
    pub(crate) parameters: u64,
    /// Numbers in an example's factors that are held.
    pub(crate) factors: u64,
}

impl Share {
    /// Everything.
    pub(crate) const ALL: Self = Self { parameters: u64::MAX, factors: u64::MAX };
    /// Nothing: all terms of the Gram matrix are there.
    pub(crate) const NONE: Self = Self { parameters: 0, factors: 0 };

    /// What is captured for `task` beside the terms that `store` holds.
    pub(crate) fn of(task: &Task, store: Option<&Store>) -> Result<Self> {
        match (GramTerms::shared(task)?, store) {
            (Some(terms), Some(store)) => {
                let there = terms.are_there(store);
                Ok(terms.share(|term| !there[term]))
            }
            _ => Ok(Self::ALL),
        }
    }
}

/// The sizes of data and network that decide what a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The training examples.
    pub examples: u64,
    /// The numbers in an example's input.
    pub features: u64,
    /// n.
    pub parameters: u64,
    /// The numbers in an example's factors; 0 where there are none.
    pub factors: u64,
    /// The numbers in an example's factors of the layer that has the most.
    pub layer: u64,
    /// The numbers in the inputs and outputs of the layers that go through the trace, an example.
    pub traced: u64,
    /// Multiply-adds of the inner product of the gradients of two single examples, and of an example to form what it is of.
    pub pair: [u64; 2],
    /// Multiply-adds to form the gradient of an example from its factors.
    pub gradient: u64,
    /// The numbers that a pass holds, an example.
    pub activations: u64,
    /// Multiply-adds of a pass forward, an example.
    pub multiply_adds: u64,
    /// The parameters of the largest block of G that comes of factors: above 8192 where an output has more weights.
    pub block: u64,
    /// The blocks that its layers' rows of G come in, each of [`GramBuilder::ROWS`] rows at the most; 0 where there are none.
    pub blocks: u64,
    /// The numbers beside a layer's factors while the products of single examples are formed of them; 0 where they are not.
    pub copies: u64,
}

impl Sizes {
    /// The sizes of `row`.
    pub fn of(row: &Row) -> Self {
        let measured = measured_of(row);
        let along_run = matches!(row.vectors, Vectors::AlongRun { .. });
        let layers = if along_run { &[] } else { &measured.layers[..] };
        let of_single = row.batch_size == 1 && row.vectors == Vectors::Gradients;
        let copies = layers.iter().map(|layer| layer.copies(row.iterations)).filter(|_| of_single).max();
        Self {
            examples: measured.examples as u64,
            features: measured.features as u64,
            parameters: measured.parameters as u64,
            factors: layers.iter().map(|layer| layer.factors as u64).sum(),
            block: layers.iter().map(|layer| layer.largest_block() as u64).max().unwrap_or(0),
            blocks: layers.iter().map(blocks).sum(),
            layer: layers.iter().map(|layer| layer.factors as u64).max().unwrap_or(0),
            traced: measured.traced,
            pair: [0, 1].map(|part| layers.iter().map(|layer| layer.plain_cost()[part]).sum()),
            gradient: layers.iter().map(LayerSize::gradient_cost).sum(),
            activations: measured.activations,
            multiply_adds: measured.multiply_adds,
            copies: copies.unwrap_or(0) as u64,
        }
    }

    /// The bytes that `row` takes by itself where memory is free.
    pub fn total(&self, row: &Row) -> u64 {
        let drawn = row.iterations * row.batch_size;
        self.fixed(row, drawn) + self.all_factors(drawn) + self.rows(row, Share::ALL)
    }

    /// The sizes where no more than `share` is captured.
    pub(super) fn captured(self, share: Share) -> Self {
        let activations = if share.parameters > 0 { self.activations } else { 0 };
        let (factors, layer) = (self.factors.min(share.factors), self.layer.min(share.factors));
        Self { factors, layer, activations, ..self }
    }

    /// What is held for `row` whatever the budget, where rows draw `drawn` examples in all.
    pub(super) fn fixed(&self, row: &Row, drawn: usize) -> u64 {
        let copies = if row.capture_labels == LabelCorruption::None && !row.capture_inputs.is_noise() { 1 } else { 2 };
        let inputs = copies * self.examples * self.features;
        let minibatches = (row.iterations * row.batch_size) as u64;
        let at_once = match self.factors > 0 {
            true => examples_at_once(self.traced).min(drawn as u64).min(self.examples),
            false => row.batch_size as u64,
        };
        let pass = at_once * (self.activations + FACTOR_COPIES * self.factors) + PASS_COPIES * self.parameters;
        let workers = if self.factors > 0 { threads_at_once() } else { 0 };
        BASE + workers * WORKER + F32 * (inputs + minibatches + pass)
    }

    /// The factors of all layers, where rows draw `drawn` examples in all.
    pub(super) fn all_factors(&self, drawn: usize) -> u64 {
        F32 * self.examples.min(drawn as u64) * self.factors
    }

    /// The factors that are held at once at the least: of a layer, but of all where the entries of a gradient are tested
    /// together.
    pub(super) fn least_factors(&self, row: &Row) -> u64 {
        let together = matches!(row.analysis, Analysis::Entries { along: Axis::Dimension, .. });
        let factors = if together { self.factors } else { self.layer };
        F32 * self.examples.min((row.iterations * row.batch_size) as u64) * factors
    }

    /// What `row` holds beside where memory is free.
    pub(super) fn rows(&self, row: &Row, share: Share) -> u64 {
        self.beside(row, self.parameters.min(share.parameters), row.iterations as u64)
    }

    pub(super) fn least_rows(&self, row: &Row, share: Share) -> u64 {
        self.beside(row, self.block().min(share.parameters), row.iterations.min(LEAST_COLUMNS) as u64)
    }

    /// The rows of the smallest block of G, or the largest of those that come of factors.
    pub(super) fn block(&self) -> u64 {
        self.parameters.min(LEAST_ROWS as u64).max(self.block)
    }

    /// What `row` holds beside with blocks of G of `rows` or, where its axis allows them, of `columns`.
    fn beside(&self, row: &Row, rows: u64, columns: u64) -> u64 {
        let iterations = row.iterations as u64;
        let updates = row.vectors != Vectors::Gradients;
        let numbers = match row.analysis {
            Analysis::Spectrum { matrix: Matrix::Covariance, .. } => {
                self.gram(row, rows).max(4 * iterations * iterations)
            }
            Analysis::Spectrum { .. } => self.gram(row, rows).max(6 * iterations * iterations),
            Analysis::Entries { along: Axis::Dimension, .. } if self.factors == 0 && !updates => 0,
            Analysis::Entries { along: Axis::Dimension, .. } if updates => {
                (self.parameters + self.block()) * iterations
            }
            Analysis::Entries { along: Axis::Dimension, .. } => self.parameters * columns + self.block() * iterations,
            Analysis::Entries { sampled_parameters, .. } => {
                let sampled = sampled_parameters.map_or(0, |sampled| self.parameters.min(sampled as u64));
                let heard = self.factors == 0 && !updates && sampled > 0;
                let held = if heard { 0 } else { rows + self.block() };
                (held + sampled) * iterations
            }
        };
        F32 * numbers
    }

    /// The numbers that are held while the Gram matrix of `row` is formed, with blocks of G of `rows`, in f32 or again in
    /// f64: blocks, the sum, and of single examples copies of a layer's factors.
    pub(super) fn gram(&self, row: &Row, rows: u64) -> u64 {
        let iterations = row.iterations as u64;
        let held = match self.factors > 0 {
            _ if rows == 0 => return self.matrices(row),
            true if row.vectors != Vectors::Gradients => 2 * self.block(),
            true => self.block(),
            false => rows + self.block(),
        };
        (self.matrices(row) + held * iterations).max(2 * iterations * iterations + self.copies)
    }

    /// The numbers of the sum in f64, of a term in f64 where blocks are added up to terms, and of what a block's product
    /// takes: the product in f32, or some of the block's rows in f64.
    fn matrices(&self, row: &Row) -> u64 {
        let iterations = row.iterations as u64;
        let blocks = self.blocks.max(self.parameters.div_ceil(GramBuilder::ROWS as u64));
        let sums = if blocks > SINGLE_BLOCKS { 4 } else { 2 };
        let exact = 2 * self.parameters.min(GramBuilder::DOUBLE_ROWS as u64);
        (sums * iterations + iterations.max(exact)) * iterations
    }

    /// The rows of G that fit `room` bytes where the direct way forms the Gram matrix of `row`.
    pub(crate) fn rows_within(&self, row: &Row, room: u64) -> u64 {
        let iterations = row.iterations as u64;
        ((room / F32).saturating_sub(self.matrices(row)) / iterations.max(1)).saturating_sub(self.block())
    }
}

/// The blocks of at most [`GramBuilder::ROWS`] rows that those of a layer make.
fn blocks(layer: &LayerSize) -> u64 {
    layer.blocks().iter().map(|block| block.len().div_ceil(GramBuilder::ROWS) as u64).sum()
}
