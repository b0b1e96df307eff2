//! Tests of gradient entries against fits and tests of single samples, and their invariances.

use faer::Mat;
use gradspectra_analysis::{
    AllZeroReading, AnalysisError, DrawReading, EntryTest, EntryTestConfig, EntryTestSummary, EntryTests, KsTest,
    NormalityTest, PowerLawFit, UndefinedPReading, ZeroReading,
};
use proptest::prelude::*;
use proptest::test_runner::RngAlgorithm;
use rand_chacha::rand_core::Rng;

/// Absolute agreement of distances and p-values with those of single samples.
const CLOSE: f64 = 1e-9;
const K: usize = 20;

fn config() -> EntryTestConfig {
    EntryTestConfig { keep: true, ..EntryTestConfig::new(K, 7) }
}

fn tests_of_columns(config: EntryTestConfig, matrix: &Mat<f32>) -> EntryTests {
    let mut tests = EntryTests::new(config).unwrap();
    tests.columns(matrix.as_ref()).unwrap();
    tests
}

fn one(config: EntryTestConfig, sample: &[f32]) -> (EntryTest, EntryTestSummary) {
    let mut tests = EntryTests::new(config).unwrap();
    tests.sample(sample).unwrap();
    (tests.kept()[0], tests.summary())
}

fn on_threads<R: Send>(threads: usize, run: impl Fn() -> R + Send + Sync) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

fn reference(sample: &[f32]) -> PowerLawFit {
    let absolute: Vec<f64> = sample.iter().map(|&entry| f64::from(entry).abs()).collect();
    PowerLawFit::top(&absolute, K.min(absolute.iter().filter(|&&value| value > 0.0).count())).unwrap()
}

/// Entries of both signs over many magnitudes, with ties; some zero, of either sign.
fn entry() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-40.0f32..40.0).prop_map(|exponent| exponent.exp2().copysign(exponent)),
        2 => (-8i8..=8).prop_map(f32::from),
        1 => prop::sample::select(vec![0.0f32, -0.0, f32::MAX, f32::MIN_POSITIVE, 1e-45]),
    ]
}

fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Mat<f32>> {
    prop::collection::vec(entry(), rows * columns)
        .prop_map(move |entries| Mat::from_fn(rows, columns, |row, column| entries[column * rows + row]))
}

#[test]
fn zeros_stay_in_the_empirical_cdf_or_are_dropped() {
    let mut sample = [0.0f32; 60];
    for (rank, entry) in sample[10..15].iter_mut().enumerate() {
        *entry = -((rank + 1) as f32);
    }
    let dropped = reference(&sample);
    let (test, summary) = one(EntryTestConfig { zeros: ZeroReading::Dropped, ..config() }, &sample);
    assert!((test.ks.unwrap().two_sided - dropped.ks().two_sided).abs() < CLOSE);
    assert_eq!(test.d_c, KsTest::critical_distance(5));
    assert_eq!((test.positive, summary.fewer_than_k, summary.all_zero), (5, 1, 0));

    let (test, _) = one(config(), &sample);
    let ks = test.ks.unwrap();
    let mut expected = (0.0f64, 0.75f64);
    for rank in 1..=5 {
        let fitted = 1.0 - (rank as f64).powf(1.0 - dropped.beta());
        expected.0 = expected.0.max(((14 + rank) as f64 / 20.0 - fitted).abs());
        expected.1 = expected.1.max(((15 + rank) as f64 / 20.0 - fitted).abs());
    }
    assert!((ks.below - expected.0).abs() < CLOSE && (ks.up_to - expected.1).abs() < CLOSE);
    assert_eq!(ks.two_sided, ks.below.max(ks.up_to));
    assert_eq!(test.d_c, KsTest::critical_distance(K));
    assert_eq!(test.is_power_law(), Some(false));
}

