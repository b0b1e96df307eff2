//! What products in f32 and in f64 keep of a spectrum, what they say that they lose, and scales.

use faer::Mat;
use gradspectra_analysis::symmetric_eigenvalues;
use gradspectra_capture::{Gram, GramBuilder, Precision};

const PARAMETERS: usize = 161;
const ITERATIONS: usize = 300;

/// Numbers as good as random in (−0.5, 0.5), the same everywhere.
fn noise(row: usize, t: usize) -> f64 {
    let hash = (row as u64 * 1_000_003 + t as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (hash >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// A matrix whose singular values fall by half from row to row, down to rounding.
fn steep(row: usize, t: usize) -> f64 {
    noise(row, t) * 0.5_f64.powi(row as i32)
}

fn gram(precision: Precision, entry: impl Fn(usize, usize) -> f64) -> Gram {
    let mut builder = GramBuilder::new(ITERATIONS, precision).unwrap();
    for start in (0..PARAMETERS).step_by(70) {
        let rows = 70.min(PARAMETERS - start);
        builder.add(Mat::from_fn(rows, ITERATIONS, |row, t| entry(start + row, t) as f32));
    }
    builder.finish().unwrap()
}

fn gram_f64(entry: impl Fn(usize, usize) -> f64) -> Gram {
    let mut builder = GramBuilder::new(ITERATIONS, Precision::Double).unwrap();
    builder.add_f64(Mat::from_fn(PARAMETERS, ITERATIONS, entry));
    builder.finish().unwrap()
}

fn eigenvalues(gram: &Gram) -> Vec<f64> {
    symmetric_eigenvalues(gram.covariance()).unwrap()
}

#[test]
fn eigenvalues_above_the_error_that_is_told_are_right_and_those_below_are_not() {
    let exact = eigenvalues(&gram_f64(|row, t| f64::from(steep(row, t) as f32)));
    for (precision, least, most) in [(Precision::Single, 1e-8, 1e-6), (Precision::Double, 1e-17, 1e-13)] {
        let gram = gram(precision, steep);
        let (found, error) = (eigenvalues(&gram), gram.error());
        assert!((least..most).contains(&(error / found[0])), "{precision:?}: {error:e} of {:e}", found[0]);
        for (k, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let apart = (found - exact).abs();
            assert!(apart < error, "{precision:?}, {k}: {found:e} is not {exact:e} within {error:e}");
            if *exact > 16.0 * error {
                assert!(apart < 0.01 * exact, "{precision:?}, {k}: {found:e} is not {exact:e}");
            }
        }
    }
}

#[test]
fn products_in_f64_keep_what_products_in_f32_lose() {
    let k = 20;
    let exponent =
        |values: &[f64]| values[..k].iter().map(|value| (value / values[k - 1]).ln()).sum::<f64>() / k as f64;
    let exact = exponent(&eigenvalues(&gram_f64(steep)));
    let [single, double] =
        [Precision::Single, Precision::Double].map(|precision| exponent(&eigenvalues(&gram(precision, steep))));
    assert!((double - exact).abs() < 1e-5 * exact, "{double} is not {exact}");
    assert!((single - exact).abs() > 0.01 * exact, "{single} is as exact as {exact}: the case is too easy");
}

/// Gradients of 2^exponent times the size give a Gram matrix of 4^exponent times the size, to the last bit.
#[test]
fn a_power_of_two_passes_through_to_the_last_bit() {
    let entry = |row: usize, t: usize| f64::from((noise(row, t) + 0.1) as f32);
    let times = |exponent: i32| move |row, t| entry(row, t) * 2.0_f64.powi(exponent);
    for precision in [Precision::Single, Precision::Double] {
        let plain = gram(precision, entry);
        for exponent in [-100, -73, -1, 1, 60, 120] {
            assert_scaled(&plain, &gram(precision, times(exponent)), exponent);
        }
    }
    let plain = gram_f64(entry);
    for exponent in [-950, -600, -513, -100, 1, 400, 512, 1000, 1022] {
        assert_scaled(&plain, &gram_f64(times(exponent)), exponent);
    }
}

fn assert_scaled(plain: &Gram, scaled: &Gram, exponent: i32) {
    let unit = 2.0_f64.powi(2 * (exponent - scaled.exponent()));
    let expected: Vec<f64> = plain.numbers().map(|number| number * unit).collect();
    assert!(expected.iter().all(|number| number.is_finite()), "2^{exponent} leaves the range");
    assert!(scaled.numbers().eq(expected.iter().copied()), "2^{exponent} moves a bit");
    assert_eq!(scaled.mean_gradient_norm(), plain.mean_gradient_norm() * 2.0_f64.powi(exponent));
}

#[test]
fn a_block_far_larger_than_those_before_it_does_not_overflow() {
    let entry = |row: usize, t: usize| noise(row, t) * if row < 80 { 1.0 } else { 1e300 };
    let mut builder = GramBuilder::new(ITERATIONS, Precision::Double).unwrap();
    for start in [0, 80] {
        builder.add_f64(Mat::from_fn(80, ITERATIONS, |row, t| entry(start + row, t)));
    }
    let (gram, alone) =
        (builder.finish().unwrap(), gram_f64(|row, t| if row < 80 { 0.0 } else { entry(row.min(159), t) }));
    let largest = |gram: &Gram| eigenvalues(gram)[0];
    assert!(largest(&gram).is_finite() && gram.exponent() > 900);
    assert!(largest(&gram) <= largest(&alone));
}

/// Rows of G whose iterations cancel to a part in 10⁹, of float64 that Python's fractions sum exactly: plain sums in f64
/// give 0.206238401785.
#[test]
fn the_norm_of_a_mean_that_nearly_cancels_is_right() {
    let sign = |t: usize| if t.is_multiple_of(2) { 1e9 } else { -1e9 };
    let entry = |row: usize, t: usize| sign(t) * noise(row, t / 2) + noise(row + 1000, t);
    let found = gram_f64(entry).mean_gradient_norm();
    assert!((found / 0.20623840209578262 - 1.0).abs() < 1e-14, "{found}");
}

#[test]
fn gradients_of_zero_are_no_error() {
    let gram = gram(Precision::Single, |_, _| 0.0);
    assert_eq!((gram.error(), gram.mean_gradient_norm(), gram.exponent()), (0.0, 0.0, 0));
    assert!(eigenvalues(&gram).iter().all(|value| *value == 0.0));
}

/// Clipping to a common norm is a scaling, of what is rounding too.
#[test]
fn clipping_scales_the_error_that_is_told() {
    for precision in [Precision::Single, Precision::Double] {
        let gram = gram(precision, |row, t| noise(row, t) + 0.5);
        let least = gram.norms().into_iter().fold(f64::INFINITY, f64::min);
        let relative = |threshold: f64| gram.clipped(threshold).unwrap().error() / threshold.powi(2);
        for part in [1e-3, 1e-8, 1e-30] {
            let ratio = relative(least * part) / relative(least * 0.999);
            assert!((ratio - 1.0).abs() < 0.01, "{precision:?}, {part}: {ratio}");
        }
    }
}
