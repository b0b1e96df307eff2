mod builder;

use std::iter;
use std::ops::{AddAssign, Range};

use faer::MatRef;
use rayon::prelude::*;

pub use builder::GramBuilder;

use crate::scale::{exponent_of, power_of_two};
use crate::{Result, SquareMatrix};

/// The numbers that inner products are formed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// f32, in blocks or layers whose sums are f64.
    #[default]
    Single,
    /// f64 throughout, at about twice the time.
    Double,
}

impl Precision {
    /// The unit roundoff u of products.
    fn roundoff(self) -> f64 {
        match self {
            Self::Single => f64::from(f32::EPSILON) / 2.0,
            Self::Double => f64::EPSILON / 2.0,
        }
    }
}

/// The T × T Gram matrix of T gradients, the inner products g_iᵀ g_j, in f64.
///
/// It is held as the Gram matrix of the centred gradients g_t − ḡ with what leads back to the plain one: a mean
/// gradient far larger than the noise around it does not drown the tail of the covariance in rounding.
///
/// The Gram matrices of disjoint sets of parameters add up to that of all. Where they are plain inner products, with g_tᵀ ḡ and ‖ḡ‖²
/// beside them, their sum is [`centred`](Self::centred) afterwards.
#[derive(Debug, PartialEq)]
pub struct Gram {
    /// (g_i − ḡ)ᵀ(g_j − ḡ), lower triangle.
    centred: SquareMatrix<f64>,
    /// (g_t − ḡ)ᵀ ḡ.
    along_mean: Vec<f64>,
    /// ‖ḡ‖².
    mean_squared_norm: f64,
    /// What is known of ‖ḡ‖² and of the products' error where the gradients were centred after their products.
    uncentred: Option<Uncentred>,
    precision: Precision,
    /// The gradients are 2^exponent times those whose inner products these are.
    exponent: i32,
}

/// What the products of gradients that were not centred lose.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Uncentred {
    /// ‖ḡ‖², from ḡ itself where it was at hand.
    mean_squared_norm: f64,
    /// ‖E 1‖, E being the error of the products.
    residual: f64,
}

impl Gram {
    /// The Gram matrix of no parameters, for `iterations` gradients whose products are formed in `precision`.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn zeros(iterations: usize, precision: Precision) -> Result<Self> {
        Ok(Self {
            centred: SquareMatrix::zeros(iterations)?,
            along_mean: vec![0.0; iterations],
            mean_squared_norm: 0.0,
            uncentred: None,
            precision,
            exponent: 0,
        })
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

