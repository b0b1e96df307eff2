//! The numerical rank of a spectrum bounds what is fitted.

use faer::Mat;
use gradspectra_analysis::{AnalysisError, EigengapReading, PowerLawFit, Spectrum};

/// Entries in [−1, 1): SplitMix64 (Steele, Lea and Flood 2014).
fn uniform(index: u64) -> f64 {
    let mut bits = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// n gradients' entries of T iterations, the k-th parameter in proportion to k^(−0.7).
fn gradients(parameters: usize, iterations: usize) -> Mat<f64> {
    Mat::from_fn(parameters, iterations, |row, t| {
        uniform((row * iterations + t) as u64) * ((row + 1) as f64).powf(-0.7)
    })
}

/// M = GᵀG, and with the mean gradient subtracted.
fn grams(gradients: &Mat<f64>) -> [Mat<f64>; 2] {
    let iterations = gradients.ncols();
    let means: Vec<f64> = gradients.row_iter().map(|row| row.sum() / iterations as f64).collect();
    let centred = Mat::from_fn(gradients.nrows(), iterations, |row, t| gradients[(row, t)] - means[row]);
    [gradients.transpose() * gradients, centred.transpose() * &centred]
}

#[test]
fn the_rank_is_that_of_the_gradients() {
    for (parameters, iterations) in [(1, 20), (50, 100), (50, 400), (200, 350), (600, 100)] {
        let [second, covariance] = grams(&gradients(parameters, iterations)).map(|gram| {
            let spectrum = Spectrum::of_gram(gram.as_ref()).unwrap();
            let largest = spectrum.eigenvalues()[0];
            let floor = iterations as f64 * f64::EPSILON * largest;
            assert!((spectrum.floor() / floor - 1.0).abs() < 1e-15);
            spectrum
        });
        assert_eq!(second.rank(), parameters.min(iterations), "{parameters} × {iterations}");
        assert_eq!(covariance.rank(), parameters.min(iterations - 1), "{parameters} × {iterations}");
    }
}

/// Null eigenvalues within K would take s from about 1.4 to above 4.
#[test]
fn k_beyond_the_rank_is_refused_with_the_largest() {
    let [gram, _] = grams(&gradients(50, 400));
    let spectrum = Spectrum::of_gram(gram.as_ref()).unwrap();
    let error = spectrum.top_eigenvalues(200).unwrap_err();
    assert_eq!(
        error.to_string(),
        "K is 200 eigenvalues; the numerical rank is 50, beyond which lies rounding: lower K to at most 50"
    );
    assert_eq!(error, AnalysisError::BeyondRank { k: 200, rank: 50, largest: 50, what: "eigenvalues" });
    let top = spectrum.top_eigenvalues(50).unwrap();
    assert_eq!(top, spectrum.fitted_eigenvalues());
    assert!(PowerLawFit::top(top, 50).unwrap().s() < 2.0);
    for reading in [EigengapReading::Sorted, EigengapReading::ByRank] {
        let largest = spectrum.fitted_eigengaps(reading).len();
        assert_eq!(largest, 50);
        let refused = spectrum.top_eigengaps(51, reading).unwrap_err();
        assert_eq!(refused, AnalysisError::BeyondRank { k: 51, rank: 50, largest, what: "eigengaps" });
        assert!(PowerLawFit::top(&spectrum.top_eigengaps(50, reading).unwrap(), 50).unwrap().s() < 3.0);
    }
}

#[test]
fn no_power_law_is_fitted_to_rank_one() {
    let [gram, _] = grams(&gradients(1, 30));
    let spectrum = Spectrum::of_gram(gram.as_ref()).unwrap();
    for refused in [
        spectrum.top_eigenvalues(10).map(<[f64]>::to_vec),
        spectrum.top_eigengaps(10, EigengapReading::Sorted),
        spectrum.top_eigengaps(10, EigengapReading::ByRank),
    ] {
        let message = refused.unwrap_err().to_string();
        assert!(message.ends_with("no power law can be fitted to rank 1"), "{message}");
    }
}

#[test]
fn a_gap_counts_above_the_floor_only() {
    let spectrum = Spectrum::new(vec![8.0, 4.0, 3.875, 1.0, 0.25, 0.0]).unwrap();
    assert_eq!((spectrum.floor(), spectrum.rank()), (0.0, 5));
    assert_eq!(spectrum.fitted_eigengaps(EigengapReading::ByRank), [4.0, 0.125, 2.875, 0.75, 0.25]);
    let spectrum = spectrum.with_error(0.5).with_error(0.1);
    assert_eq!((spectrum.floor(), spectrum.rank()), (0.5, 4));
    assert_eq!(spectrum.fitted_eigengaps(EigengapReading::Sorted), [4.0, 2.875, 0.75]);
    assert_eq!(spectrum.top_eigengaps(2, EigengapReading::Sorted).unwrap(), [4.0, 2.875]);
    assert_eq!(spectrum.fitted_eigengaps(EigengapReading::ByRank), [4.0]);
    assert_eq!(
        spectrum.top_eigengaps(3, EigengapReading::ByRank).unwrap_err().to_string(),
        "K is 3 eigengaps; the numerical rank is 4, beyond which lies rounding, with 1 eigengap above it: no power law can \
         be fitted to so few"
    );
    assert_eq!(
        spectrum.top_eigengaps(4, EigengapReading::Sorted).unwrap_err().to_string(),
        "K is 4 eigengaps; the numerical rank is 4, beyond which lies rounding, with 3 eigengaps above it: lower K to at most 3"
    );
}

#[test]
fn a_spectrum_of_zeros_is_told_as_such_and_not_as_one_of_rounding() {
    let spectrum = Spectrum::of_gram(faer::Mat::<f64>::zeros(5, 5).as_ref()).unwrap();
    for refused in [
        spectrum.top_eigenvalues(2).map(<[f64]>::to_vec),
        spectrum.top_eigengaps(2, EigengapReading::Sorted),
        spectrum.top_eigengaps(2, EigengapReading::ByRank),
    ] {
        let error = refused.unwrap_err();
        let message = error.to_string();
        assert!(error.is_of_the_values() && !message.contains("rank"), "{message}");
        assert!(message.contains(" are 0: ") && message.contains("multiply the loss"), "{message}");
    }
}

#[test]
fn nouns_follow_their_number() {
    let told = |total: usize| {
        let values: Vec<f64> = (0..total).map(|place| if place == 0 { 1.0 } else { -1.0 }).collect();
        PowerLawFit::top(&values, 2).unwrap_err().to_string()
    };
    assert_eq!(told(1), "only 1 of 1 value is positive, 2 are to be fitted; a fit needs at least 2");
    assert_eq!(told(3), "only 1 of 3 values are positive, 2 are to be fitted; a fit needs at least 2");
    let error = AnalysisError::TooFewPositive { positive: 4, total: 9, k: 5 }.to_string();
    assert!(error.ends_with("; lower K to at most 4"), "{error}");
    let error = AnalysisError::TooFewValues { n: 1, needed: 8 }.to_string();
    assert_eq!(error, "the sample has 1 value; the test needs at least 8");
}

#[test]
fn a_stored_spectrum_without_a_floor_has_none() {
    let stored: Spectrum = serde_json::from_str(r#"{"eigenvalues": [2.0, 1.0]}"#).unwrap();
    assert_eq!(stored, Spectrum::new(vec![1.0, 2.0]).unwrap());
    let spectrum = stored.with_error(1.5);
    let json = serde_json::to_string(&spectrum).unwrap();
    assert_eq!(serde_json::from_str::<Spectrum>(&json).unwrap(), spectrum);
}

/// A matrix of three parameters has two eigengaps; among five iterations its Gram matrix has two eigenvalues of zero beside.
#[test]
fn n_eigenvalues_have_one_gap_less() {
    let spectrum = Spectrum::new(vec![7.0, 4.0, 2.0, 0.0, 0.0]).unwrap();
    assert_eq!(spectrum.fitted_eigengaps(EigengapReading::Sorted), [3.0, 2.0, 2.0]);
    for spectrum in [spectrum.clone().of_parameters(3), spectrum.of_parameters(3).scaled(0).unwrap()] {
        assert_eq!(spectrum.fitted_eigengaps(EigengapReading::ByRank), [3.0, 2.0]);
        assert!(spectrum.top_eigengaps(3, EigengapReading::Sorted).is_err());
    }
}

#[test]
fn eigenvalues_that_are_equal_but_for_rounding_have_no_exponent() {
    let nearly = |k: i32| 1.0 + f64::from(k) * f64::EPSILON;
    let spectrum = Spectrum::new((0..6).map(nearly).chain([0.25]).collect()).unwrap().with_error(8.0 * f64::EPSILON);
    let refused = spectrum.top_eigenvalues(6).unwrap_err();
    assert!(matches!(refused, AnalysisError::AllEqual { k: 6, .. }), "{refused}");
    assert_eq!(spectrum.top_eigenvalues(7).unwrap().len(), 7);
}
