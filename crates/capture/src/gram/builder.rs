use std::ops::Range;

use burn::tensor::Device;
use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::Gram;
use crate::SquareMatrix;
use crate::products::{Products, add_inner_products};

/// Sums a Gram matrix over blocks of parameters: each block in its own precision, the blocks in f64.
///
/// The result depends on the blocks' sizes, not on the number of threads.
#[derive(Debug)]
pub struct GramBuilder {
    gram: Gram,
    /// A term that is not complete.
    term: Option<Gram>,
    product: SquareMatrix<f32>,
    products: Products,
}

impl GramBuilder {
    /// The rows of G that [`add_rows`](Self::add_rows) adds at once.
    pub const ROWS: usize = 4096;

    /// The Gram matrix of `iterations` gradients, with no parameter in it yet.
    pub fn new(iterations: usize) -> Self {
        Self::onto(Gram::zeros(iterations))
    }

    /// Goes on from the Gram matrix of other parameters.
    pub fn onto(gram: Gram) -> Self {
        Self { gram, term: None, product: SquareMatrix::zeros(0), products: Products::default() }
    }

    /// The same with products in f32 formed on `device`, those in f64 on the CPU.
    pub fn on(self, device: &Device) -> Self {
        Self { products: Products::on(device), ..self }
    }

    /// Adds the block `[parameters, T]` of G.
    ///
    /// # Panics
    ///
    /// If the block has not T columns.
    pub fn add(&mut self, mut block: Mat<f32>) {
        self.centre(&mut block);
        if self.product.order() == 0 {
            self.product = SquareMatrix::zeros(block.ncols());
        }
        self.products.inner_products(&mut self.product, block.as_ref());
        let product = &self.product;
        self.gram.centred.update_lower(|i, j, value| value + f64::from(product.entry(i, j)));
    }

    /// Adds the block `[parameters, T]` of the parameters `parameters` to a Gram matrix that is the sum of `terms`: the
    /// blocks of a term are added up before it is added to the others. Blocks come in order.
    ///
    /// # Panics
    ///
    /// If the block has not T columns, or no term has its parameters.
    pub fn add_to_term(&mut self, terms: &[Range<usize>], parameters: Range<usize>, block: Mat<f32>) {
        let term = &terms[terms.partition_point(|term| term.end <= parameters.start)];
        if *term == parameters {
            return self.add(block);
        }
        let begun = self.term.take().unwrap_or_else(|| Gram::zeros(self.gram.iterations()));
        let others = std::mem::replace(&mut self.gram, begun);
        self.add(block);
        let begun = std::mem::replace(&mut self.gram, others);
        match parameters.end == term.end {
            true => self.gram += &begun,
            false => self.term = Some(begun),
        }
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

    /// As [`add`](Self::add), all in f64.
    ///
    /// # Panics
    ///
    /// If the block has not T columns.
    pub fn add_f64(&mut self, mut block: Mat<f64>) {
        self.centre(&mut block);
        add_inner_products(&mut self.gram.centred, block.as_ref());
    }

    fn centre<T: Entry>(&mut self, block: &mut Mat<T>) {
        assert_eq!(block.ncols(), self.gram.iterations(), "a block has T columns");
        let mean = row_means(block);
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
    }

    /// The Gram matrix of the parameters that were added.
    pub fn finish(self) -> Gram {
        self.gram
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

/// Subtracts `mean` from `column` and returns the inner product of the difference with `mean`.
fn centre<T: Entry>(column: &mut [T], mean: &[f64]) -> f64 {
    column
        .iter_mut()
        .zip(mean)
        .map(|(value, mean)| {
            let centred = (*value).into() - mean;
            *value = T::from_f64(centred);
            centred * mean
        })
        .sum()
}

fn row_means<T: Entry>(block: &Mat<T>) -> Vec<f64> {
    const ROWS: usize = 512;
    let (rows, columns) = (block.nrows(), block.ncols());
    let mut means = vec![0.0; rows];
    means.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, means)| {
        let start = chunk * ROWS;
        for t in 0..columns {
            let column = &block.col_as_slice(t)[start..start + means.len()];
            means.iter_mut().zip(column).for_each(|(mean, &value)| *mean += value.into());
        }
        means.iter_mut().for_each(|mean| *mean /= columns as f64);
    });
    means
}
