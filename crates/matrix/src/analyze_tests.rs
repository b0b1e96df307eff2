use gradspectra_run::Verbosity;
use safetensors::tensor::{Dtype, TensorView};

use super::*;

const PARAMETERS: usize = 60;
const ITERATIONS: usize = 40;

/// A heavy-tailed G without randomness.
fn entry(row: usize, t: usize) -> f64 {
    let angle = (row * 37 + t * 101) as f64;
    (angle.sin() + 0.1 * (angle * 0.7).cos()) * ((row + 1) as f64).powf(-0.8)
}

fn options(orientation: Orientation, memory: u64) -> AnalyzeOptions {
    let reporter = Reporter::new(Verbosity::Quiet);
    AnalyzeOptions { orientation, tensor: None, top: Some(20), seed: 3, memory, out: None, replace: false, reporter }
}

/// An `.npy` of the values in their order.
fn npy_file(folder: &Path, name: &str, dtype: &str, shape: [usize; 2], fortran: bool, data: &[u8]) -> PathBuf {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({}, {}), }}", shape[0], shape[1]);
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("temporary file");
    path
}

/// The bytes of G, the entries of one parameter after the other, or of one iteration.
fn stored(by_parameter: bool, double: bool) -> Vec<u8> {
    let place = |index: usize| match by_parameter {
        true => (index / ITERATIONS, index % ITERATIONS),
        false => (index % PARAMETERS, index / PARAMETERS),
    };
    let values = (0..PARAMETERS * ITERATIONS).map(place).map(|(row, t)| entry(row, t));
    match double {
        true => values.flat_map(f64::to_le_bytes).collect(),
        false => values.flat_map(|value| (value as f32).to_le_bytes()).collect(),
    }
}

#[test]
fn every_storage_of_one_matrix_gives_one_analysis() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (n, t) = (PARAMETERS, ITERATIONS);
    let by_rows = Orientation::ParametersByIterations;
    let by_columns = Orientation::IterationsByParameters;
    let mut reports = Vec::new();
    for (name, shape, fortran, orientation) in [
        ("a.npy", [n, t], false, by_rows),
        ("b.npy", [n, t], true, by_rows),
        ("c.npy", [t, n], false, by_columns),
        ("d.npy", [t, n], true, by_columns),
    ] {
        let by_parameter = fortran != (orientation == by_rows);
        let path = npy_file(folder.path(), name, "<f4", shape, fortran, &stored(by_parameter, false));
        let least = least_memory(&path, orientation);
        for memory in [1 << 30, least] {
            reports.push((name, memory, analyze(&path, &options(orientation, memory)).expect("a sound file")));
        }
    }
    let path = folder.path().join("e.safetensors");
    let data = stored(false, false);
    let tensor = TensorView::new(Dtype::F32, vec![t, n], &data).expect("fits");
    safetensors::serialize_to_file([("gradients", tensor)], None, &path).expect("temporary file");
    reports.push(("e", 1 << 30, analyze(&path, &options(by_columns, 1 << 30)).expect("a sound file")));
    for (name, memory, report) in &reports[1..] {
        assert_eq!(report, &reports[0].2, "{name} with {memory} bytes");
    }
}

/// The least memory that `analyze` does not refuse.
fn least_memory(path: &Path, orientation: Orientation) -> u64 {
    let (mut refused, mut enough) = (1_u64, 1 << 30);
    while enough - refused > 1 {
        let middle = refused.midpoint(enough);
        match analyze(path, &options(orientation, middle)) {
            Ok(_) => enough = middle,
            Err(Error::Setting { name: "the memory", .. }) => refused = middle,
            Err(other) => panic!("{other}"),
        }
    }
    enough
}

#[test]
fn double_precision_is_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = npy_file(folder.path(), "g.npy", "<f8", [PARAMETERS, ITERATIONS], false, &stored(true, true));
    let mut options = options(Orientation::ParametersByIterations, 1 << 30);
    options.out = Some(folder.path().join("out"));
    analyze(&path, &options).expect("a sound file");
    let eigenvalues = npy::values(&folder.path().join("out/second-moment.npy")).expect("written");
    let g = nalgebra::DMatrix::from_fn(PARAMETERS, ITERATIONS, entry);
    let mut reference: Vec<f64> = g.singular_values().iter().map(|s| s * s / ITERATIONS as f64).collect();
    reference.sort_by(|a, b| b.total_cmp(a));
    for (ours, theirs) in eigenvalues.iter().zip(&reference) {
        assert!((ours - theirs).abs() < 1e-13 * reference[0], "{ours} is not {theirs}");
    }
    assert!(folder.path().join("out/analysis.json").is_file());
}

