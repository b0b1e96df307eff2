use safetensors::tensor::{Dtype, TensorView};

use super::*;
use crate::progress::Verbosity;

const PARAMETERS: usize = 60;
const ITERATIONS: usize = 40;

/// A heavy-tailed G without randomness.
fn entry(row: usize, t: usize) -> f64 {
    let angle = (row * 37 + t * 101) as f64;
    (angle.sin() + 0.1 * (angle * 0.7).cos()) * ((row + 1) as f64).powf(-0.8)
}

fn options(orientation: Orientation, memory: u64) -> AnalyzeOptions {
    let reporter = Reporter::new(Verbosity::Quiet);
    AnalyzeOptions { orientation, tensor: None, top: Some(20), seed: 3, memory, out: None, reporter }
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
        for memory in [1 << 30, 1] {
            reports.push((memory, analyze(&path, &options(orientation, memory)).expect("a sound file")));
        }
    }
    let path = folder.path().join("e.safetensors");
    let data = stored(false, false);
    let tensor = TensorView::new(Dtype::F32, vec![t, n], &data).expect("fits");
    safetensors::serialize_to_file([("gradients", tensor)], None, &path).expect("temporary file");
    reports.push((1 << 30, analyze(&path, &options(by_columns, 1 << 30)).expect("a sound file")));
    for (memory, report) in &reports[1..] {
        assert_eq!((report.dimension, report.iteration), (reports[0].1.dimension, reports[0].1.iteration));
        let (ours, first) = (&report.covariance.spectrum, &reports[0].1.covariance.spectrum);
        assert!((ours.trace / first.trace - 1.0).abs() < 1e-6, "{ours:?} is not {first:?}");
        if *memory == reports[0].0 {
            assert_eq!(report, &reports[0].1, "blocks of one size give the same bytes");
        }
    }
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
        ("one.npy", "<f4", [PARAMETERS, 1], &good[..4 * PARAMETERS], "1 iterations"),
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
