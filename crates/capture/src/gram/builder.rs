use std::ops::Range;

use burn::tensor::Device;
use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::{Gram, Precision};
use crate::compensated::Compensated;
use crate::products::{Products, add_inner_products};
use crate::scale::{exponent_of, power_of_two};
use crate::{CaptureError, Result, SquareMatrix};

/// Sums a Gram matrix over blocks of parameters: each block in the precision of products, the blocks in f64.
///
/// The result depends on the blocks' sizes, not on the number of threads, and is equivariant to the last bit where the
/// gradients are multiplied by a power of two: one is taken out of every block before its products.
#[derive(Debug)]
pub struct GramBuilder {
    gram: Gram,
    /// A term that is not complete, and its parameters.
    term: Option<(Gram, Range<usize>)>,
    product: SquareMatrix<f32>,
    products: Products,
}

impl GramBuilder {
    /// The rows of G that [`add_rows`](Self::add_rows) adds at once.
    pub const ROWS: usize = 4096;
    /// The rows that meet in one product in f64.
    pub const DOUBLE_ROWS: usize = 512;
    /// Entries below 2^WIDEST and above 2^−WIDEST have squares and sums of squares within f64's range.
    const WIDEST: i32 = 340;

    /// The Gram matrix of `iterations` gradients, products in `precision`, with no parameter in it yet.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn new(iterations: usize, precision: Precision) -> Result<Self> {
        Self::onto(Gram::zeros(iterations, precision)?)
    }

    /// Goes on from the Gram matrix of other parameters, in its precision.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn onto(gram: Gram) -> Result<Self> {
        let product = SquareMatrix::zeros(if gram.precision == Precision::Single { gram.iterations() } else { 0 })?;
        Ok(Self { gram, term: None, product, products: Products::default() })
    }

    /// A builder with products in f32 formed on `device`, those in f64 on the CPU.
    pub fn on(self, device: &Device) -> Self {
        Self { products: Products::on(device), ..self }
    }

    /// Adds the block `[parameters, T]` of G.
    ///
    /// # Panics
    ///
    /// If the block has not T columns.
    pub fn add(&mut self, block: Mat<f32>) {
        match self.gram.precision {
            Precision::Single => self.add_single(block),
            Precision::Double => {
                for start in (0..block.nrows()).step_by(Self::DOUBLE_ROWS) {
                    let rows = block.subrows(start, Self::DOUBLE_ROWS.min(block.nrows() - start));
                    self.add_double(
                        Mat::from_fn(rows.nrows(), rows.ncols(), |row, t| rows[(row, t)].into()),
                        row_means,
                    );
                }
            }
        }
    }

    fn add_single(&mut self, mut block: Mat<f32>) {
        let exponent = exponent_of(largest(&block));
        self.add_mean(centre(&mut block, exponent, row_means), power_of_two(2 * exponent));
        self.products.inner_products(&mut self.product, block.as_ref());
        let (product, unit) = (&self.product, power_of_two(2 * exponent));
        self.gram.centred.update_lower(|i, j, value| value + f64::from(product.entry(i, j)) * unit);
    }

    /// Adds the block `[parameters, T]` of the parameters `parameters` to a Gram matrix that is the sum of `terms`: the
    /// blocks of a term are added up before it is added to the others. Blocks come in order.
    ///
    /// # Errors
    ///
    /// No term has the parameters, they do not follow those of the term's block before, or the system refuses memory.
    ///
    /// # Panics
    ///
    /// If the block has not T columns.
    pub fn add_to_term(&mut self, terms: &[Range<usize>], parameters: Range<usize>, block: Mat<f32>) -> Result<()> {
        let Some(term) = terms.get(terms.partition_point(|term| term.end <= parameters.start)) else {
            return Err(CaptureError::Incomplete { parameters, paths: Vec::new() });
        };
        let follows = match &self.term {
            Some((_, begun)) => term.start == begun.start && begun.end == parameters.start,
            None => term.start == parameters.start,
        };
        if !follows || parameters.end > term.end {
            let parameters = self.unfinished().unwrap_or(term.clone());
            return Err(CaptureError::Incomplete { parameters, paths: Vec::new() });
        }
        if *term == parameters {
            self.add(block);
            return Ok(());
        }
        let begun = match self.term.take() {
            Some((begun, _)) => begun,
            None => Gram::zeros(self.gram.iterations(), self.gram.precision)?,
        };
        let others = std::mem::replace(&mut self.gram, begun);
        self.add(block);
        let begun = std::mem::replace(&mut self.gram, others);
        match parameters.end == term.end {
            true => self.gram += &begun,
            false => self.term = Some((begun, term.start..parameters.end)),
        }
        Ok(())
    }

    /// Adds rows of G `[parameters, T]` in blocks of 4096, 80 MB at T = 5000.
    ///
    /// # Panics
    ///
    /// If there are not T columns.
    pub fn add_rows(&mut self, rows: MatRef<f32>) {
        for start in (0..rows.nrows()).step_by(Self::ROWS) {
            self.add(rows.subrows(start, Self::ROWS.min(rows.nrows() - start)).to_owned());
        }
    }

    /// As [`add`](Self::add), all in f64, with means that are right to f64's last digits also where the entries of a row
    /// nearly cancel.
    ///
    /// # Panics
    ///
    /// If the block has not T columns.
    pub fn add_f64(&mut self, block: Mat<f64>) {
        self.add_double(block, compensated_row_means);
    }

    fn add_double(&mut self, mut block: Mat<f64>, means: impl Fn(&Mat<f64>, f64) -> Vec<f64>) {
        self.make_room(exponent_of(largest(&block)));
        let exponent = self.gram.exponent;
        self.add_mean(centre(&mut block, exponent, means), 1.0);
        add_inner_products(self.gram.centred.as_mut(), block.as_ref());
    }

    /// Takes a power of two out of the gradients where squares of entries of about 2^`exponent` would leave f64's range;
    /// where the others are far larger, they do not count beside them.
    fn make_room(&mut self, exponent: i32) {
        let above = exponent - self.gram.exponent;
        if above > Self::WIDEST || (above < -Self::WIDEST && self.gram.is_zero()) {
            self.gram.take_out(if exponent.abs() <= Self::WIDEST { 0 } else { exponent });
        }
    }

    fn add_mean(&mut self, mean: Mean, unit: f64) {
        assert_eq!(mean.along.len(), self.gram.iterations(), "a block has T columns");
        self.gram.along_mean.iter_mut().zip(mean.along).for_each(|(sum, value)| *sum += value * unit);
        self.gram.mean_squared_norm += mean.squared_norm * unit;
    }

    /// The Gram matrix of the parameters that were added so far.
    pub fn sum(&self) -> &Gram {
        &self.gram
    }

    /// Begins anew, with no parameter.
    pub fn clear(&mut self) {
        self.gram.centred.update_lower(|_, _, _| 0.0);
        self.gram.along_mean.fill(0.0);
        self.gram.mean_squared_norm = 0.0;
        self.gram.exponent = 0;
    }

    fn unfinished(&self) -> Option<Range<usize>> {
        self.term.as_ref().map(|(_, begun)| begun.clone())
    }

    /// The Gram matrix of the parameters that were added.
    ///
    /// # Errors
    ///
    /// A term of which parameters are still to come.
    pub fn finish(self) -> Result<Gram> {
        match self.unfinished() {
            Some(parameters) => Err(CaptureError::Incomplete { parameters, paths: Vec::new() }),
            None => Ok(self.gram),
        }
    }
}

