use burn::tensor::{Device, Tensor, TensorData};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::traits::RealField;
use faer::{Accum, Mat, MatRef, Par};
use gradspectra_models::{GpuMemory, product, runs_on_cpu};

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

    /// Sets the lower triangle of `product` to XᵀX in f32.
    pub(crate) fn inner_products(&self, product: &mut Mat<f32>, columns: MatRef<f32>) {
        match &self.gpu {
            Some(device) => {
                let width = GpuMemory::of(device).buffer_numbers() / columns.nrows().max(1);
                on_gpu(product, columns, device, width.clamp(1, STRIP));
            }
            None => on_cpu(product, Accum::Replace, columns),
        }
    }
}

/// Adds XᵀX to the lower triangle of `product`.
pub(crate) fn add_inner_products(product: &mut Mat<f64>, columns: MatRef<f64>) {
    on_cpu(product, Accum::Add, columns);
}

fn on_cpu<T: RealField>(product: &mut Mat<T>, accum: Accum, columns: MatRef<T>) {
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
fn on_gpu(gram: &mut Mat<f32>, columns: MatRef<f32>, device: &Device, width: usize) {
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
                gram.col_as_slice_mut(column + offset)[row..row + height].copy_from_slice(values);
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
        let mut expected = Mat::zeros(COLUMNS, COLUMNS);
        on_cpu(&mut expected, Accum::Replace, columns.as_ref());
        for width in [1, 3, 5, COLUMNS] {
            let mut gram = Mat::zeros(COLUMNS, COLUMNS);
            on_gpu(&mut gram, columns.as_ref(), &Device::flex(), width);
            for column in 0..COLUMNS {
                for row in column..COLUMNS {
                    assert_eq!(gram[(row, column)], expected[(row, column)], "{row}, {column} in strips of {width}");
                }
            }
        }
    }
}
