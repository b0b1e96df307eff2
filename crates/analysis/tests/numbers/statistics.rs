//! Fits and tests against scipy 1.17.1 and the Python package powerlaw 2.0.0, and their invariances.

use std::path::PathBuf;

use gradspectra_analysis::{AnalysisError, EigengapReading, KsTest, NormalityTest, PowerLawFit, Spectrum};
use proptest::prelude::*;
use serde_json::Value;
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Relative agreement of estimates and statistics.
const CLOSE: f64 = 1e-9;
/// Relative agreement of p-values.
const CLOSE_P: f64 = 1e-7;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn sample(name: &str) -> Vec<f64> {
    let bytes = std::fs::read(fixture(&format!("{name}.npy"))).unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn assert_close(name: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance * theirs.abs(), "{name}: {ours} is not {theirs}");
}

#[test]
fn fits_agree_with_scipy_and_powerlaw() {
    let expected = expected();
    let cases = expected["power_law"].as_object().unwrap();
    assert_eq!(cases.len(), 8);
    for (name, case) in cases {
        let k = case["k"].as_u64().unwrap() as usize;
        let fit = PowerLawFit::top(&sample(name), k).unwrap();
        assert_close(name, fit.beta(), &case["beta"], CLOSE);
        assert_close(name, fit.s(), &case["s"], CLOSE);
        assert_close(name, fit.ks().two_sided, &case["ks_two_sided"], CLOSE);
        assert_close(name, fit.ks().below, &case["ks_one_sided"], CLOSE);
    }
}

#[test]
fn normality_agrees_with_scipy() {
    let expected = expected();
    let cases = expected["normality"].as_object().unwrap();
    assert_eq!(cases.len(), 8);
    for (name, case) in cases {
        let test = NormalityTest::of(&sample(name)).unwrap();
        assert_close(name, test.skewness_z, &case["skew_z"], CLOSE);
        assert_close(name, test.kurtosis_z, &case["kurtosis_z"], CLOSE);
        assert_close(name, test.statistic, &case["statistic"], CLOSE);
        assert_close(name, test.p_value, &case["p_value"], CLOSE_P);
    }
}

/// z-scores by scipy 1.17.1 without the offset, of which every sum is exact; the ulp is 0.125 with it.
#[test]
fn a_common_offset_does_not_matter() {
    let sample =
        |offset: f64| -> Vec<f64> { (0..100).map(|index| offset + 0.125 * f64::from(index * index % 37)).collect() };
    for offset in [0.0, 1e6, 1e12, 1e15, -1e15] {
        let test = NormalityTest::of(&sample(offset)).unwrap();
        assert!((test.skewness_z + 0.10467521765873015).abs() < 1e-9, "{offset}: {test:?}");
        assert!((test.kurtosis_z + 11.883259610320302).abs() < 1e-9, "{offset}: {test:?}");
    }
    let lone: Vec<f64> = (0..100).map(|index| if index == 3 { 1.0 + f64::EPSILON } else { 1.0 }).collect();
    assert!(matches!(NormalityTest::of(&lone), Err(AnalysisError::Constant { .. })));
}

#[test]
fn unfit_samples_are_refused() {
    use AnalysisError::*;
    assert!(matches!(PowerLawFit::top(&[], 2), Err(TooFewPositive { positive: 0, .. })));
    assert!(matches!(PowerLawFit::top(&[1.0, 2.0], 1), Err(TooSmallK { k: 1 })));
    assert!(matches!(PowerLawFit::top(&[1.0, 0.0, -1.0], 2), Err(TooFewPositive { positive: 1, total: 3, k: 2 })));
    assert!(matches!(PowerLawFit::top(&[1.0, f64::NAN], 2), Err(NotFinite { index: 1, .. })));
    assert!(matches!(PowerLawFit::top(&[1.0, f64::INFINITY], 2), Err(NotFinite { index: 1, .. })));
    assert!(matches!(PowerLawFit::top(&[3.0; 5], 4), Err(AllEqual { k: 4, .. })));
    for n in [0, 1, 7] {
        assert!(matches!(NormalityTest::of(&vec![1.0; n]), Err(TooFewValues { needed: 8, .. })));
    }
    assert!(matches!(NormalityTest::of(&[0.1; 100]), Err(Constant { .. })));
    assert!(matches!(NormalityTest::of(&[f64::NAN; 8]), Err(NotFinite { index: 0, .. })));
}

#[test]
fn the_critical_distance_is_the_papers() {
    assert_eq!((KsTest::critical_distance(1000) * 1e4).round(), 430.0);
    assert_eq!((KsTest::critical_distance(200) * 1e4).round(), 962.0);
}