#[test]
fn an_all_zero_sample_is_left_out_or_rejected() {
    let (test, summary) = one(config(), &[0.0; 40]);
    assert_eq!((test.positive, test.ks, test.p_value), (0, None, None));
    assert_eq!((summary.samples, summary.all_zero, summary.fewer_than_k, summary.undefined_p), (1, 1, 0, 1));
    assert_eq!((summary.mean_ks, summary.power_law_rate), (None, None));
    assert_eq!((summary.mean_p_value, summary.gaussian_rate), (None, Some(0.0)));

    let other =
        EntryTestConfig { all_zero: AllZeroReading::Rejected, undefined_p: UndefinedPReading::LeftOut, ..config() };
    let (_, summary) = one(other, &[-0.0; 40]);
    assert_eq!(summary.mean_ks.unwrap().two_sided, 1.0);
    assert_eq!((summary.power_law_rate, summary.gaussian_rate), (Some(0.0), None));
}

#[test]
fn a_constant_sample_is_no_power_law_and_not_gaussian() {
    for sample in [[0.3; 40], [-0.3; 40]] {
        let (test, summary) = one(config(), &sample);
        assert_eq!((test.ks.unwrap().two_sided, test.p_value), (1.0, None));
        assert_eq!((summary.power_law_rate, summary.gaussian_rate), (Some(0.0), Some(0.0)));
        assert_eq!((summary.fewer_than_k, summary.undefined_p), (0, 1));
    }
    let mut single = [0.0; 40];
    single[3] = 2.0;
    let ks = one(config(), &single).0.ks.unwrap();
    assert_eq!((ks.two_sided, ks.below, ks.up_to), (1.0, 0.95, 1.0));
}

#[test]
fn one_positive_entry_is_no_power_law_though_d_c_is_above_1() {
    let mut single = [0.0; 40];
    single[3] = 2.0;
    let (test, summary) = one(EntryTestConfig { zeros: ZeroReading::Dropped, ..config() }, &single);
    assert!(test.ks.unwrap().two_sided < test.d_c, "{test:?}");
    assert_eq!((test.is_power_law(), summary.power_law_rate), (Some(false), Some(0.0)));
}

#[test]
fn unfit_input_is_refused_and_not_counted() {
    use AnalysisError::*;
    assert!(matches!(EntryTests::new(EntryTestConfig::new(1, 0)), Err(TooSmallK { k: 1 })));
    let mut tests = EntryTests::new(config()).unwrap();
    tests.sample(&[1.5; 40]).unwrap();
    let before = tests.summary();
    for n in [0, 1, 7] {
        assert_eq!(tests.sample(&vec![1.0; n]), Err(TooFewValues { n, needed: K }));
    }
    for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut block = Mat::from_fn(30, 300, |row, column| (row * column) as f32);
        block[(9, 250)] = value;
        block[(4, 299)] = value;
        let columns = tests.columns(block.as_ref()).unwrap_err();
        assert!(matches!(columns, EntryNotFinite { sample: 251, index: 9, .. }), "{columns}");
        let rows = tests.rows(block.as_ref()).unwrap_err();
        assert!(matches!(rows, EntryNotFinite { sample: 5, index: 299, .. }), "{rows}");
    }
    assert_eq!((tests.summary(), tests.kept().len()), (before, 1));
    tests.columns(Mat::<f32>::zeros(30, 0).as_ref()).unwrap();
    tests.columns(Mat::<f32>::zeros(0, 0).as_ref()).unwrap();
    assert_eq!(tests.summary(), before);
    assert_eq!(EntryTests::new(config()).unwrap().summary().gaussian_rate, None);
}

#[test]
fn few_entries_have_no_p_value_and_all_are_drawn_up_to_the_limit() {
    let small = EntryTestConfig { k: 2, keep: true, ..EntryTestConfig::new(2, 0) };
    let sample: Vec<f32> = (0..100).map(|index| (index as f32).sin()).collect();
    assert_eq!(one(small, &sample[..7]).0.p_value, None);
    for n in [8, 99, 100] {
        let whole: Vec<f64> = sample[..n].iter().copied().map(f64::from).collect();
        let p_value = one(small, &sample[..n]).0.p_value.unwrap();
        assert!((p_value - NormalityTest::of(&whole).unwrap().p_value).abs() < CLOSE, "{n}");
    }
}

