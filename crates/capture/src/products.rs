use burn::tensor::{Device, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::prelude::ReborrowMut;
use faer::traits::RealField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use gradspectra_models::{GpuMemory, product, runs_on_cpu};
use rayon::prelude::*;

use crate::{Result, SquareMatrix};

/// Rows and columns of a tile on the CPU: a few times a microkernel's rows, and three tiles within a core's cache.
const TILE: usize = 192;

/// Columns that meet in one product on a GPU, at most.
const STRIP: usize = 2048;
/// Buffers of a GPU that hold strips of columns between products, at most.
const STRIPS: usize = 8;

/// What forms the products of columns: the CPU or a GPU.
#[derive(Debug, Clone, Default)]
pub(crate) struct Products {
    gpu: Option<Device>,
}

impl Products {
    /// Products on `device`.
    pub(crate) fn on(device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        Self { gpu: (!runs_on_cpu(&device)).then_some(device) }
    }

    /// Whether they are formed on a GPU.
    pub(crate) fn are_on_gpu(&self) -> bool {
        self.gpu.is_some()
    }

    /// Sets the lower triangle of `product` to XᵀX in f32.
    pub(crate) fn inner_products(&self, product: &mut SquareMatrix<f32>, columns: MatRef<f32>) {
        match &self.gpu {
            Some(device) => {
                let width = GpuMemory::of(device).buffer_numbers() / columns.nrows().max(1);
                on_gpu(product, columns, device, width.clamp(1, STRIP));
            }
            None => inner_products(product.as_mut(), columns),
        }
    }

    /// Adds Π (s XᵀX + c), entry by entry over the `factors`, to the lower triangle of `sum`: products in f32.
    pub(crate) fn add_entrywise_product(&self, sum: &mut SquareMatrix<f64>, factors: &[Factor<'_, f32>]) -> Result<()> {
        if self.gpu.is_none() {
            add_tiles(sum, factors);
            return Ok(());
        }
        let product = |factor: &Factor<'_, f32>| {
            let mut product = SquareMatrix::zeros(sum.order())?;
            self.inner_products(&mut product, factor.columns);
            Ok(product)
        };
        let products = factors.iter().map(product).collect::<Result<Vec<SquareMatrix<f32>>>>()?;
        sum.update_lower(|i, j, value| {
            let factors = products.iter().zip(factors);
            value + factors.map(|(product, factor)| factor.of(product.entry(i, j).into())).product::<f64>()
        });
        Ok(())
    }
}

/// A factor s XᵀX + c of an entrywise product.
pub(crate) struct Factor<'a, T> {
    /// X, a column an iteration.
    pub(crate) columns: MatRef<'a, T>,
    /// s, a power of two that was taken out of X.
    pub(crate) scale: f64,
    /// c.
    pub(crate) constant: f64,
}

impl<T> Factor<'_, T> {
    fn of(&self, inner: f64) -> f64 {
        inner * self.scale + self.constant
    }
}

