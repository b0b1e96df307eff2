//! Eigenvalues of a random symmetric matrix: ours beside faer's one-stage routine.

use divan::{Bencher, black_box};
use faer::{Mat, Side};
use gradspectra_analysis::symmetric_eigenvalues;

fn main() {
    divan::main();
}

const ORDERS: [usize; 3] = [1000, 2000, 5000];

/// Entries of the sequence frac(k φ), which is equidistributed.
fn matrix(order: usize) -> Mat<f64> {
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let entry = |row: usize, column: usize| ((row * (row + 1) / 2 + column) as f64 * golden).fract() - 0.5;
    Mat::from_fn(order, order, |row, column| entry(row.max(column), row.min(column)))
}

#[divan::bench(args = ORDERS, sample_count = 3, sample_size = 1)]
fn two_stages(bencher: Bencher, order: usize) {
    let matrix = matrix(order);
    bencher.bench_local(|| symmetric_eigenvalues(black_box(matrix.as_ref())));
}

#[divan::bench(args = ORDERS, sample_count = 3, sample_size = 1)]
fn faer(bencher: Bencher, order: usize) {
    let matrix = matrix(order);
    bencher.bench_local(|| black_box(&matrix).self_adjoint_eigenvalues(Side::Lower));
}