#[test]
fn what_is_no_matrix_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let good = stored(true, false);
    let nan = [f32::NAN.to_le_bytes().as_slice(), &good[4..]].concat();
    for (name, dtype, shape, data, expected) in [
        ("short.npy", "<f4", [PARAMETERS, ITERATIONS], &good[..100], "bytes for"),
        ("bools.npy", "|b1", [PARAMETERS, ITERATIONS], &good[..], "numbers of type"),
        ("one.npy", "<f4", [PARAMETERS, 1], &good[..4 * PARAMETERS], "1 iteration; expected at least 2 and 3"),
        ("nan.npy", "<f4", [PARAMETERS, ITERATIONS], &nan[..], "finite"),
        ("huge.npy", "<f4", [usize::MAX, 16], &good[..], "bytes for"),
    ] {
        let path = npy_file(folder.path(), name, dtype, shape, false, data);
        let error = analyze(&path, &options(Orientation::ParametersByIterations, 1 << 30)).expect_err(name);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let path = folder.path().join("none.safetensors");
    for bytes in [&b""[..], b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\x02\0\0\0\0\0\0\0{}", b"\x09\0\0\0\0\0\0\0{}"] {
        std::fs::write(&path, bytes).expect("temporary file");
        analyze(&path, &options(Orientation::default(), 1 << 30)).expect_err("no tensor");
    }
}

