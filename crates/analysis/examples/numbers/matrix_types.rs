use std::fmt::Write;

use faer::{Mat, MatRef, Side};
use gradspectra_analysis::{Result, symmetric_eigenvalues};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How the eigenvalues of a type are spaced; ε is LAPACK's ulp.
#[derive(Clone, Copy)]
enum Spacing {
    /// 1 down to ε in equal steps.
    Even,
    /// 1 down to ε in equal ratios.
    Geometric,
    /// 1, and ε for all others.
    Clustered,
}

/// How a matrix is made.
#[derive(Clone, Copy)]
enum Form {
    Zero,
    Identity,
    /// A diagonal of that spacing with random signs.
    Diagonal(Spacing),
    /// U'DU of a random orthogonal U and such a D.
    Rotated(Spacing),
    /// U'DU with all of D positive.
    RotatedPositive(Spacing),
    /// Entries uniform in (−1, 1).
    Random,
    /// Tridiagonal, its diagonal in equal ratios, and dominant.
    Dominant,
}

use Form::{Diagonal, Dominant, Identity, Random, Rotated, RotatedPositive, Zero};
use Spacing::{Clustered, Even, Geometric};

/// The square roots of the overflow and the underflow threshold.
const LARGE: f64 = 1.340_780_792_994_259_6e154;
const SMALL: f64 = 1.491_668_146_240_041_3e-154;

/// The types of DCHKST in its order: what the table calls them, how they are made, and by what they are multiplied.
const TYPES: [(&str, Form, f64); 21] = [
    ("zero", Zero, 1.0),
    ("identity", Identity, 1.0),
    ("diagonal, even", Diagonal(Even), 1.0),
    ("diagonal, geometric", Diagonal(Geometric), 1.0),
    ("diagonal, clustered", Diagonal(Clustered), 1.0),
    ("diagonal, geometric, · √overflow", Diagonal(Geometric), LARGE),
    ("diagonal, geometric, · √underflow", Diagonal(Geometric), SMALL),
    ("U'DU, even", Rotated(Even), 1.0),
    ("U'DU, geometric", Rotated(Geometric), 1.0),
    ("U'DU, clustered", Rotated(Clustered), 1.0),
    ("U'DU, even, · √overflow", Rotated(Even), LARGE),
    ("U'DU, even, · √underflow", Rotated(Even), SMALL),
    ("random", Random, 1.0),
    ("random, · √overflow", Random, LARGE),
    ("random, · √underflow", Random, SMALL),
    ("positive U'DU, even", RotatedPositive(Even), 1.0),
    ("positive U'DU, geometric", RotatedPositive(Geometric), 1.0),
    ("positive U'DU, clustered", RotatedPositive(Clustered), 1.0),
    ("positive U'DU, even, · √overflow", RotatedPositive(Even), LARGE),
    ("positive U'DU, even, · √underflow", RotatedPositive(Even), SMALL),
    ("diagonally dominant, geometric", Dominant, 1.0),
];

/// The ratios of one matrix.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ratios {
    /// ‖AU − UΛ‖₁ / (n ε ‖A‖₁).
    pub residual: f64,
    /// max |λ − λ_ref| / (ε max |λ|).
    pub error: f64,
}

/// For each type its name and the largest ratios of `seeds` matrices of order `order`.
pub fn ratios(order: usize, seeds: u64) -> Result<Vec<(&'static str, Ratios)>> {
    let largest = |&(name, form, scale): &(&'static str, Form, f64)| {
        let mut largest = Ratios::default();
        for seed in 0..seeds {
            let ratios = of_matrix(form, scale, order, seed)?;
            largest.residual = largest.residual.max(ratios.residual);
            largest.error = largest.error.max(ratios.error);
        }
        Ok((name, largest))
    };
    TYPES.iter().map(largest).collect()
}

/// A Markdown table of the types at `orders`.
pub fn markdown(orders: &[usize], seeds: u64) -> Result<String> {
    let columns = orders.iter().map(|&order| ratios(order, seeds)).collect::<Result<Vec<_>>>()?;
    let names = orders.iter().map(|order| format!(" residual, n = {order} | error |")).collect::<String>();
    let mut table = format!("| type | |{names}\n| --- | --- |{}\n", " --- | --- |".repeat(orders.len()));
    for (index, (name, ..)) in TYPES.iter().enumerate() {
        let _ = write!(table, "| {} | {name} |", index + 1);
        for (_, Ratios { residual, error }) in columns.iter().map(|column| column[index]) {
            let _ = write!(table, " {residual:.3} | {error:.1} |");
        }
        table.push('\n');
    }
    Ok(table)
}

