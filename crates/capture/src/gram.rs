use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// The T × T Gram matrix of T gradients, the inner products g_iᵀ g_j, in f64.
///
/// It is held as the Gram matrix of the centred gradients g_t − ḡ with what leads back to the plain one: a mean
/// gradient far larger than the noise around it does not drown the tail of the covariance in rounding.
#[derive(Debug, Clone)]
pub struct Gram {
    /// (g_i − ḡ)ᵀ(g_j − ḡ), lower triangle.
    centred: Mat<f64>,
    /// (g_t − ḡ)ᵀ ḡ.
    along_mean: Vec<f64>,
    /// ‖ḡ‖².
    mean_squared_norm: f64,
}

impl Gram {
    /// T.
    pub fn iterations(&self) -> usize {
        self.along_mean.len()
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the covariance (1/T) Σ (g_t − ḡ)(g_t − ḡ)ᵀ; only its
    /// lower triangle is set.
    pub fn covariance(&self) -> Mat<f64> {
        self.centred.clone()
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the second moment (1/T) Σ g_t g_tᵀ; only its lower
    /// triangle is set. It is the centred one with an update of rank two.
    pub fn second_moment(&self) -> Mat<f64> {
        let mut gram = self.centred.clone();
        let along = &self.along_mean;
        update_lower(&mut gram, |i, j, value| value + (along[i] + along[j] + self.mean_squared_norm));
        gram
    }

    /// ‖g_t‖ of every iteration.
    pub fn norms(&self) -> Vec<f64> {
        let squared = |t: usize| self.centred[(t, t)] + 2.0 * self.along_mean[t] + self.mean_squared_norm;
        (0..self.iterations()).map(|t| squared(t).max(0.0).sqrt()).collect()
    }

    /// The Gram matrix of the gradients scaled to norm at most `threshold` (gradient clipping, §B).
    pub fn clipped(&self, threshold: f64) -> Self {
        let scales: Vec<f64> = self.norms().iter().map(|norm| (threshold / norm).min(1.0)).collect();
        let mut gram = self.second_moment();
        update_lower(&mut gram, |i, j, value| value * (scales[i] * scales[j]));
        Self::from_inner_products(gram)
    }

    /// From g_iᵀ g_j, lower triangle, centred in f64.
    pub(crate) fn from_inner_products(mut gram: Mat<f64>) -> Self {
        let iterations = gram.nrows();
        let entry = |i: usize, j: usize| if i >= j { gram[(i, j)] } else { gram[(j, i)] };
        let means: Vec<f64> = (0..iterations)
            .into_par_iter()
            .map(|i| (0..iterations).map(|j| entry(i, j)).sum::<f64>() / iterations as f64)
            .collect();
        let mean_squared_norm = means.iter().sum::<f64>() / iterations as f64;
        let along_mean: Vec<f64> = means.iter().map(|mean| mean - mean_squared_norm).collect();
        update_lower(&mut gram, |i, j, value| value - (along_mean[i] + along_mean[j] + mean_squared_norm));
        Self { centred: gram, along_mean, mean_squared_norm }
    }
}

/// Sums a Gram matrix over blocks of parameters: each block in f32, the blocks in f64.
pub(crate) struct GramBuilder {
    gram: Gram,
    product: Mat<f32>,
}

impl GramBuilder {
    pub(crate) fn new(iterations: usize) -> Self {
        let gram = Gram {
            centred: Mat::zeros(iterations, iterations),
            along_mean: vec![0.0; iterations],
            mean_squared_norm: 0.0,
        };
        Self { gram, product: Mat::zeros(iterations, iterations) }
    }

    /// Adds the block `[parameters, T]` of G.
    pub(crate) fn add(&mut self, mut block: Mat<f32>) {
        let mean = row_means(&block);
        let along: Vec<f64> = block
            .as_mut()
            .par_col_iter_mut()
            .map(|column| {
                let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
                centre(column, &mean)
            })
            .collect();
        self.gram.along_mean.iter_mut().zip(along).for_each(|(sum, value)| *sum += value);
        self.gram.mean_squared_norm += mean.iter().map(|value| value * value).sum::<f64>();
        inner_products(&mut self.product, block.as_ref());
        let product = &self.product;
        update_lower(&mut self.gram.centred, |i, j, value| value + f64::from(product[(i, j)]));
    }

    pub(crate) fn finish(self) -> Gram {
        self.gram
    }
}

/// Subtracts `mean` from `column` and returns the inner product of the difference with `mean`.
fn centre(column: &mut [f32], mean: &[f64]) -> f64 {
    column
        .iter_mut()
        .zip(mean)
        .map(|(value, mean)| {
            let centred = f64::from(*value) - mean;
            *value = centred as f32;
            centred * mean
        })
        .sum()
}

fn row_means(block: &Mat<f32>) -> Vec<f64> {
    const ROWS: usize = 512;
    let (rows, columns) = (block.nrows(), block.ncols());
    let mut means = vec![0.0; rows];
    means.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, means)| {
        let start = chunk * ROWS;
        for t in 0..columns {
            let column = &block.col_as_slice(t)[start..start + means.len()];
            means.iter_mut().zip(column).for_each(|(mean, &value)| *mean += f64::from(value));
        }
        means.iter_mut().for_each(|mean| *mean /= columns as f64);
    });
    means
}

/// Sets the lower triangle of `product` to XᵀX in f32.
pub(crate) fn inner_products(product: &mut Mat<f32>, columns: MatRef<f32>) {
    triangular::matmul(
        product,
        BlockStructure::TriangularLower,
        Accum::Replace,
        columns.transpose(),
        BlockStructure::Rectangular,
        columns,
        BlockStructure::Rectangular,
        1.0,
        Par::rayon(0),
    );
}

/// Replaces every entry (i, j), i ≥ j, by `update(i, j, entry)`.
pub(crate) fn update_lower(matrix: &mut Mat<f64>, update: impl Fn(usize, usize, f64) -> f64 + Sync) {
    matrix.as_mut().par_col_iter_mut().enumerate().for_each(|(j, column)| {
        let column = column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut();
        for (i, value) in column.iter_mut().enumerate().skip(j) {
            *value = update(i, j, *value);
        }
    });
}
