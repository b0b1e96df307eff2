//! What does not belong together is not mixed: seeds of one row, tracks, and files that have a built-in name.

use std::path::Path;

use crate::common::{self, refusal};

const EXPERIMENT: &str = "
title = 'small'

[trainings.short]
epochs = 2
batch = 2000
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []

[[row]]
id = 'a'
data-set = 'avila'
model = { kind = 'fcn', width = 4, batch-norm = 'none' }
training = 'short'
iterations = 30
analysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }
";

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn another_seed_of_other_settings_is_refused_beside_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["run", "small.toml", "-q"]);
    let before = common::contents(&folder.join("results"));
    let error = refusal(folder, "run small.toml --seed 2 --epochs 1");
    assert!(error.contains("small/a/seed-1 (training.epochs 2 there, 1 asked for)"), "{error}");
    assert!(before == common::contents(&folder.join("results")));
    common::succeed(folder, &["run", "small.toml", "--seed", "2", "-q"]);
}

#[test]
fn tracks_that_differ_are_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["track", "small.toml", "--every", "4", "-q", "--out", "ada"]);
    common::succeed(folder, &["track", "small.toml", "--every", "6", "-q", "--out", "bob"]);
    let [ada, bob] = ["ada", "bob"].map(|out| common::contents(&folder.join(out)));
    let error = refusal(folder, "merge bob --out ada");
    assert!(error.contains("seed-1.track.") && error.contains("differ"), "{error}");
    assert!(ada == common::contents(&folder.join("ada")) && bob == common::contents(&folder.join("bob")));
    common::succeed(folder, &["merge", "bob", "--out", "cyd"]);
    let track = |out: &str| std::fs::read(folder.join(out).join("small/a/seed-1.track.csv")).unwrap();
    assert!(track("cyd") == track("bob"));
    let captures = track("bob");
    std::fs::write(folder.join("bob/small/a/seed-1.track.csv"), &captures[..captures.len() / 2]).unwrap();
    let output = common::succeed(folder, &["merge", "bob", "--out", "dan"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("0 tracks") && told.contains("left out") && told.contains("seed-1.track.json"), "{told}");
    assert!(!folder.join("dan/small/a/seed-1.track.json").exists());
}

#[test]
fn a_file_of_a_built_in_name_has_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "table-5.toml", EXPERIMENT);
    let error = refusal(folder.path(), "run table-5.toml");
    assert!(error.contains("not those of the built-in table-5"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written");
}

#[test]
fn a_report_names_the_results_that_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["run", "small.toml", "-q", "--seeds", "2"]);
    let file = folder.join("results/small/a/seed-2.json");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let output = common::succeed(folder, &["report", "--out", "results"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("seed-2.json: is not whole"), "{told}");
}
