//! Every test goes through the two stages, at sizes at which the public entry would take one.
#![allow(clippy::unwrap_used)]

use faer::{Mat, MatRef, Side};
use proptest::prelude::*;
use pulp::WithSimd;

use super::band::{BANDWIDTH, MARGIN, STRIDE, SymmetricBand};
use super::kernel::{Advance, Open, Reflector};
use super::panel::PanelFactor;
use super::*;

/// Sizes around the bandwidth, the tiles, and the groups of the bulge chase.
const ORDERS: [usize; 16] = [1, 2, 3, 5, 11, 63, 64, 65, 66, 67, 128, 130, 191, 193, 258, 395];

/// The bound of LAPACK's test ratio max |λ − λ_ref| / (n ε ‖A‖₂), which is 30 there.
const MAX_RATIO: f64 = 1.0;

/// Added to n in the ratio, for what the tests' own rotations lose at small n.
const SMALL: usize = 10;

/// Uniform numbers in [−1, 1): SplitMix64 (Steele, Lea and Flood 2014).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn symmetric(order: usize, mut entry: impl FnMut(usize, usize) -> f64) -> Mat<f64> {
    let mut matrix = Mat::zeros(order, order);
    for column in 0..order {
        for row in column..order {
            matrix[(row, column)] = entry(row, column);
            matrix[(column, row)] = matrix[(row, column)];
        }
    }
    matrix
}

fn random(order: usize, seed: u64) -> Mat<f64> {
    let mut uniform = Uniform(seed);
    symmetric(order, |_, _| uniform.next())
}

fn diagonal(values: &[f64]) -> Mat<f64> {
    symmetric(values.len(), |row, column| if row == column { values[row] } else { 0.0 })
}

/// Q A Qᵀ for Q the product of three random reflectors.
fn rotated(matrix: MatRef<'_, f64>, seed: u64) -> Mat<f64> {
    let order = matrix.nrows();
    let mut uniform = Uniform(seed);
    let mut rotated = matrix.to_owned();
    for _ in 0..3 {
        let v = faer::Col::from_fn(order, |_| uniform.next());
        let tau = 2.0 / (v.transpose() * &v);
        let product = &rotated * &v;
        let half = 0.5 * tau * (v.transpose() * &product);
        let w = Mat::from_fn(order, 1, |row, _| tau * (product[row] - half * v[row]));
        rotated = symmetric(order, |row, column| {
            rotated[(row, column)] - (v[row] * w[(column, 0)] + w[(row, 0)] * v[column])
        });
    }
    rotated
}

fn descending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values
}

fn two_stages(matrix: &Mat<f64>) -> Vec<f64> {
    eigenvalues_with(matrix.as_ref(), two_stage).unwrap()
}

/// max |λ − λ_ref| / ((n + [`SMALL`]) ε ‖A‖₂).
fn ratio(values: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(values.len(), reference.len());
    let norm = reference.iter().fold(0.0_f64, |norm, value| norm.max(value.abs()));
    let error = values.iter().zip(reference).fold(0.0_f64, |error, (a, b)| error.max((a - b).abs()));
    if error == 0.0 { 0.0 } else { error / ((reference.len() + SMALL) as f64 * f64::EPSILON * norm) }
}

#[track_caller]
fn assert_close(values: &[f64], reference: &[f64], what: &str) {
    let ratio = ratio(values, reference);
    assert!(ratio <= MAX_RATIO, "{what}, n = {}: ratio {ratio:.2}", reference.len());
}

type SpectrumOf = fn(usize, usize) -> f64;

/// λ_k by k and n.
const SPECTRA: [(&str, SpectrumOf); 9] = [
    ("arithmetic", |k, n| (k + 1) as f64 / n as f64),
    ("graded", |k, n| 10.0_f64.powf(-16.0 * k as f64 / n as f64)),
    ("negative", |k, n| -((k + 1) as f64) / n as f64),
    ("opposite pairs", |k, n| (k / 2 + 1) as f64 / n as f64 * if k % 2 == 0 { 1.0 } else { -1.0 }),
    ("rank three", |k, _| if k < 3 { 3.0 - k as f64 } else { 0.0 }),
    ("identity", |_, _| 1.0),
    ("two clusters", |k, _| if k % 2 == 0 { 1.0 + 1e-12 * k as f64 } else { 1e-9 * (1.0 + 1e-12 * k as f64) }),
    ("one large", |k, _| if k == 0 { 1.0 } else { f64::EPSILON }),
    ("power law", |k, _| ((k + 1) as f64).powf(-1.2)),
];

#[test]
fn known_spectra_come_back() {
    for order in ORDERS {
        for (name, value) in SPECTRA {
            let reference = descending((0..order).map(|k| value(k, order)).collect());
            let matrix = diagonal(&reference);
            assert_eq!(two_stages(&matrix), reference, "diagonal, {name}, n = {order}");
            assert_close(&two_stages(&rotated(matrix.as_ref(), order as u64)), &reference, name);
        }
    }
}