/// K² of a normal sample is χ² with two degrees of freedom.
#[test]
fn p_values_are_those_of_a_chi_squared_by_statrs() {
    let chi_squared = ChiSquared::new(2.0).unwrap();
    for spread in [0.5, 1.0, 1.5, 2.0] {
        let sample: Vec<f64> =
            (1..200).map(|k| ((k as f64 / 200.0 - 0.5) * 3.0).sinh() * spread + f64::from(k % 7)).collect();
        let test = NormalityTest::of(&sample).unwrap();
        let right = chi_squared.sf(test.statistic);
        assert!((test.p_value - right).abs() < 1e-9 * right, "{} is not {right}", test.p_value);
    }
}

#[test]
fn a_spectrum_agrees_with_nalgebra() {
    const ORDER: usize = 40;
    let entry = |row: usize, column: usize| ((row * column + row + column) as f64).sin() + (row + column) as f64;
    let reference = nalgebra::DMatrix::from_fn(ORDER, ORDER, entry).symmetric_eigenvalues();
    let mut reference: Vec<f64> = reference.iter().map(|value| value / ORDER as f64).collect();
    reference.sort_by(|a, b| b.total_cmp(a));
    let spectrum = Spectrum::of_gram(faer::Mat::from_fn(ORDER, ORDER, entry).as_ref()).unwrap();
    for (ours, theirs) in spectrum.eigenvalues().iter().zip(&reference) {
        assert!((ours - theirs).abs() < 1e-12 * reference[0], "{ours} is not {theirs}");
    }
    let error = Spectrum::of_gram(faer::Mat::zeros(2, 3).as_ref()).unwrap_err();
    assert!(matches!(error, AnalysisError::NotSquare { rows: 2, columns: 3 }));
}

#[test]
fn summaries_of_a_flat_spectrum_count_its_eigenvalues() {
    let spectrum = Spectrum::new(vec![2.0; 8]).unwrap();
    assert_eq!(spectrum.trace(), 16.0);
    assert_eq!(spectrum.trace_share(2), Some(0.25));
    assert!((spectrum.effective_rank().unwrap() - 8.0).abs() < 1e-12);
    assert_eq!(spectrum.participation_ratio(), Some(8.0));
    assert_eq!(spectrum.eigengaps(), [0.0; 7]);
    assert_eq!(Spectrum::new(vec![0.0; 3]).unwrap().effective_rank(), None);
}

#[test]
fn eigengaps_are_taken_by_size_or_by_rank() {
    let spectrum = Spectrum::new(vec![1.0, 10.0, 9.5, 7.0, 1.0]).unwrap();
    assert_eq!(spectrum.sorted_eigengaps(), [6.0, 2.5, 0.5, 0.0]);
    assert_eq!(spectrum.top_eigengaps(2, EigengapReading::Sorted).unwrap(), [6.0, 2.5]);
    assert_eq!(spectrum.top_eigengaps(2, EigengapReading::ByRank).unwrap(), [0.5, 2.5]);
    let error = spectrum.top_eigengaps(5, EigengapReading::Sorted).unwrap_err();
    assert_eq!(error, AnalysisError::TooFewValues { n: 4, needed: 5 });
    assert_eq!(Spectrum::new(Vec::new()).unwrap().top_eigengaps(0, EigengapReading::ByRank), Ok(Vec::new()));
}

/// Ranges at which squares, fourth powers or ratios leave f64.
#[test]
fn extreme_magnitudes_have_finite_results() {
    let shape: Vec<f64> = (1..=50).map(|rank| f64::from(rank) * if rank % 3 == 0 { -1.0 } else { 1.0 }).collect();
    let plain = NormalityTest::of(&shape).unwrap();
    for power in [-1000, -300, 300, 1000] {
        let scaled: Vec<f64> = shape.iter().map(|value| value * 2f64.powi(power)).collect();
        assert_eq!(NormalityTest::of(&scaled).unwrap(), plain, "2^{power}");
    }
    let bounds = [f64::MAX, -f64::MAX, 0.0, 1.0, f64::MIN_POSITIVE, 1e300, -1e300, 1e-300, 2.0, 3.0];
    assert!(NormalityTest::of(&bounds).unwrap().statistic.is_finite());
    let fit = PowerLawFit::top(&[5e-324, 1e-300, 1e-100, 1.0, 1e100, f64::MAX], 6).unwrap();
    assert!(fit.beta() > 1.0 && fit.s().is_finite() && fit.ks().two_sided < 1.0, "{fit:?}");
}

proptest! {
    #[test]
    fn scale_and_order_do_not_matter(
        values in prop::collection::vec(0.01f64..100.0, 20..60),
        exponent in -20i32..20,
    ) {
        let scaled: Vec<f64> = values.iter().rev().map(|value| value * 2f64.powi(exponent)).collect();
        let (plain, moved) = (PowerLawFit::top(&values, 15).unwrap(), PowerLawFit::top(&scaled, 15).unwrap());
        prop_assert_eq!(plain.beta(), moved.beta());
        prop_assert_eq!(plain.ks(), moved.ks());
        let (plain, moved) = (NormalityTest::of(&values).unwrap(), NormalityTest::of(&scaled).unwrap());
        prop_assert!((plain.p_value - moved.p_value).abs() < 1e-9);
    }
}
