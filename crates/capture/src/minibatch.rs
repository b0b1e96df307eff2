use std::ops::Range;

use crate::{CaptureError, Result};

/// The examples of T minibatches of B each.
#[derive(Debug, Clone, Copy)]
pub struct MinibatchIndices<'a> {
    indices: &'a [u32],
    batch: usize,
}

impl<'a> MinibatchIndices<'a> {
    /// Minibatches from indices `[T, B]`, row by row, of examples counted from 0.
    ///
    /// # Errors
    ///
    /// No index, a batch size that does not divide their number, or an index beyond `examples`.
    pub fn new(indices: &'a [u32], batch: usize, examples: usize) -> Result<Self> {
        if indices.is_empty() || batch == 0 || !indices.len().is_multiple_of(batch) {
            return Err(CaptureError::NotRectangular { indices: indices.len(), batch });
        }
        match indices.iter().find(|&&index| index as usize >= examples) {
            Some(&index) => Err(CaptureError::NoSuchExample { index, examples }),
            None => Ok(Self { indices, batch }),
        }
    }

    /// T.
    pub fn iterations(&self) -> usize {
        self.indices.len() / self.batch
    }

    /// B.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The examples of iteration `t`.
    pub fn iteration(&self, t: usize) -> &'a [u32] {
        &self.indices[t * self.batch..(t + 1) * self.batch]
    }

    /// The examples of all iterations, in turn.
    pub(crate) fn indices(&self) -> &'a [u32] {
        self.indices
    }

    /// The minibatches of `iterations` alone.
    ///
    /// # Panics
    ///
    /// If `iterations` goes beyond T.
    pub fn slice(&self, iterations: Range<usize>) -> Self {
        Self { indices: &self.indices[iterations.start * self.batch..iterations.end * self.batch], batch: self.batch }
    }

    /// The examples that occur, ascending.
    pub fn examples(&self) -> Vec<u32> {
        let mut examples = self.indices.to_vec();
        examples.sort_unstable();
        examples.dedup();
        examples
    }
}