#[test]
fn agrees_with_faer_and_nalgebra() {
    for order in ORDERS {
        let matrix = random(order, order as u64);
        let values = two_stages(&matrix);
        let faer = descending(matrix.self_adjoint_eigenvalues(Side::Lower).unwrap());
        assert_close(&values, &faer, "faer");
        let copy = nalgebra::DMatrix::from_fn(order, order, |row, column| matrix[(row, column)]);
        assert_close(&values, &descending(copy.symmetric_eigenvalues().as_slice().to_vec()), "nalgebra");
        assert_close(&symmetric_eigenvalues(matrix.as_ref()).unwrap(), &values, "public entry");
    }
}

#[test]
fn tridiagonal_matrices() {
    for order in ORDERS {
        let laplacian = symmetric(order, |row, column| [2.0, -1.0].get(row - column).copied().unwrap_or(0.0));
        let angle = std::f64::consts::FRAC_PI_2 / (order + 1) as f64;
        let exact = (1..=order).rev().map(|k| 4.0 * (k as f64 * angle).sin().powi(2)).collect::<Vec<_>>();
        assert_close(&two_stages(&laplacian), &exact, "second difference");

        let centre = (order - 1) as f64 / 2.0;
        let wilkinson = symmetric(order, |row, column| match row - column {
            0 => (row as f64 - centre).abs(),
            1 => 1.0,
            _ => 0.0,
        });
        let copy = nalgebra::DMatrix::from_fn(order, order, |row, column| wilkinson[(row, column)]);
        let reference = descending(copy.symmetric_eigenvalues().as_slice().to_vec());
        assert_close(&two_stages(&wilkinson), &reference, "Wilkinson");
    }
}