#[test]
fn draws_differ_by_sample_unless_shared() {
    let matrix = Mat::from_fn(500, 4, |row, _| (row as f32).sin());
    let p_values = |draws| -> Vec<f64> {
        let tests = tests_of_columns(EntryTestConfig { draws, ..config() }, &matrix);
        tests.kept().iter().map(|test| test.p_value.unwrap()).collect()
    };
    let shared = p_values(DrawReading::Shared);
    assert!(shared.iter().all(|&p_value| p_value == shared[0]));
    let own = p_values(DrawReading::PerSample);
    assert!(own[1..].iter().all(|&p_value| p_value != own[0]));
}

/// Pure Gaussian rows of Table 3's size: d_ks is .140 and 1.15% are power laws at T = 500, .416 and none at T = 200.
#[test]
fn gaussian_rows_have_the_distances_of_simulations() {
    for (t, distance, rate) in [(500, 0.1400, 0.0115), (200, 0.4155, 0.0)] {
        let mut rng = proptest::test_runner::TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2f64.powi(32);
        let mut normal = || ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32;
        let rows = Mat::from_fn(4000, t, |_, _| normal());
        let mut tests = EntryTests::new(EntryTestConfig::new(200, 7)).unwrap();
        tests.rows(rows.as_ref()).unwrap();
        let summary = tests.summary();
        assert!((summary.mean_ks.unwrap().two_sided - distance).abs() < 0.002, "{t}: {summary:?}");
        assert!((summary.power_law_rate.unwrap() - rate).abs() < 0.006, "{t}: {summary:?}");
        assert!((summary.gaussian_rate.unwrap() - 0.943).abs() < 0.015, "{t}: {summary:?}");
        assert!((summary.mean_p_value.unwrap() - 0.505).abs() < 0.02, "{t}: {summary:?}");
    }
}