fn of_matrix(form: Form, scale: f64, order: usize, seed: u64) -> Result<Ratios> {
    let mut uniform = Uniform(ChaCha8Rng::seed_from_u64(seed));
    let (unscaled, spectrum) = matrix(form, order, &mut uniform);
    let decomposed = unscaled.self_adjoint_eigen(Side::Lower).expect("faer converges");
    let reference = spectrum.unwrap_or_else(|| rayleigh_quotients(&unscaled, decomposed.U()));
    let mut reference: Vec<f64> = reference.into_iter().map(|value| scale * value).collect();
    reference.sort_unstable_by(|a, b| b.total_cmp(a));
    let matrix = faer::Scale(scale) * &unscaled;
    let values = symmetric_eigenvalues(matrix.as_ref())?;

    let vectors = decomposed.U();
    // faer's order is ascending.
    let scaled = Mat::from_fn(order, order, |row, column| vectors[(row, column)] * values[order - 1 - column]);
    let norm = one_norm(&matrix);
    let error =
        values.iter().zip(&reference).fold(0.0_f64, |largest, (ours, theirs)| largest.max((ours - theirs).abs()));
    let largest = reference.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    Ok(Ratios {
        residual: ratio(one_norm(&(&matrix * vectors - scaled)), order as f64 * norm),
        error: ratio(error, largest),
    })
}

/// u'Au / u'u of each column u of `vectors`, whose error is the square of the vector's.
fn rayleigh_quotients(matrix: &Mat<f64>, vectors: MatRef<'_, f64>) -> Vec<f64> {
    let products = matrix * vectors;
    let columns = vectors.col_iter().zip(products.col_iter());
    columns.map(|(vector, product)| (vector.transpose() * product) / vector.squared_norm_l2()).collect()
}

/// `error` in units of ε · `size`; 0 where there is none.
fn ratio(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / size / f64::EPSILON }
}

/// A matrix and its spectrum, where it is known.
fn matrix(form: Form, order: usize, uniform: &mut Uniform) -> (Mat<f64>, Option<Vec<f64>>) {
    let diagonal =
        |values: &[f64]| Mat::from_fn(order, order, |row, column| if row == column { values[row] } else { 0.0 });
    match form {
        Zero => (Mat::zeros(order, order), Some(vec![0.0; order])),
        Identity => (Mat::identity(order, order), Some(vec![1.0; order])),
        Diagonal(spacing) => {
            let values = uniform.signed(spacing.values(order));
            (diagonal(&values), Some(values))
        }
        Rotated(spacing) => {
            let values = uniform.signed(spacing.values(order));
            (rotated(&values, uniform), Some(values))
        }
        RotatedPositive(spacing) => {
            let values = spacing.values(order);
            (rotated(&values, uniform), Some(values))
        }
        Random => {
            let entries = Mat::from_fn(order, order, |_, _| uniform.next());
            (symmetric(&entries), None)
        }
        Dominant => {
            let values = Geometric.values(order);
            let matrix = Mat::from_fn(order, order, |row, column| match row.abs_diff(column) {
                0 => values[row],
                1 => 0.25 * (values[row] * values[column]).sqrt(),
                _ => 0.0,
            });
            (matrix, None)
        }
    }
}

/// U'DU for a random orthogonal U.
fn rotated(values: &[f64], uniform: &mut Uniform) -> Mat<f64> {
    let order = values.len();
    let entries = Mat::from_fn(order, order, |_, _| uniform.normal());
    let orthogonal = entries.qr().compute_Q();
    let scaled = Mat::from_fn(order, order, |row, column| orthogonal[(row, column)] * values[column]);
    symmetric(&(scaled * orthogonal.transpose()))
}

/// The symmetric matrix with the lower triangle of `matrix`.
fn symmetric(matrix: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[(row.max(column), row.min(column))])
}

/// The largest sum of the magnitudes of a column.
fn one_norm(matrix: &Mat<f64>) -> f64 {
    matrix.col_iter().map(|column| column.iter().map(|value| value.abs()).sum()).fold(0.0, f64::max)
}

impl Spacing {
    fn values(self, order: usize) -> Vec<f64> {
        let share = |index: usize| index as f64 / (order - 1) as f64;
        let value = |index: usize| match self {
            Even => 1.0 - share(index) * (1.0 - f64::EPSILON),
            Geometric => f64::EPSILON.powf(share(index)),
            Clustered if index == 0 => 1.0,
            Clustered => f64::EPSILON,
        };
        (0..order).map(value).collect()
    }
}

struct Uniform(ChaCha8Rng);

impl Uniform {
    /// In (−1, 1).
    fn next(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 52) as f64 - 1.0
    }

    fn signed(&mut self, values: Vec<f64>) -> Vec<f64> {
        values.into_iter().map(|value| value.copysign(self.next())).collect()
    }

    /// By the method of Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.next().abs().ln()).sqrt();
        radius * (std::f64::consts::PI * self.next()).cos()
    }
}
