//! Spectra along training.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

const EXPERIMENT: &str = "
title = 'small'

[trainings.short]
epochs = 2
batch = 500
optimiser = 'momentum'
learning-rate = 0.1
weight-decay = 5e-4
milestones = []

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 60
batch-size = 3
training = 'short'
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'trained'

[[row]]
id = 'second-moment'
analysis = { matrix = 'second-moment' }

[[row]]
id = 'batch-norm'
model = { batch-norm = 'after-linear' }

[[row]]
id = 'random'
training = 'none'

[[row]]
id = 'entries'
analysis = { kind = 'entries', along = 'iteration', top = 40 }
";

/// 42 steps: two epochs of 10,430 examples in batches of 500.
const STEPS: [usize; 4] = [0, 20, 40, 42];

fn track(folder: &Path, arguments: &[&str]) -> [String; 2] {
    std::fs::write(folder.join("small.toml"), EXPERIMENT).unwrap();
    let output = common::succeed(folder, &[&["track", "small.toml", "--every", "20"], arguments].concat());
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_last_capture_is_the_result_of_the_row_and_the_first_that_of_random_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let [csv, _] = track(folder.path(), &["--format", "csv"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + 3 * STEPS.len(), "three rows train and test a spectrum: {csv}");
    let column = |name| lines[0].iter().position(|column| *column == name).unwrap();
    let of_row = |row: &str| lines.iter().filter(|line| line[1] == row).collect::<Vec<_>>();
    common::succeed(folder.path(), &["run", "small.toml", "--rows", "trained,batch-norm,random"]);
    for (row, point, result) in [("trained", 3, "trained"), ("trained", 0, "random"), ("batch-norm", 3, "batch-norm")] {
        let result = json(&folder.path().join(format!("results/small/{result}/seed-1.json")));
        let point = of_row(row)[point];
        for (name, value) in [
            ("s", &result["finding"]["s"]),
            ("d-ks", &result["finding"]["test"]["d-ks"]),
            ("effective-rank", &result["finding"]["spectrum"]["effective-rank"]),
        ] {
            let expected = value.as_f64().unwrap_or_else(|| panic!("{name} in {result}"));
            let found: f64 = point[column(name)].parse().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-15, "{row} {name}: {found}, {expected}");
        }
    }
    let trained = of_row("trained");
    let steps: Vec<usize> = trained.iter().map(|line| line[column("step")].parse().unwrap()).collect();
    assert_eq!(steps, STEPS);
    let losses: Vec<f64> = trained.iter().map(|line| line[column("loss")].parse().unwrap()).collect();
    assert!(losses[3] < losses[0], "{losses:?}");
    assert_eq!(trained[3][column("epoch")], "2");
}

#[test]
fn the_bytes_are_the_same_with_any_number_of_threads_and_after_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let rows = ["--rows", "trained,second-moment", "--quiet"];
    track(folder.path(), &[&rows[..], &["--threads", "1", "--out", "one"]].concat());
    track(folder.path(), &[&rows[..], &["--threads", "4", "--out", "four"]].concat());
    let [one, four] = ["one", "four"].map(|out| common::contents(&folder.path().join(out)));
    assert_eq!(one.len(), 8, "csv, json, svg and png of two rows");
    let bytes =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
    assert!(bytes(&one) == bytes(&four));
    let path = folder.path().join("four/small/trained/seed-1.track.csv");
    let half = std::fs::read(&path).unwrap();
    std::fs::write(&path, &half[..half.len() / 2]).unwrap();
    track(folder.path(), &[&rows[..], &["--out", "four"]].concat());
    assert!(bytes(&one) == bytes(&common::contents(&folder.path().join("four"))));
    let sparse = ["track", "small.toml", "--every", "40", "--out", "sparse"];
    common::succeed(folder.path(), &[&sparse[..], &rows].concat());
    let [_, told] = track(folder.path(), &["--rows", "trained,second-moment", "--out", "sparse"]);
    assert!(told.contains("step     20"), "{told}");
    assert!(bytes(&one) == bytes(&common::contents(&folder.path().join("sparse"))));
    let [text, told] = track(folder.path(), &["--rows", "trained,second-moment", "--out", "four"]);
    assert_eq!(told.matches("done already").count(), 2, "{told}");
    assert!(text.lines().all(|line| line.chars().count() <= 80) && text.contains("step     42"), "{text}");
}

#[test]
fn rows_that_cannot_be_followed_are_refused_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), EXPERIMENT).unwrap();
    for (row, reason) in [("random", "does not train"), ("entries", "tests entries")] {
        let arguments = ["track", "small.toml", "--every", "20", "--rows", row];
        let output = common::program(folder.path()).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains(&format!("row {row} {reason}")), "{error}");
    }
}
