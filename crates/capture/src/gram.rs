mod builder;

use std::iter;
use std::ops::{AddAssign, Range};

use faer::MatRef;
use rayon::prelude::*;

pub use builder::GramBuilder;

use crate::SquareMatrix;

/// The T × T Gram matrix of T gradients, the inner products g_iᵀ g_j, in f64.
///
/// It is held as the Gram matrix of the centred gradients g_t − ḡ with what leads back to the plain one: a mean
/// gradient far larger than the noise around it does not drown the tail of the covariance in rounding.
///
/// Those of disjoint sets of parameters add up to that of all. Where they are plain inner products, with 0 in the place
/// of ḡ, their sum is [`centred`](Self::centred) afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    /// (g_i − ḡ)ᵀ(g_j − ḡ), lower triangle.
    centred: SquareMatrix<f64>,
    /// (g_t − ḡ)ᵀ ḡ.
    along_mean: Vec<f64>,
    /// ‖ḡ‖².
    mean_squared_norm: f64,
}

impl Gram {
    /// That of no parameters, for `iterations` gradients.
    pub fn zeros(iterations: usize) -> Self {
        Self { centred: SquareMatrix::zeros(iterations), along_mean: vec![0.0; iterations], mean_squared_norm: 0.0 }
    }

    /// How many [`numbers`](Self::numbers) it consists of for `iterations` gradients.
    pub fn count(iterations: usize) -> usize {
        iterations * (iterations + 1) / 2 + iterations + 1
    }

    /// All that it consists of: the lower triangle column by column, the products with the mean, the mean's square.
    pub fn numbers(&self) -> impl Iterator<Item = f64> {
        let columns = (0..self.iterations()).flat_map(|j| &self.centred.column(j)[j..]);
        columns.chain(&self.along_mean).chain(iter::once(&self.mean_squared_norm)).copied()
    }

    /// Adds the Gram matrix of other parameters that consists of `numbers`.
    pub fn add_numbers(&mut self, numbers: impl IntoIterator<Item = f64>) {
        let mut numbers = numbers.into_iter();
        let mut add = |sums: &mut [f64]| sums.iter_mut().zip(numbers.by_ref()).for_each(|(sum, value)| *sum += value);
        (0..self.along_mean.len()).for_each(|j| add(&mut self.centred.column_mut(j)[j..]));
        add(&mut self.along_mean);
        add(std::slice::from_mut(&mut self.mean_squared_norm));
    }

    /// T.
    pub fn iterations(&self) -> usize {
        self.along_mean.len()
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the covariance (1/T) Σ (g_t − ḡ)(g_t − ḡ)ᵀ; only its
    /// lower triangle is set.
    pub fn covariance(&self) -> MatRef<'_, f64> {
        self.centred.as_ref()
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the second moment (1/T) Σ g_t g_tᵀ; only its lower
    /// triangle is set. It is the centred one with an update of rank two.
    pub fn second_moment(&self) -> SquareMatrix<f64> {
        let mut gram = self.centred.clone();
        let along = &self.along_mean;
        gram.update_lower(|i, j, value| value + (along[i] + along[j] + self.mean_squared_norm));
        gram
    }

    /// ‖g_t‖ of every iteration.
    pub fn norms(&self) -> Vec<f64> {
        let squared = |t: usize| self.centred.entry(t, t) + 2.0 * self.along_mean[t] + self.mean_squared_norm;
        (0..self.iterations()).map(|t| squared(t).max(0.0).sqrt()).collect()
    }

    /// The Gram matrix of the gradients scaled to norm at most `threshold` (gradient clipping, §B).
    pub fn clipped(&self, threshold: f64) -> Self {
        let scales: Vec<f64> = self.norms().iter().map(|norm| (threshold / norm).min(1.0)).collect();
        let mut gram = self.second_moment();
        gram.update_lower(|i, j, value| value * (scales[i] * scales[j]));
        Self::from_inner_products(gram)
    }

    /// Whether the mean gradient is so much larger than the noise that f32 products of uncentred gradients lose the
    /// noise's spectrum.
    pub fn is_dominated_by_its_mean(&self) -> bool {
        const RATIO: f64 = 100.0;
        let iterations = self.iterations();
        let noise = (0..iterations).map(|t| self.centred.entry(t, t)).sum::<f64>() / iterations as f64;
        self.mean_squared_norm > RATIO * noise
    }

    /// The same, centred in f64, of plain inner products.
    pub fn centred(self) -> Self {
        Self::from_inner_products(self.centred)
    }

    /// g_iᵀ g_j, where 0 stands for ḡ, lower triangle.
    pub(crate) fn inner_products_mut(&mut self) -> &mut SquareMatrix<f64> {
        &mut self.centred
    }

    /// From g_iᵀ g_j, lower triangle, centred in f64.
    fn from_inner_products(mut gram: SquareMatrix<f64>) -> Self {
        let iterations = gram.order();
        let entry = |i: usize, j: usize| gram.entry(i.max(j), i.min(j));
        let means: Vec<f64> = (0..iterations)
            .into_par_iter()
            .map(|i| (0..iterations).map(|j| entry(i, j)).sum::<f64>() / iterations as f64)
            .collect();
        let mean_squared_norm = means.iter().sum::<f64>() / iterations as f64;
        let along_mean: Vec<f64> = means.iter().map(|mean| mean - mean_squared_norm).collect();
        gram.update_lower(|i, j, value| value - (along_mean[i] + along_mean[j] + mean_squared_norm));
        Self { centred: gram, along_mean, mean_squared_norm }
    }
}

impl AddAssign<&Gram> for Gram {
    fn add_assign(&mut self, other: &Gram) {
        self.add_numbers(other.numbers());
    }
}

/// The terms that a Gram matrix is the sum of, by their parameters: at most 128 groups of consecutive `blocks` of
/// parameters, one block each where there are no more.
pub fn gram_terms(blocks: &[Range<usize>]) -> Vec<Range<usize>> {
    const MOST: usize = 128;
    let blocks_each = blocks.len().div_ceil(MOST).max(1);
    blocks.chunks(blocks_each).map(|group| group[0].start..group[group.len() - 1].end).collect()
}