#[test]
fn trace_and_frobenius_norm_are_kept() {
    for order in ORDERS {
        let matrix = random(order, 7);
        let values = two_stages(&matrix);
        let norm = matrix.norm_l2();
        let tolerance = order as f64 * f64::EPSILON * norm;
        let trace: f64 = (0..order).map(|k| matrix[(k, k)]).sum();
        assert!((values.iter().sum::<f64>() - trace).abs() <= tolerance, "trace, n = {order}");
        let squares: f64 = values.iter().map(|value| value * value).sum();
        assert!((squares.sqrt() - norm).abs() <= tolerance, "norm, n = {order}");
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    type Solve = fn(&Mat<f64>) -> Vec<f64>;
    let public: Solve = |matrix| symmetric_eigenvalues(matrix.as_ref()).unwrap();
    for (order, solve) in [(70, two_stages as Solve), (700, two_stages), (100, public), (TWO_STAGE_ORDER - 1, public)] {
        let matrix = random(order, 1);
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let values = pool.install(|| solve(&matrix));
            values.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        let one = bits(1);
        for threads in [2, 3, 8, 8] {
            assert!(bits(threads) == one, "n = {order}, {threads} threads");
        }
    }
}

#[test]
fn powers_of_two_scale_exactly() {
    let matrix = random(150, 3);
    let values = two_stages(&matrix);
    for exponent in [-960, -300, 300, 1015] {
        let factor = 2.0_f64.powi(exponent);
        let scaled = faer::Scale(factor) * &matrix;
        assert_eq!(two_stages(&scaled), values.iter().map(|value| value * factor).collect::<Vec<_>>(), "2^{exponent}");
    }
    let subnormal = diagonal(&[4.0 * f64::MIN_POSITIVE * f64::EPSILON, f64::MIN_POSITIVE * f64::EPSILON]);
    assert_eq!(two_stages(&subnormal), [4.0 * f64::MIN_POSITIVE * f64::EPSILON, f64::MIN_POSITIVE * f64::EPSILON]);
}

#[test]
fn only_the_lower_triangle_is_read() {
    for order in [2, 64, 200] {
        let matrix = random(order, 5);
        let mut lower = matrix.clone();
        for column in 0..order {
            for row in 0..column {
                lower[(row, column)] = f64::NAN;
            }
        }
        assert_eq!(two_stages(&lower), two_stages(&matrix));
        assert_eq!(symmetric_eigenvalues(lower.as_ref()), symmetric_eigenvalues(matrix.as_ref()));
        let by_rows = matrix.transpose().to_owned();
        assert_eq!(symmetric_eigenvalues(by_rows.transpose()), symmetric_eigenvalues(matrix.as_ref()));
    }
}

#[test]
fn degenerate_and_refused() {
    assert_eq!(symmetric_eigenvalues(Mat::zeros(0, 0).as_ref()), Ok(vec![]));
    assert_eq!(two_stages(&Mat::zeros(200, 200)), vec![0.0; 200]);
    assert_eq!(symmetric_eigenvalues(Mat::zeros(2, 3).as_ref()), Err(AnalysisError::NotSquare { rows: 2, columns: 3 }));
    for value in [f64::INFINITY, f64::NEG_INFINITY] {
        let mut matrix = random(250, 1);
        matrix[(249, 3)] = value;
        let refused = symmetric_eigenvalues(matrix.as_ref());
        assert_eq!(refused, Err(AnalysisError::NotFinite { index: 3 * 250 + 249, value }));
    }
    let overflowing = Mat::full(2, 2, f64::MAX);
    assert_eq!(eigenvalues_with(overflowing.as_ref(), two_stage), Err(AnalysisError::OutOfRange { exponent: 1024 }));
}

#[test]
fn panels_factor() {
    for (rows, columns) in [(1, 1), (1, 64), (40, 64), (64, 64), (65, 64), (300, 64), (300, 13)] {
        let mut uniform = Uniform(rows as u64);
        let mut panel = Mat::from_fn(rows, columns, |_, _| uniform.next());
        panel.col_mut(columns / 2).fill(0.0);
        let mut basis = panel.clone();
        let PanelFactor { coefficients, triangle } = PanelFactor::new(basis.as_mut());
        let q = Mat::<f64>::identity(rows, rows) - &basis * &coefficients * basis.transpose();
        let rank = rows.min(columns);
        let residual = panel - q.subcols(0, rank) * triangle.subrows(0, rank);
        assert!(residual.norm_max() < 1e-14 * rows as f64, "residual of {rows} × {columns}");
        let defect = q.transpose() * &q - Mat::<f64>::identity(rows, rows);
        assert!(defect.norm_max() < 1e-14, "orthogonality of {rows} × {columns}");
    }
}

#[test]
fn the_band_keeps_the_spectrum() {
    let matrix = random(300, 9);
    let mut band = dense::reduce_to_band(LowerTiles::new(matrix.as_ref(), 1.0, TILE_SIZE));
    let columns = band.columns_mut();
    let dense =
        symmetric(
            300,
            |row, column| {
                if row - column <= BANDWIDTH { columns[column * STRIDE + MARGIN + row - column] } else { 0.0 }
            },
        );
    let reference = descending(matrix.self_adjoint_eigenvalues(Side::Lower).unwrap());
    assert_close(&descending(dense.self_adjoint_eigenvalues(Side::Lower).unwrap()), &reference, "band");
    assert_close(&two_stages(&dense), &reference, "band given as dense");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn similar_matrices_agree(order in 1..220_usize, seed in any::<u64>(), filled in 1..220_usize, grade in 0.0..30.0_f64) {
        let mut uniform = Uniform(seed);
        let scales: Vec<f64> = (0..order).map(|_| f64::powf(10.0, -grade * uniform.next().abs())).collect();
        let matrix = symmetric(order, |row, column| {
            if column < filled { uniform.next() * scales[row] * scales[column] } else { 0.0 }
        });
        let values = two_stages(&matrix);
        let ratio = ratio(&two_stages(&rotated(matrix.as_ref(), seed ^ 1)), &values);
        prop_assert!(ratio <= 3.0 * MAX_RATIO, "ratio {ratio}");
    }
}

#[test]
fn every_vector_width_chases_alike() {
    fn chase<S: pulp::Simd>(simd: S) -> Vec<f64> {
        let mut uniform = Uniform(2);
        let mut band = SymmetricBand::zeros(4 * BANDWIDTH);
        for column in 0..4 * BANDWIDTH {
            for row in column..(column + BANDWIDTH + 1).min(4 * BANDWIDTH) {
                band.set(row, column, uniform.next());
            }
        }
        let columns = band.columns_mut();
        for sweep in 0..3 {
            let mut reflector = Reflector::IDENTITY;
            let column = &mut columns[sweep * STRIDE..][..STRIDE];
            Open { column, reflector: &mut reflector }.with_simd(simd);
            let columns = &mut columns[(sweep + 1) * STRIDE..][..4 * BANDWIDTH * STRIDE];
            Advance { columns, reflector: &mut reflector }.with_simd(simd);
        }
        columns.chunks_exact(STRIDE).flat_map(|column| column[MARGIN..].to_vec()).collect()
    }
    let one = chase(pulp::Scalar::new());
    let wider = [(2, chase(pulp::Scalar128b)), (4, chase(pulp::Scalar256b)), (8, chase(pulp::Scalar512b))];
    for (lanes, entries) in wider {
        let error = entries.iter().zip(&one).fold(0.0_f64, |error, (a, b)| error.max((a - b).abs()));
        assert!(error < 1e-12, "{lanes} lanes: {error:e}");
    }
}