/// A number in [−0.5, 0.5) that is as good as random, the same in any language: splitmix64's finaliser.
fn hashed(a: usize, b: usize) -> f64 {
    let hash = (a as u64 * 1_000_003 + b as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (hash >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

const WIDE: [usize; 2] = [120, 400];

/// A matrix of rank 50: the sum over r of u_r v_rᵀ/(r + 1).
fn of_rank_50() -> Vec<f64> {
    let entry = |index: usize| {
        let (row, t) = (index / WIDE[1], index % WIDE[1]);
        (0..50).map(|r| hashed(r, row) * hashed(r + 1000, t) / (r + 1) as f64).sum()
    };
    (0..WIDE[0] * WIDE[1]).map(entry).collect()
}

fn analysed(name: &str, dtype: &str, shape: [usize; 2], data: &[u8], top: Option<usize>) -> MatrixReport {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = npy_file(folder.path(), name, dtype, shape, false, data);
    let options = AnalyzeOptions { top, ..options(Orientation::ParametersByIterations, 1 << 30) };
    analyze(&path, &options).expect("a sound file")
}

fn law(fitted: &Fitted) -> &PowerLawReport {
    match fitted {
        Fitted::PowerLaw(report) => report,
        Fitted::Unfit(reason) => panic!("{reason}"),
    }
}

/// s = 2.838132218558 through the 50 eigenvalues by NumPy 2, in float64, from singular values of the centred matrix.
#[test]
fn a_fit_ends_where_the_rank_does() {
    let numbers = of_rank_50();
    let double: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let single: Vec<u8> = numbers.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
    for (dtype, data, tolerance) in [("<f8", &double, 1e-9), ("<f4", &single, 1e-6)] {
        let report = analysed("g.npy", dtype, WIDE, data, None);
        assert_eq!(report.covariance.spectrum.rank, Some(50), "{dtype}");
        let law = law(&report.covariance.eigenvalues);
        assert_eq!(law.fit.k(), 50);
        assert!((law.s - 2.838_132_218_558).abs() < tolerance, "{dtype}: {}", law.s);
        assert_eq!(self::law(&report.covariance.eigengaps).fit.k(), 50);
        let refused = analysed("g.npy", dtype, WIDE, data, Some(100));
        let Fitted::Unfit(reason) = &refused.covariance.eigenvalues else { panic!("{refused}") };
        assert!(
            reason.contains("K is 100") && reason.contains("rank is 50") && reason.contains("at most 50"),
            "{reason}"
        );
        assert!(refused.to_string().contains("rank 50 of 400"), "{refused}");
        assert!((refused.norm_of_mean - 0.048_598_077_942).abs() < 1e-8, "{}", refused.norm_of_mean);
    }
    let rank_1: Vec<u8> = (0..WIDE[0] * WIDE[1])
        .flat_map(|index| (hashed(0, index / WIDE[1]) * hashed(1000, index % WIDE[1])).to_le_bytes())
        .collect();
    let report = analysed("one.npy", "<f8", WIDE, &rank_1, None);
    for fitted in [&report.covariance.eigenvalues, &report.covariance.eigengaps, &report.second_moment.eigenvalues] {
        let Fitted::Unfit(reason) = fitted else { panic!("{report}") };
        assert!(reason.contains("no power law can be fitted to rank 1"), "{reason}");
    }
}

#[test]
fn iterations_that_are_repeated_add_no_eigenvalue_and_no_gap() {
    let [n, t] = [300, 200];
    let twice = |index: usize| hashed(index / (2 * t), index % (2 * t) % t) / (1.0 + (index / (2 * t)) as f64);
    let data: Vec<u8> = (0..n * 2 * t).flat_map(|index| twice(index).to_le_bytes()).collect();
    let report = analysed("twice.npy", "<f8", [n, 2 * t], &data, None);
    assert_eq!(report.covariance.spectrum.rank, Some(t - 1));
    let (gaps, eigenvalues) = (law(&report.covariance.eigengaps), law(&report.covariance.eigenvalues));
    assert!(gaps.fit.k() < t && eigenvalues.fit.k() == t - 1);
    assert!(gaps.s < 5.0, "{} is of rounding", gaps.s);
}

#[test]
fn a_power_of_two_moves_no_verdict_and_no_bit() {
    let numbers = of_rank_50();
    let of = |exponent: i32, double: bool| {
        let scaled = numbers.iter().map(|number| f64::from(*number as f32) * 2_f64.powi(exponent));
        match double {
            true => analysed("g.npy", "<f8", WIDE, &scaled.flat_map(f64::to_le_bytes).collect::<Vec<_>>(), None),
            false => {
                let data: Vec<u8> = scaled.flat_map(|number| (number as f32).to_le_bytes()).collect();
                analysed("g.npy", "<f4", WIDE, &data, None)
            }
        }
    };
    for (double, exponents) in [(false, [-90, -60, 60, 120]), (true, [-440, -300, 300, 480])] {
        let plain = of(0, double);
        for exponent in exponents {
            let scaled = of(exponent, double);
            let unit = 4_f64.powi(exponent);
            assert_eq!(scaled.iteration, plain.iteration, "2^{exponent}");
            assert_eq!(scaled.dimension, plain.dimension, "2^{exponent}");
            for (ours, theirs) in
                [(&scaled.covariance, &plain.covariance), (&scaled.second_moment, &plain.second_moment)]
            {
                assert_eq!(ours.spectrum.largest, theirs.spectrum.largest * unit, "2^{exponent}");
                assert_eq!(ours.spectrum.rank, theirs.spectrum.rank, "2^{exponent}");
                assert_eq!(ours.spectrum.participation_ratio, theirs.spectrum.participation_ratio, "2^{exponent}");
                let (ours, theirs) = (law(&ours.eigenvalues), law(&theirs.eigenvalues));
                assert_eq!(
                    (ours.s, ours.test, ours.monte_carlo),
                    (theirs.s, theirs.test, theirs.monte_carlo),
                    "2^{exponent}"
                );
            }
        }
    }
}

#[test]
fn eigenvalues_beyond_the_range_of_numbers_are_told_as_such() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let data: Vec<u8> = of_rank_50().iter().flat_map(|number| (number * 1e200).to_le_bytes()).collect();
    let path = npy_file(folder.path(), "large.npy", "<f8", WIDE, false, &data);
    let error = analyze(&path, &options(Orientation::ParametersByIterations, 1 << 30)).expect_err("1e400");
    assert!(error.to_string().contains("leaves the range of f64"), "{error}");
    let data: Vec<u8> = of_rank_50().iter().flat_map(|number| (number * 1e-310).to_le_bytes()).collect();
    let path = npy_file(folder.path(), "small.npy", "<f8", WIDE, false, &data);
    let error = analyze(&path, &options(Orientation::ParametersByIterations, 1 << 30)).expect_err("1e-620").to_string();
    assert!(error.contains("multiply the gradients that it is formed of by 1e300"), "{error}");
}

/// Two iterations of about ±1e9 and 58 of about 1, all of them multiples of 2⁻¹⁰: the mean norm by NumPy's longdouble. As
/// differences of inner products the small norms would be off by 1e-7.
#[test]
fn norms_of_iterations_far_smaller_than_the_mean_are_right() {
    let shape = [60, 300];
    let entry = |place: usize| {
        let (t, row) = (place / shape[1], place % shape[1]);
        let small = ((place * 7919 + 13) % 2047) as f64 / 1024.0 - 1.0;
        let large = ((row * 104_729 + 5) % 2047) as f64 / 1024.0 - 1.0;
        if t < 2 { large * if t == 0 { 1e9 } else { -1e9 } } else { small }
    };
    let data: Vec<u8> = (0..shape[0] * shape[1]).flat_map(|place| entry(place).to_le_bytes()).collect();
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = npy_file(folder.path(), "apart.npy", "<f8", shape, false, &data);
    let options = AnalyzeOptions { top: None, ..options(Orientation::IterationsByParameters, 1 << 30) };
    let report = analyze(&path, &options).expect("a matrix");
    let (mean_norm, norm_of_mean) = (333471832.2426077, 0.24352052053470122);
    assert!((report.mean_norm / mean_norm - 1.0).abs() < 1e-14, "{}", report.mean_norm);
    assert!((report.norm_of_mean / norm_of_mean - 1.0).abs() < 1e-14, "{}", report.norm_of_mean);
}

#[test]
fn gradients_of_zero_are_told_as_such() {
    let report = analysed("zeros.npy", "<f8", WIDE, &vec![0; 8 * WIDE[0] * WIDE[1]], None);
    for fitted in [&report.covariance.eigenvalues, &report.second_moment.eigengaps] {
        assert!(matches!(fitted, Fitted::Unfit(reason) if reason.contains("the gradients are all 0")), "{fitted:?}");
    }
}

/// 93.1% of 400 columns of 120 entries 1 + 1e-8·noise test as Gaussian by scipy 1.17's normaltest on float64; all draws
/// are of 100 entries, so that the share moves a little with them.
#[test]
fn entries_of_float64_are_tested_in_float64() {
    let normal =
        |index: usize| (-2.0 * (hashed(7, index) + 0.5).ln()).sqrt() * (std::f64::consts::TAU * hashed(8, index)).cos();
    let data: Vec<u8> = (0..WIDE[0] * WIDE[1]).flat_map(|index| (1.0 + 1e-8 * normal(index)).to_le_bytes()).collect();
    let report = analysed("offset.npy", "<f8", WIDE, &data, Some(50));
    let share = report.dimension.expect("120 parameters").gaussian_rate.expect("defined");
    assert!((0.90..=0.98).contains(&share), "{share}");
}

#[test]
fn more_memory_than_there_is_is_refused_before_the_work_with_the_other_orientation() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let shape = [40_000, 30];
    let data = vec![0; 8 * shape[0] * shape[1]];
    let path = npy_file(folder.path(), "tall.npy", "<f8", shape, false, &data);
    let error = analyze(&path, &options(Orientation::default(), 1_000_000_000)).expect_err("38 GB").to_string();
    for told in ["30 parameters × 40000 iterations", "GB", "--memory", "--orientation nxT"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(analyze(&path, &options(Orientation::ParametersByIterations, 1_000_000_000)).is_ok());
}

/// Below 6e-5 float16 has multiples of 6e-8 alone: what that makes of the null eigenvalues of a matrix of rank 5 is rounding.
#[test]
fn small_numbers_of_half_precision_have_the_rank_of_large_ones() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (iterations, parameters, rank) = (60, 200, 5);
    let noise = |seed: usize| {
        let hash = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (hash >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let entry = |t: usize, row: usize| -> f64 {
        (0..rank).map(|k| noise(t * rank + k) * noise(100_000 + row * rank + k)).sum()
    };
    let half = |scale: f64| -> Vec<u8> {
        let values = (0..iterations * parameters).map(|place| entry(place / parameters, place % parameters) * scale);
        values.flat_map(|value| half::f16::from_f64(value).to_le_bytes()).collect()
    };
    let single = |scale: f64| -> Vec<u8> {
        let values = (0..iterations * parameters).map(|place| entry(place / parameters, place % parameters) * scale);
        values.flat_map(|value| (value as f32).to_le_bytes()).collect()
    };
    for (dtype, scale, data) in [
        ("<f2", 1.0, half(1.0)),
        ("<f2", 1e-3, half(1e-3)),
        ("<f2", 1e-5, half(1e-5)),
        ("<f4", 1.0, single(1.0)),
        ("<f4", 1e-41, single(1e-41)),
    ] {
        let path = npy_file(folder.path(), "g.npy", dtype, [iterations, parameters], false, &data);
        let options = AnalyzeOptions { top: None, ..options(Orientation::IterationsByParameters, u64::MAX) };
        let report = analyze(&path, &options).expect("a matrix");
        assert_eq!(report.covariance.spectrum.rank, Some(rank), "{dtype} at {scale}");
    }
}

/// G = Q diag(s) Pᵀ, whose singular values come in equal pairs: 59 gaps are the matrix's, 60 are rounding. From float64 it is
/// NumPy that says so (median of the pairs' gaps 1.5e-19, in float32 1.5e-12).
#[test]
fn gaps_of_equal_eigenvalues_are_rounding_in_every_kind_of_number() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (iterations, parameters) = (120, 300);
    let basis = |rows: usize, seed: usize| {
        let noise = faer::Mat::<f64>::from_fn(rows, iterations, |row, column| {
            let hash = ((seed + row * 1000 + column) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (hash >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        });
        noise.qr().compute_thin_Q()
    };
    let (left, right) = (basis(iterations, 7), basis(parameters, 1_000_000));
    let scaled = faer::Mat::from_fn(iterations, iterations, |t, k| left[(t, k)] * ((k / 2 + 1) as f64).powf(-0.6));
    let g = scaled * right.transpose();
    let entries = || (0..iterations * parameters).map(|place| g[(place / parameters, place % parameters)]);
    let double: Vec<u8> = entries().flat_map(f64::to_le_bytes).collect();
    let single: Vec<u8> = entries().flat_map(|value| (value as f32).to_le_bytes()).collect();
    let half: Vec<u8> = entries().flat_map(|value| half::f16::from_f64(value).to_le_bytes()).collect();
    let of_kind = |dtype, data: &[u8]| {
        let path = npy_file(folder.path(), "g.npy", dtype, [iterations, parameters], false, data);
        let options = AnalyzeOptions { top: None, ..options(Orientation::IterationsByParameters, u64::MAX) };
        match analyze(&path, &options).expect("a matrix").second_moment.eigengaps {
            Fitted::PowerLaw(law) => (law.fit.k(), law.s),
            Fitted::Unfit(reason) => panic!("{dtype}: {reason}"),
        }
    };
    let (k, s) = of_kind("<f8", &double);
    assert_eq!(k, 59);
    for (dtype, data, tolerance) in [("<f4", single, 1e-4), ("<f2", half, 0.05)] {
        let (found_k, found) = of_kind(dtype, &data);
        assert_eq!(found_k, 59, "{dtype}");
        assert!((found - s).abs() < tolerance * s, "{dtype}: {found} is not {s}");
    }
}

#[test]
fn an_analysis_that_is_there_is_replaced_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let orientation = Orientation::ParametersByIterations;
    let matrix = npy_file(folder.path(), "g.npy", "<f4", [PARAMETERS, ITERATIONS], false, &stored(true, false));
    let written = folder.path().join("out/analysis.json");
    let read = || std::fs::read(&written).expect("it is written");
    let options = AnalyzeOptions { out: Some(folder.path().join("out")), ..options(orientation, 1 << 30) };
    analyze(&matrix, &options).expect("there is none");
    let first = read();
    let other = AnalyzeOptions { top: Some(10), ..options };
    let refused = analyze(&matrix, &other).expect_err("there is one").to_string();
    assert!(refused.contains("--replace") && refused.contains("--out"), "{refused}");
    assert_eq!(read(), first);
    analyze(&matrix, &AnalyzeOptions { replace: true, ..other }).expect("it is asked for");
    assert_ne!(read(), first);
}