/// A number that G may hold.
trait Entry: Copy + Send + Sync + Into<f64> + 'static {
    fn from_f64(value: f64) -> Self;
}

impl Entry for f32 {
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Entry for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}

/// The largest magnitude in a block; 0 of none.
fn largest<T: Entry>(block: &Mat<T>) -> f64 {
    let of_column = |t: usize| block.col_as_slice(t).iter().fold(0.0, |largest: f64, &x| largest.max(x.into().abs()));
    (0..block.ncols()).into_par_iter().map(of_column).reduce(|| 0.0, f64::max)
}

/// What leads from centred gradients back to plain ones, of some parameters.
struct Mean {
    /// (g_t − ḡ)ᵀ ḡ.
    along: Vec<f64>,
    /// ‖ḡ‖².
    squared_norm: f64,
}

/// Subtracts every row's mean from the block, both divided by 2^`exponent`; `means` gives the rows' means times a factor.
fn centre<T: Entry>(block: &mut Mat<T>, exponent: i32, means: impl Fn(&Mat<T>, f64) -> Vec<f64>) -> Mean {
    let factor = power_of_two(-exponent);
    let mean = means(block, factor);
    let centre = |column: &mut [T]| {
        let entries = column.iter_mut().zip(&mean);
        let along = entries.map(|(value, mean)| {
            let centred = (*value).into() * factor - mean;
            *value = T::from_f64(centred);
            centred * mean
        });
        along.sum()
    };
    let columns = block.as_mut().par_col_iter_mut();
    let along = columns
        .map(|column| centre(column.try_as_col_major_mut().expect("Mat is column-major").as_slice_mut()))
        .collect();
    Mean { along, squared_norm: mean.iter().map(|value| value * value).sum() }
}

/// Rows whose means are formed at once.
const ROWS: usize = 512;

/// The mean of every row, times `factor`. The entries of f32 are themselves off by more than plain sums in f64 are.
fn row_means<T: Entry>(block: &Mat<T>, factor: f64) -> Vec<f64> {
    let (rows, columns) = (block.nrows(), block.ncols());
    let mut means = vec![0.0; rows];
    means.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, means)| {
        let start = chunk * ROWS;
        for t in 0..columns {
            let column = &block.col_as_slice(t)[start..start + means.len()];
            means.iter_mut().zip(column).for_each(|(mean, &value)| *mean += value.into() * factor);
        }
        means.iter_mut().for_each(|mean| *mean /= columns as f64);
    });
    means
}

/// The mean of every row, times `factor`, of compensated sums.
fn compensated_row_means(block: &Mat<f64>, factor: f64) -> Vec<f64> {
    let (rows, columns) = (block.nrows(), block.ncols());
    let mut means = vec![0.0; rows];
    means.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, means)| {
        let start = chunk * ROWS;
        let mut sums = vec![Compensated::default(); means.len()];
        for t in 0..columns {
            let column = &block.col_as_slice(t)[start..start + means.len()];
            sums.iter_mut().zip(column).for_each(|(sum, &value)| sum.add(value * factor));
        }
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = sum.value() / columns as f64);
    });
    means
}