/// Tile by tile, so that the factors of a tile stay in a core's cache.
pub(crate) fn add_tiles<T: RealField + Copy + Into<f64>>(sum: &mut SquareMatrix<f64>, factors: &[Factor<'_, T>]) {
    let order = sum.order();
    sum.as_mut().par_col_chunks_mut(TILE).enumerate().for_each(|(strip, mut strip_columns)| {
        let (first, width) = (strip * TILE, strip_columns.ncols());
        let mut product = Mat::<T>::zeros(TILE, width);
        let mut term = Mat::<f64>::zeros(TILE, width);
        for start in (first..order).step_by(TILE) {
            let height = TILE.min(order - start);
            term.fill(1.0);
            for factor in factors {
                let [below, above] = [factor.columns.subcols(start, height), factor.columns.subcols(first, width)];
                let target = product.subrows_mut(0, height);
                matmul(target, Accum::Replace, below.transpose(), above, T::one_impl(), Par::Seq);
                for j in 0..width {
                    let inner = product.col_as_slice(j)[..height].iter();
                    let term = term.col_as_slice_mut(j)[..height].iter_mut();
                    term.zip(inner).for_each(|(term, &inner)| *term *= factor.of(inner.into()));
                }
            }
            for (j, column) in strip_columns.rb_mut().subrows_mut(start, height).col_iter_mut().enumerate() {
                let above_diagonal = (first + j).saturating_sub(start);
                let column = column.try_as_col_major_mut().expect("columns are contiguous").as_slice_mut();
                let sums = column[above_diagonal..].iter_mut();
                sums.zip(&term.col_as_slice(j)[above_diagonal..]).for_each(|(sum, term)| *sum += term);
            }
        }
    });
}

/// Adds XᵀX to the lower triangle of `product`.
pub(crate) fn add_inner_products(product: MatMut<f64>, columns: MatRef<f64>) {
    on_cpu(product, Accum::Add, columns);
}

/// Sets the lower triangle of `product` to XᵀX, on the CPU.
pub(crate) fn inner_products(product: MatMut<f32>, columns: MatRef<f32>) {
    on_cpu(product, Accum::Replace, columns);
}

fn on_cpu<T: RealField>(product: MatMut<T>, accum: Accum, columns: MatRef<T>) {
    triangular::matmul(
        product,
        BlockStructure::TriangularLower,
        accum,
        columns.transpose(),
        BlockStructure::Rectangular,
        columns,
        BlockStructure::Rectangular,
        T::one_impl(),
        Par::rayon(0),
    );
}

/// Every pair of strips of `width` columns is one launch and one read; the first [`STRIPS`] are uploaded once.
fn on_gpu(gram: &mut SquareMatrix<f32>, columns: MatRef<f32>, device: &Device, width: usize) {
    let starts: Vec<usize> = (0..columns.ncols()).step_by(width).collect();
    let upload = |start: &usize| strip(columns, *start, width, device);
    let held: Vec<_> = starts.iter().take(STRIPS).map(upload).collect();
    let strip_at = |index: usize| held.get(index).cloned().unwrap_or_else(|| upload(&starts[index]));
    for (i, &row) in starts.iter().enumerate() {
        let below = strip_at(i);
        for (j, &column) in starts[..=i].iter().enumerate() {
            let above = if i == j { below.clone() } else { strip_at(j) };
            let tile = product(above, below.clone().transpose());
            let [_, height] = tile.dims();
            let tile = tile.into_data().try_to_vec::<f32>().expect("a product of f32");
            for (offset, values) in tile.chunks_exact(height).enumerate() {
                gram.column_mut(column + offset)[row..row + height].copy_from_slice(values);
            }
        }
    }
}

/// Columns from `start` on, `width` of them or as many as there are, as rows of a tensor.
fn strip(columns: MatRef<f32>, start: usize, width: usize, device: &Device) -> Tensor<2> {
    let width = width.min(columns.ncols() - start);
    let mut values: Vec<f32> = Vec::with_capacity(width * columns.nrows());
    for t in start..start + width {
        values.extend(columns.col(t).iter());
    }
    Tensor::from_data(TensorData::new(values, [width, columns.nrows()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_give_every_product_once() {
        const COLUMNS: usize = 40;
        let columns = Mat::from_fn(7, COLUMNS, |row, column| ((row * 31 + column * 17) % 23) as f32 - 11.0);
        let mut expected = SquareMatrix::zeros(COLUMNS).expect("memory");
        on_cpu(expected.as_mut(), Accum::Replace, columns.as_ref());
        for width in [1, 3, 5, COLUMNS] {
            let mut gram = SquareMatrix::zeros(COLUMNS).expect("memory");
            on_gpu(&mut gram, columns.as_ref(), &Device::flex(), width);
            for column in 0..COLUMNS {
                for row in column..COLUMNS {
                    let [found, expected] = [&gram, &expected].map(|matrix| matrix.entry(row, column));
                    assert_eq!(found, expected, "{row}, {column} in strips of {width}");
                }
            }
        }
    }

    #[test]
    fn tiles_add_the_products_of_both_factors_below_the_diagonal() {
        const COLUMNS: usize = 2 * TILE + 7;
        let columns = |rows: usize, step: usize| {
            Mat::from_fn(rows, COLUMNS, |row, column| ((row * 31 + column * step) % 23) as f32 - 11.0)
        };
        let (first, second) = (columns(5, 17), columns(3, 19));
        let mut sum = SquareMatrix::zeros(COLUMNS).expect("memory");
        sum.update_lower(|i, j, _| (i + j) as f64);
        let factor = |columns, scale, constant| Factor { columns, scale, constant };
        add_tiles(&mut sum, &[factor(first.as_ref(), 0.25, 1.0), factor(second.as_ref(), 1.0, 0.0)]);
        let inner = |factor: &Mat<f32>, i: usize, j: usize| -> f64 {
            factor.col(i).iter().zip(factor.col(j).iter()).map(|(x, y)| f64::from(x * y)).sum()
        };
        for j in 0..COLUMNS {
            for i in 0..COLUMNS {
                let term = (0.25 * inner(&first, i, j) + 1.0) * inner(&second, i, j);
                let expected = if i < j { 0.0 } else { (i + j) as f64 + term };
                assert_eq!(sum.entry(i, j), expected, "{i}, {j}");
            }
        }
    }
}
