//! Every result is equivariant to the last bit under powers of two.

use faer::Mat;
use gradspectra_analysis::{
    Alternative, AnalysisError, EntryTestConfig, EntryTests, KsTest, LikelihoodRatio, MonteCarloTest, NormalityTest,
    PowerLawFit, Spectrum, XMinScan, symmetric_eigenvalues,
};
use proptest::prelude::*;

/// Positive values over a few magnitudes.
fn positive() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-6.0f64..6.0).prop_map(f64::exp2), 12..60)
}

fn scaled(values: &[f64], exponent: i32) -> Vec<f64> {
    values.iter().map(|value| value * 2f64.powi(exponent)).collect()
}

fn symmetric(entries: &[f64], order: usize) -> Mat<f64> {
    Mat::from_fn(order, order, |row, column| entries[row.max(column) * (row.max(column) + 1) / 2 + row.min(column)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fits_do_not_feel_powers_of_two(values in positive(), exponent in -1000i32..=1000) {
        let moved = scaled(&values, exponent);
        let k = values.len() - 3;
        let (plain, fit) = (PowerLawFit::top(&values, k).unwrap(), PowerLawFit::top(&moved, k).unwrap());
        prop_assert_eq!((plain.beta(), plain.ks(), KsTest::of(&plain)), (fit.beta(), fit.ks(), KsTest::of(&fit)));
        prop_assert_eq!(plain.lambda_min() * 2f64.powi(exponent), fit.lambda_min());
        prop_assert_eq!(MonteCarloTest::of(&plain, 19, 1), MonteCarloTest::of(&fit, 19, 1));
        for alternative in Alternative::ALL {
            let plain = LikelihoodRatio::top(&values, k, alternative).unwrap();
            let ratio = LikelihoodRatio::top(&moved, k, alternative).unwrap();
            prop_assert_eq!((plain.ratio, plain.p_value), (ratio.ratio, ratio.p_value));
            let shift = k as f64 * f64::from(exponent) * std::f64::consts::LN_2;
            prop_assert!((plain.power_law - shift - ratio.power_law).abs() < 1e-10 * (1.0 + shift.abs()));
        }
        let (plain, scan) = (XMinScan::of(&values).unwrap(), XMinScan::of(&moved).unwrap());
        prop_assert_eq!((plain.chosen().beta(), plain.chosen().ks()), (scan.chosen().beta(), scan.chosen().ks()));
    }

    #[test]
    fn tests_of_entries_do_not_feel_powers_of_two(
        values in prop::collection::vec(-8.0f64..8.0, 40..200),
        exponent in -1000i32..=1000,
    ) {
        let moved = scaled(&values, exponent);
        prop_assert_eq!(NormalityTest::of(&values), NormalityTest::of(&moved));
        let tests = |sample: &[f64]| {
            let mut tests = EntryTests::new(EntryTestConfig { keep: true, ..EntryTestConfig::new(20, 3) }).unwrap();
            tests.sample(sample).unwrap();
            tests.kept().to_vec()
        };
        prop_assert_eq!(tests(&values), tests(&moved));
    }

    #[test]
    fn spectra_scale_with_their_matrix(
        (order, entries) in (1usize..40).prop_flat_map(|order| {
            (Just(order), prop::collection::vec(-8.0f64..8.0, order * (order + 1) / 2))
        }),
        exponent in -1000i32..=1000,
    ) {
        let matrix = symmetric(&entries, order);
        let moved = symmetric(&scaled(&entries, exponent), order);
        let values = symmetric_eigenvalues(matrix.as_ref()).unwrap();
        prop_assert_eq!(symmetric_eigenvalues(moved.as_ref()).unwrap(), scaled(&values, exponent));
        // Below, eigenvalues that are rounding are subnormal, and divided by T round twice.
        let exponent = exponent.max(-900);
        let moved = symmetric(&scaled(&entries, exponent), order);
        let (plain, spectrum) = (Spectrum::of_gram(matrix.as_ref()).unwrap(), Spectrum::of_gram(moved.as_ref()).unwrap());
        prop_assert_eq!(plain.rank(), spectrum.rank());
        prop_assert_eq!(plain.floor() * 2f64.powi(exponent), spectrum.floor());
        prop_assert_eq!(plain.clone().scaled(exponent).unwrap(), spectrum);
    }

    #[test]
    fn summaries_do_not_feel_powers_of_two(values in positive(), exponent in -1000i32..=1000) {
        let (plain, spectrum) = (Spectrum::new(values.clone()).unwrap(), Spectrum::new(scaled(&values, exponent)).unwrap());
        prop_assert_eq!(plain.trace() * 2f64.powi(exponent), spectrum.trace());
        prop_assert_eq!(plain.trace_share(3), spectrum.trace_share(3));
        prop_assert_eq!(plain.effective_rank(), spectrum.effective_rank());
        prop_assert_eq!(plain.participation_ratio(), spectrum.participation_ratio());
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let expected = values.iter().sum::<f64>().powi(2) / squares;
        prop_assert!((plain.participation_ratio().unwrap() / expected - 1.0).abs() < 1e-12);
    }
}

/// Values of 1e-300 and 1e300 in one sample, too: ratios beyond the range are taken by parts.
#[test]
fn samples_over_the_whole_range_keep_their_bits() {
    let values: Vec<f64> = (-20..=20).map(|step| 2f64.powi(37 * step) * (1.0 + f64::from(step).abs() / 64.0)).collect();
    let fits: Vec<(f64, f64)> = [-250, 0, 250]
        .map(|exponent| {
            let fit = PowerLawFit::top(&scaled(&values, exponent), values.len()).unwrap();
            (fit.beta(), fit.ks().two_sided)
        })
        .to_vec();
    assert_eq!([fits[0], fits[2]], [fits[1]; 2]);
    let mut tests = EntryTests::new(EntryTestConfig { keep: true, ..EntryTestConfig::new(values.len(), 1) }).unwrap();
    tests.sample(&values).unwrap();
    assert_eq!(tests.kept()[0].ks.unwrap().two_sided, fits[1].1);
}

#[test]
fn summaries_hold_where_squares_leave_the_range() {
    for scale in [1e-300, 1e-170, 1.0, 1e170, 1e300] {
        let spectrum = Spectrum::new(vec![3.0 * scale, scale, 0.0]).unwrap();
        assert!((spectrum.participation_ratio().unwrap() - 1.6).abs() < 1e-14, "{scale}");
        // exp(ln 4 − ¾ ln 3)
        assert!((spectrum.effective_rank().unwrap() - 1.754_765_350_603_323_2).abs() < 1e-14, "{scale}");
    }
    let lone = Spectrum::new(vec![1e300, 5e-324]).unwrap();
    assert_eq!((lone.effective_rank(), lone.participation_ratio()), (Some(1.0), Some(1.0)));
}

#[test]
fn eigenvalues_that_leave_the_range_are_told() {
    let spectrum = Spectrum::new(vec![8.0, 1.0, 0.0]).unwrap().with_error(1e-3);
    assert_eq!(spectrum.clone().scaled(1020).unwrap().eigenvalues()[0], 2f64.powi(1023));
    assert_eq!(spectrum.clone().scaled(1021), Err(AnalysisError::OutOfRange { exponent: 1024 }));
    assert_eq!(spectrum.clone().scaled(-1022).unwrap().eigenvalues()[1], f64::MIN_POSITIVE);
    let error = spectrum.scaled(-1100).unwrap_err();
    assert_eq!(error, AnalysisError::OutOfRange { exponent: -1100 });
    assert_eq!(
        error.to_string(),
        "an eigenvalue, or the sum of all, of about 1e-331 leaves the range of f64; multiply the gradients that it \
         is formed of by 1e166, or the matrix twice by as much"
    );
    // Rounding beyond the rank may become subnormal or zero.
    let noisy = Spectrum::new(vec![1.0, 1e-17]).unwrap().with_error(1e-15).scaled(-1022).unwrap();
    assert_eq!((noisy.rank(), noisy.eigenvalues()[0]), (1, f64::MIN_POSITIVE));
    assert_eq!(Spectrum::new(vec![f64::MAX; 2]), Err(AnalysisError::OutOfRange { exponent: 1024 }));
    let overflowing = Mat::full(2, 2, f64::MAX);
    assert!(matches!(symmetric_eigenvalues(overflowing.as_ref()), Err(AnalysisError::OutOfRange { exponent: 1024 })));
}

/// Gradients of 1e-320 and of 1e307 with their eigenvalues: what is to be done is of numbers that f64 holds, and does it.
#[test]
fn what_brings_eigenvalues_into_the_range_is_itself_within_it() {
    for (exponent, verb, sign) in [(-2126, "multiply", 1.0), (2046, "divide", -1.0), (1030, "divide", -1.0)] {
        let message = AnalysisError::OutOfRange { exponent }.to_string();
        let (_, told) = message.split_once(&format!("; {verb} the gradients that it is formed of by ")).unwrap();
        let factor: f64 = told.split(',').next().unwrap().parse().unwrap();
        assert!(factor.is_normal(), "{message}");
        let moved = f64::from(exponent) + sign * 2.0 * factor.log2();
        assert!(moved.abs() < 1000.0, "{message}: 2^{moved}");
    }
}