/// Noise far below the ulp of single precision beside 1; scipy 1.17.1 accepts 92 to 94% of such samples in doubles.
#[test]
fn double_entries_are_tested_in_their_precision() {
    let mut rng = proptest::test_runner::TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2f64.powi(32);
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let noise = Mat::from_fn(400, 1000, |_, _| normal());
    let summary = |matrix: &Mat<f64>| {
        let mut tests = EntryTests::new(config()).unwrap();
        tests.columns(matrix.as_ref()).unwrap();
        let p_values: Vec<f64> = tests.kept().iter().map(|test| test.p_value.unwrap()).collect();
        (tests.summary(), p_values, tests.kept()[0].ks.unwrap())
    };
    let offset = Mat::from_fn(400, 1000, |row, column| 1.0 + 1e-8 * noise[(row, column)]);
    let ((plain, plain_p, _), (shifted, shifted_p, ks)) = (summary(&noise), summary(&offset));
    assert!((0.92..=0.95).contains(&shifted.gaussian_rate.unwrap()), "{shifted:?}");
    assert!((plain.gaussian_rate.unwrap() - shifted.gaussian_rate.unwrap()).abs() <= 0.001);
    assert!(plain_p.iter().zip(&shifted_p).all(|(plain, shifted)| (plain - shifted).abs() < 1e-6));
    let fit = PowerLawFit::top(offset.col_as_slice(0), K).unwrap();
    assert_eq!((fit.ks(), shifted.undefined_p), (ks, 0));

    let single = Mat::from_fn(400, 1000, |row, column| noise[(row, column)] as f32);
    let double = Mat::from_fn(400, 1000, |row, column| f64::from(single[(row, column)]));
    assert_eq!(summary(&double).0, tests_of_columns(config(), &single).summary());
    for scale in [1e-300, 1e300] {
        let scaled = Mat::from_fn(400, 1000, |row, column| scale * noise[(row, column)]);
        let (scaled, scaled_p, _) = summary(&scaled);
        assert_eq!((scaled.power_law_rate, scaled.gaussian_rate), (plain.power_law_rate, plain.gaussian_rate));
        assert!(plain_p.iter().zip(&scaled_p).all(|(plain, scaled)| (plain - scaled).abs() < 1e-9), "{scale}");
    }
    let mut block = noise;
    block[(9, 250)] = f64::NEG_INFINITY;
    let refused = EntryTests::new(config()).unwrap().columns(block.as_ref()).unwrap_err();
    assert_eq!(refused.to_string(), "entry 9 of sample 250 is -inf; every entry must be finite");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn distances_agree_with_single_fits(matrix in matrix(70, 5)) {
        let tests = tests_of_columns(EntryTestConfig { zeros: ZeroReading::Dropped, ..config() }, &matrix);
        for (column, test) in tests.kept().iter().enumerate() {
            let (fit, ks) = (reference(matrix.col_as_slice(column)), test.ks.unwrap());
            prop_assert_eq!(fit.k(), test.positive);
            prop_assert!((fit.ks().two_sided - ks.two_sided).abs() < CLOSE);
            prop_assert!((fit.ks().below - ks.below).abs() < CLOSE);
            prop_assert!((fit.ks().up_to - ks.up_to).abs() < CLOSE);
            prop_assert_eq!(test.is_power_law(), Some(KsTest::of(&fit).is_power_law()));
            let whole: Vec<f64> = matrix.col_as_slice(column).iter().copied().map(f64::from).collect();
            let expected = NormalityTest::of(&whole).unwrap();
            prop_assert!((expected.p_value - test.p_value.unwrap()).abs() < CLOSE);
        }
    }

    #[test]
    fn scaling_leaves_the_tests_unchanged(
        exponents in prop::collection::vec(-20.0f32..20.0, 200),
        power in -30i32..30,
    ) {
        let sample: Vec<f32> = exponents.iter().map(|exponent| exponent.exp2().copysign(*exponent)).collect();
        let scaled: Vec<f32> = sample.iter().map(|entry| entry * 2f32.powi(power)).collect();
        prop_assert_eq!(one(config(), &sample).0, one(config(), &scaled).0);
    }

    #[test]
    fn order_leaves_the_distances_unchanged(
        (sample, shuffled) in prop::collection::vec(entry(), 200)
            .prop_flat_map(|sample| (Just(sample.clone()), Just(sample).prop_shuffle())),
    ) {
        prop_assert_eq!(one(config(), &sample).0.ks, one(config(), &shuffled).0.ks);
    }

    #[test]
    fn rows_are_the_columns_of_the_transpose(matrix in matrix(37, 150)) {
        let mut rows = EntryTests::new(config()).unwrap();
        rows.rows(matrix.as_ref()).unwrap();
        let columns = tests_of_columns(config(), &matrix.transpose().to_owned());
        prop_assert_eq!(rows.kept(), columns.kept());
        prop_assert_eq!(rows.summary(), columns.summary());
    }

    #[test]
    fn doubles_are_tested_as_the_singles_that_they_equal(matrix in matrix(90, 9)) {
        let double = Mat::from_fn(90, 9, |row, column| f64::from(matrix[(row, column)]));
        let mut tests = EntryTests::new(config()).unwrap();
        tests.columns(double.as_ref()).unwrap();
        let singles = tests_of_columns(config(), &matrix);
        prop_assert_eq!(tests.kept(), singles.kept());
    }

    #[test]
    fn blocks_and_threads_do_not_matter(matrix in matrix(40, 300), at in 0usize..300) {
        let whole = on_threads(1, || tests_of_columns(config(), &matrix));
        for threads in [2, 8] {
            let parts = on_threads(threads, || {
                let mut parts = EntryTests::new(config()).unwrap();
                let (left, right) = matrix.as_ref().split_at_col(at);
                parts.columns(left).unwrap();
                parts.columns(right).unwrap();
                parts
            });
            prop_assert_eq!(whole.kept(), parts.kept());
            prop_assert_eq!(whole.summary(), parts.summary());
        }
    }
}
