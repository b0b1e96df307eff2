use rand::{RngExt, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, invalid},
    seed::Stream,
};

/// How the examples of a minibatch are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Each epoch takes a fresh random order of all examples, batch by batch. Where the batch size does not divide
    /// their number, the rest of the epoch is left out: all gradients are means over equally many examples.
    #[default]
    ShuffledEpochs,
    /// Every example of every minibatch is drawn independently.
    WithReplacement,
}

/// The examples of T minibatches of B, as indices; the same for the same seed, on any machine and thread count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minibatches {
    examples: u32,
    batch_size: usize,
    iterations: usize,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Listed(Vec<u32>),
    Seeded(Sampling, u64),
}

/// The order of epoch `epoch` over `examples` examples: a permutation of 0 to `examples` − 1.
///
/// # Errors
///
/// There are no examples, or more than `u32::MAX`.
pub fn epoch_order(examples: usize, seed: u64, epoch: u64) -> Result<Vec<u32>> {
    Ok(shuffled(count(examples)?, seed, epoch))
}

fn shuffled(examples: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..examples).collect();
    order.shuffle(&mut Stream::Epoch(epoch).generator(seed));
    order
}

fn count(examples: usize) -> Result<u32> {
    match u32::try_from(examples) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(invalid("the number of examples", examples, "1 to 2^32 - 1")),
    }
}

impl Minibatches {
    /// `iterations` minibatches of `batch_size` out of `examples` examples, in the order that `seed` gives.
    ///
    /// Takes no memory: the indices are made when they are asked for.
    ///
    /// # Errors
    ///
    /// A number is 0, the batch is larger than the number of examples, or T · B overflows.
    pub fn seeded(
        examples: usize,
        batch_size: usize,
        iterations: usize,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self> {
        Self::new(examples, batch_size, iterations, Source::Seeded(sampling, seed))
    }

    /// Minibatches of `batch_size` out of `examples` examples by their `indices` `[T, B]`, row-major.
    ///
    /// # Errors
    ///
    /// As [`seeded`](Self::seeded), or the batch size does not divide the number of indices, or an index is not below
    /// the number of examples.
    pub fn listed(examples: usize, batch_size: usize, indices: Vec<u32>) -> Result<Self> {
        if batch_size == 0 || !indices.len().is_multiple_of(batch_size) {
            return Err(invalid(
                "the number of indices",
                indices.len(),
                format!("a multiple of the batch size {batch_size}, which is not 0"),
            ));
        }
        if let Some(index) = indices.iter().find(|&&index| index as usize >= examples) {
            return Err(invalid("an index", index, format!("less than {examples}, the number of examples")));
        }
        let iterations = indices.len() / batch_size;
        Self::new(examples, batch_size, iterations, Source::Listed(indices))
    }

    fn new(examples: usize, batch_size: usize, iterations: usize, source: Source) -> Result<Self> {
        let count = count(examples)?;
        if !(1..=examples).contains(&batch_size) {
            return Err(invalid("the batch size", batch_size, format!("1 to {examples}, the number of examples")));
        }
        if iterations == 0 || iterations.checked_mul(batch_size).is_none() {
            return Err(invalid("the number of iterations", iterations, "1 to 2^64 / batch size"));
        }
        Ok(Self { examples: count, batch_size, iterations, source })
    }

    /// The number B of examples in a minibatch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The number T of minibatches.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// A reader of the minibatches, which holds one epoch's order at most.
    pub fn reader(&self) -> MinibatchReader<'_> {
        MinibatchReader { minibatches: self, epoch: None, buffer: Vec::new() }
    }

    /// All indices `[T, B]`, row-major: 4 · T · B bytes.
    pub fn materialise(&self) -> Vec<u32> {
        let mut reader = self.reader();
        let mut indices = Vec::with_capacity(self.iterations * self.batch_size);
        for iteration in 0..self.iterations {
            indices.extend_from_slice(reader.batch(iteration));
        }
        indices
    }
}

/// Reads [`Minibatches`] in any order, fastest front to back.
#[derive(Clone, Debug)]
pub struct MinibatchReader<'a> {
    minibatches: &'a Minibatches,
    epoch: Option<u64>,
    buffer: Vec<u32>,
}

impl MinibatchReader<'_> {
    /// The indices `[B]` of the examples of `iteration`.
    ///
    /// # Panics
    ///
    /// If `iteration` is not less than [`iterations`](Minibatches::iterations).
    pub fn batch(&mut self, iteration: usize) -> &[u32] {
        let &Minibatches { examples, batch_size, iterations, ref source } = self.minibatches;
        assert!(iteration < iterations, "iteration {iteration} of {iterations}");
        match source {
            Source::Listed(indices) => &indices[iteration * batch_size..][..batch_size],
            &Source::Seeded(Sampling::ShuffledEpochs, seed) => {
                let batches = examples as usize / batch_size;
                let epoch = (iteration / batches) as u64;
                if self.epoch != Some(epoch) {
                    self.buffer = shuffled(examples, seed, epoch);
                    self.epoch = Some(epoch);
                }
                &self.buffer[iteration % batches * batch_size..][..batch_size]
            }
            &Source::Seeded(Sampling::WithReplacement, seed) => {
                let mut generator = Stream::Iteration(iteration as u64).generator(seed);
                self.buffer.clear();
                self.buffer.extend((0..batch_size).map(|_| generator.random_range(0..examples)));
                &self.buffer
            }
        }
    }
}

#[cfg(test)]
mod tests;