    /// The numbers that its products were formed in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The power of two that was taken out of the gradients: matrices are in units of 4^exponent. It is 0 unless entries
    /// are beyond 2^±340, whose products would leave the range of f64.
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the covariance (1/T) Σ (g_t − ḡ)(g_t − ḡ)ᵀ; only its
    /// lower triangle is set.
    pub fn covariance(&self) -> MatRef<'_, f64> {
        self.centred.as_ref()
    }

    /// The Gram matrix whose spectrum, divided by T, is that of the second moment (1/T) Σ g_t g_tᵀ; only its lower
    /// triangle is set. It is the centred one with an update of rank two.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn second_moment(&self) -> Result<SquareMatrix<f64>> {
        let mut gram = self.centred.copied()?;
        let along = &self.along_mean;
        gram.update_lower(|i, j, value| value + (along[i] + along[j] + self.mean_squared_norm));
        Ok(gram)
    }

    /// ‖g_t‖ of every iteration.
    pub fn norms(&self) -> Vec<f64> {
        let squared = |t: usize| self.centred.entry(t, t) + 2.0 * self.along_mean[t] + self.mean_squared_norm;
        (0..self.iterations()).map(|t| squared(t).max(0.0).sqrt() * self.unit()).collect()
    }

    /// ‖ḡ‖, the norm of the mean gradient, from the mean itself: as the difference of the inner products' large sums it
    /// would lose the digits by which the noise exceeds it.
    pub fn mean_gradient_norm(&self) -> f64 {
        let squared = self.uncentred.map_or(self.mean_squared_norm, |uncentred| uncentred.mean_squared_norm);
        squared.max(0.0).sqrt() * self.unit()
    }

    /// 2^exponent.
    fn unit(&self) -> f64 {
        2.0_f64.powi(self.exponent)
    }

    /// About the 2-norm of the error E of the products, in the units of [`covariance`](Self::covariance): eigenvalues
    /// below it are rounding.
    ///
    /// The centred gradients add up to 0, so that what their products K leave of K 1 is E 1. Errors of single products
    /// are as good as independent: ‖E 1‖ is about their Frobenius norm, and the 2-norm of such a symmetric matrix is
    /// 2/√T of that ([Wigner](https://doi.org/10.2307/1970079) 1955). A factor of 2 is for what is not independent, and
    /// a squared norm is not taken to be more exact than 2u of itself.
    pub fn error(&self) -> f64 {
        let order = self.iterations();
        let residual = match self.uncentred {
            Some(uncentred) => uncentred.residual,
            None => norm(&row_sums(&self.centred)),
        };
        let largest = (0..order).map(|t| self.centred.entry(t, t)).fold(0.0, f64::max);
        4.0 * residual / (order.max(1) as f64).sqrt() + 2.0 * self.precision.roundoff() * largest
    }

    /// The Gram matrix of the gradients scaled to norm at most `threshold` (gradient clipping, §B).
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn clipped(&self, threshold: f64) -> Result<Self> {
        let scales: Vec<f64> = self.norms().iter().map(|norm| (threshold / norm).min(1.0)).collect();
        let mut gram = self.second_moment()?;
        gram.update_lower(|i, j, value| value * (scales[i] * scales[j]));
        let residual = match self.uncentred {
            Some(uncentred) => uncentred.residual,
            None => norm(&row_sums(&self.centred)),
        };
        let (precision, exponent) = (self.precision, self.exponent);
        let largest = scales.iter().copied().fold(0.0, f64::max);
        let residual = residual * largest.powi(2);
        let mut clipped = Self { precision, exponent, ..Self::from_inner_products(gram) };
        clipped.uncentred = Some(Uncentred { mean_squared_norm: clipped.mean_squared_norm, residual });
        Ok(clipped)
    }

    /// Whether the mean gradient is so much larger than the noise that f32 products of uncentred gradients lose the
    /// noise's spectrum.
    pub fn is_dominated_by_its_mean(&self) -> bool {
        const RATIO: f64 = 100.0;
        let iterations = self.iterations();
        let noise = (0..iterations).map(|t| self.centred.entry(t, t)).sum::<f64>() / iterations as f64;
        self.mean_squared_norm > RATIO * noise
    }

    /// The Gram matrix, centred in f64, of plain inner products.
    pub fn centred(self) -> Self {
        let (precision, exponent) = (self.precision, self.exponent);
        let mut gram = Self { precision, exponent, ..Self::from_inner_products(self.centred) };
        let means = gram.along_mean.iter().map(|along| along + gram.mean_squared_norm);
        let errors: Vec<f64> = means.zip(&self.along_mean).map(|(found, exact)| found - exact).collect();
        let residual = norm(&errors) * gram.iterations() as f64;
        gram.uncentred = Some(Uncentred { mean_squared_norm: self.mean_squared_norm, residual });
        gram
    }

    /// g_iᵀ g_j, lower triangle, g_tᵀ ḡ and ‖ḡ‖², to add those of other parameters to.
    pub(crate) fn plain_mut(&mut self) -> (&mut SquareMatrix<f64>, &mut [f64], &mut f64) {
        (&mut self.centred, &mut self.along_mean, &mut self.mean_squared_norm)
    }

    /// From g_iᵀ g_j, lower triangle, centred in f64.
    fn from_inner_products(mut gram: SquareMatrix<f64>) -> Self {
        let iterations = gram.order();
        let mut means = row_sums(&gram);
        means.iter_mut().for_each(|mean| *mean /= iterations as f64);
        let mean_squared_norm = means.iter().sum::<f64>() / iterations as f64;
        let along_mean: Vec<f64> = means.iter().map(|mean| mean - mean_squared_norm).collect();
        gram.update_lower(|i, j, value| value - (along_mean[i] + along_mean[j] + mean_squared_norm));
        let (uncentred, precision, exponent) = (None, Precision::default(), 0);
        Self { centred: gram, along_mean, mean_squared_norm, uncentred, precision, exponent }
    }

    /// Adds the Gram matrix of other parameters, of which less may be exact, or a larger power of two taken out.
    fn add(&mut self, other: &Self) {
        self.precision = self.precision.min(other.precision);
        let exponent = self.exponent.max(other.exponent);
        self.take_out(exponent);
        let factor = power_of_two(2 * (other.exponent - exponent));
        self.add_numbers(other.numbers().map(|number| number * factor));
    }

    /// Whether nothing but zeros were added to it.
    fn is_zero(&self) -> bool {
        self.mean_squared_norm == 0.0 && (0..self.iterations()).all(|t| self.centred.entry(t, t) == 0.0)
    }

    /// Multiplies what it consists of by 4^(exponent − `exponent`), so that `exponent` is taken out.
    fn take_out(&mut self, exponent: i32) {
        let factor = power_of_two(2 * (self.exponent - exponent));
        if factor != 1.0 && !self.is_zero() {
            self.centred.update_lower(|_, _, value| value * factor);
            self.along_mean.iter_mut().for_each(|value| *value *= factor);
            self.mean_squared_norm *= factor;
        }
        self.exponent = exponent;
    }
}

impl AddAssign<&Gram> for Gram {
    fn add_assign(&mut self, other: &Gram) {
        self.add(other);
    }
}

/// The sum of every row of a symmetric matrix whose lower triangle is set.
fn row_sums(matrix: &SquareMatrix<f64>) -> Vec<f64> {
    let order = matrix.order();
    let entry = |i: usize, j: usize| matrix.entry(i.max(j), i.min(j));
    (0..order).into_par_iter().map(|i| (0..order).map(|j| entry(i, j)).sum::<f64>()).collect()
}

/// The 2-norm, of values whose squares may leave the range of f64.
fn norm(values: &[f64]) -> f64 {
    let exponent = exponent_of(values.iter().fold(0.0, |largest, value| value.abs().max(largest)));
    let squares = values.iter().map(|value| (value * power_of_two(-exponent)).powi(2));
    squares.sum::<f64>().sqrt() * power_of_two(exponent)
}

/// The terms that a Gram matrix is the sum of, by their parameters: at most 128 groups of consecutive `blocks` of
/// parameters, one block each where there are no more.
pub fn gram_terms(blocks: &[Range<usize>]) -> Vec<Range<usize>> {
    const MOST: usize = 128;
    let blocks_each = blocks.len().div_ceil(MOST).max(1);
    blocks.chunks(blocks_each).map(|group| group[0].start..group[group.len() - 1].end).collect()
}
