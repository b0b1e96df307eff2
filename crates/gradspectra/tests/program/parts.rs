//! Gram matrices made in parts: the same bytes, in folders that are joined, with terms that are lost.

use crate::common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gradspectra::Experiment;
use gradspectra::memory::MemoryEstimate;
use serde_json::json;

/// Every way to a Gram matrix, rows that share one, and rows that are not split.
const EXPERIMENT: &str = "
title = 'split'

[trainings.short]
epochs = 1
batch = 128
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []

[defaults]
data-set = 'mnist'
model = { kind = 'lenet' }
iterations = 60
batch-size = 10
analysis = { kind = 'spectrum', matrix = 'covariance', top = 30 }

[[row]]
id = 'single'
batch-size = 1

[[row]]
id = 'ten'

[[row]]
id = 'ten-clipped'
gradient-clipping = 0.5
analysis = { kind = 'spectrum', matrix = 'second-moment', top = 30 }

[[row]]
id = 'updates'
vectors = { kind = 'updates', optimiser = 'adam' }

[[row]]
id = 'trained'
training = 'short'
batch-size = 1
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }

[[row]]
id = 'direct'
model = { kind = 'fcn', width = 20, batch-norm = 'before-linear' }

[[row]]
id = 'language'
data-set = { kind = 'shakespeare', length = 16 }
model = { kind = 'gpt', layers = 2, heads = 2, width = 24 }
initialisation = 'transformer'
batch-size = 1

[[row]]
id = 'language-ten'
data-set = { kind = 'shakespeare', length = 8 }
model = { kind = 'gpt', layers = 1, heads = 2, width = 24, tied = false }

[[row]]
id = 'along-run'
vectors = { kind = 'along-run', optimiser = 'sgd', learning-rate = 0.1 }

[[row]]
id = 'entries'
analysis = { kind = 'entries', along = 'iteration', top = 30 }
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("split.toml"), EXPERIMENT).unwrap();
    folder
}

fn run(folder: &Path, more: &[&str]) {
    common::succeed(folder, &[&["run", "split.toml", "--quiet"], more].concat());
}

/// The tasks in parts that `out` does not hold all of.
fn tasks(folder: &Path, out: &str) -> Vec<serde_json::Value> {
    let arguments = ["tasks", "split.toml", "--parts", "3", "--format", "json", "--out", out];
    serde_json::from_slice(&common::succeed(folder, &arguments).stdout).unwrap()
}

fn ids(tasks: &[serde_json::Value], kind: &str) -> Vec<String> {
    let of_kind = tasks.iter().filter(|task| task["kind"] == kind);
    of_kind.map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

/// The files of terms in `out`.
fn terms(folder: &Path, out: &str) -> BTreeSet<PathBuf> {
    let terms = folder.join(out).join("terms");
    let files = if terms.is_dir() { common::contents(&terms) } else { Vec::new() };
    files.into_iter().map(|(file, _)| file).collect()
}

#[test]
fn parts_of_two_machines_give_the_bytes_of_one() {
    let folder = folder();
    let folder = folder.path();
    run(folder, &["--out", "whole"]);
    let graph = tasks(folder, "first");
    let (trainings, parts) = (ids(&graph, "training"), ids(&graph, "part"));
    assert_eq!(
        (trainings.len(), parts.len()),
        (1, 20),
        "two linear layers without a minibatch are two terms: {parts:?}"
    );
    let trained = graph.iter().find(|task| task["kind"] == "part" && task["needs"] != json!([])).unwrap();
    let arguments = ["run", "split.toml", "--out", "first", "--task", trained["id"].as_str().unwrap()];
    let refused = String::from_utf8(common::program(folder).args(arguments).output().unwrap().stderr).unwrap();
    assert!(refused.contains(&format!("{} needs {}", arguments[5], trainings[0])), "{refused}");
    run(folder, &["--out", "first", "--task", &trainings[0]]);
    common::succeed(folder, &["merge", "first", "--out", "second", "--quiet"]);
    for (index, part) in parts.iter().enumerate() {
        run(folder, &["--out", ["first", "second"][index % 2], "--task", part]);
    }
    common::succeed(folder, &["merge", "first", "--out", "second", "--quiet"]);
    assert!(tasks(folder, "second").iter().all(|task| task["done"] == (task["kind"] != "row")));
    let files: Vec<_> = terms(folder, "second").into_iter().collect();
    let bytes = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &bytes[..bytes.len() - 8]).unwrap();
    let damaged = &files[files.len() / 2];
    let mut bytes = fs::read(damaged).unwrap();
    bytes[100] ^= 1;
    fs::write(damaged, bytes).unwrap();
    fs::remove_file(&files[files.len() - 1]).unwrap();
    assert_eq!(
        tasks(folder, "second").iter().filter(|task| task["kind"] == "part" && task["done"] == false).count(),
        3
    );
    let rows = ids(&graph, "row");
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    run(folder, &[&["--out", "second", "--task"], &rows[..]].concat());
    assert!(!terms(folder, "second").is_empty(), "others may need them");
    common::succeed(folder, &["merge", "--out", "second", "--experiment", "split.toml", "--quiet"]);
    assert!(!folder.join("second/terms").exists(), "no row needs them any more");
    let [whole, split] = ["whole", "second"].map(|out| {
        let root = folder.join(out);
        let files = common::contents(&root).into_iter();
        files.map(|(file, bytes)| (file.strip_prefix(&root).unwrap().to_owned(), bytes)).collect::<Vec<_>>()
    });
    assert_eq!(whole.len(), split.len());
    for ((name, whole), (other, split)) in whole.iter().zip(&split) {
        assert!(name == other && whole == split, "{} differs", name.display());
    }
}

#[test]
fn gradients_that_their_mean_dominates_are_centred_first_in_parts_too() {
    let folder = folder();
    let folder = folder.path();
    let (defaults, _) = EXPERIMENT.split_once("[[row]]").unwrap();
    let row = "[[row]]\nid = 'alike'\nbatch-size = 1\nminibatches = 'alike.npy'\n";
    let text = defaults.replace("iterations = 60\n", "").replace("top = 30", "top = 3") + row;
    fs::write(folder.join("split.toml"), text).unwrap();
    // One example of 500 is another.
    let indices: Vec<u8> = (0..2000_i64).flat_map(|t| if t % 500 == 0 { t } else { 7 }.to_le_bytes()).collect();
    fs::write(folder.join("alike.npy"), common::npy("<i8", "(2000, 1)", &indices)).unwrap();
    run(folder, &["--out", "whole"]);
    for part in ids(&tasks(folder, "split"), "part") {
        run(folder, &["--out", "split", "--task", &part]);
    }
    // The terms are there, and yet all of G passes again.
    let least = MemoryEstimate::of(&Experiment::read(&folder.join("split.toml")).unwrap().rows).unwrap().least();
    let [short, enough] = [least - 1, least].map(|bytes| bytes.to_string());
    let arguments = ["run", "split.toml", "-v", "--out", "split", "--task", "split/alike/seed-1", "--memory"];
    let refused = common::program(folder).args(arguments).arg(&short).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && message.contains("mean gradient that dominates"), "{message}");
    assert!(!folder.join("split/split/alike/seed-1.json").exists());
    let summed = common::succeed(folder, &[&arguments[..], &[&enough]].concat());
    let progress = String::from_utf8(summed.stderr).unwrap();
    assert!(progress.contains("the mean gradient dominates"), "{progress}");
    for file in ["seed-1.json", "seed-1.eigenvalues.npy"] {
        let [whole, split] =
            ["whole", "split"].map(|out| fs::read(folder.join(out).join("split/alike").join(file)).unwrap());
        assert!(whole == split, "{file} differs");
    }
}

#[test]
fn a_row_whose_terms_are_there_takes_less_memory() {
    let folder = folder();
    let folder = folder.path();
    let experiment = Experiment::read(&folder.join("split.toml")).unwrap();
    let row = experiment.rows.iter().find(|row| row.id == "ten").unwrap();
    let least = MemoryEstimate::of([row]).unwrap().least();
    let [short, enough] = [least - 1, least].map(|bytes| bytes.to_string());
    let arguments = ["run", "split.toml", "--memory", &short, "--task", "split/ten/seed-1"];
    let refused = common::program(folder).args(arguments).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && message.contains("see tasks --parts"), "{message}");
    let graph = tasks(folder, "results");
    let needs = graph.iter().find(|task| task["id"] == "split/ten/seed-1").unwrap()["needs"].as_array().unwrap();
    assert_eq!(needs.len(), 3);
    for part in needs {
        run(folder, &["--memory", &enough, "--task", part.as_str().unwrap()]);
    }
    common::succeed(folder, &arguments);
    let unknown = needs[0].as_str().unwrap().replace("1-of-3", "0-of-3");
    let refused = common::program(folder).args(["run", "split.toml", "--task", &unknown]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the run has no task terms/"));
}

/// Terms are products in f32: where those in f64 are needed, the row's task makes all of them.
#[test]
fn products_in_f64_of_terms_that_are_there_stay_within_the_memory() {
    let folder = folder();
    let folder = folder.path();
    let (defaults, _) = EXPERIMENT.split_once("[[row]]").unwrap();
    let defaults = defaults.replace("iterations = 60\nbatch-size = 10\n", "").replace("top = 30", "top = 45");
    fs::write(folder.join("split.toml"), defaults + "[[row]]\nid = 'twice'\nminibatches = 'twice.npy'\n").unwrap();
    let indices: Vec<u8> = (0..600_i64).flat_map(|place| (place % 300).to_le_bytes()).collect();
    fs::write(folder.join("twice.npy"), common::npy("<i8", "(60, 10)", &indices)).unwrap();
    let experiment = Experiment::read(&folder.join("split.toml")).unwrap();
    for part in ids(&tasks(folder, "results"), "part") {
        run(folder, &["--task", &part]);
    }
    let least = MemoryEstimate::of(&experiment.rows).unwrap().least();
    let [short, enough] = [least - 1, least].map(|bytes| bytes.to_string());
    let arguments = ["run", "split.toml", "--task", "split/twice/seed-1", "--memory"];
    let refused = common::program(folder).args(arguments).arg(&short).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && message.contains("its products in f64"), "{message}");
    assert!(!folder.join("results/split/twice/seed-1.json").exists());
    run(folder, &[&arguments[2..], &[&enough]].concat());
    let result = fs::read_to_string(folder.join("results/split/twice/seed-1.json")).unwrap();
    assert!(result.contains("\"products\": \"f64\""), "{result}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_part_takes_no_more_memory_than_it_is_said_to() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("split.toml"), EXPERIMENT.replace("iterations = 60", "iterations = 2000")).unwrap();
    for task in tasks(folder, "results").iter().filter(|task| task["kind"] == "part" && task["needs"] == json!([])) {
        let id = task["id"].as_str().unwrap();
        let arguments = ["run", "split.toml", "--quiet", "--task", id];
        let mut child = common::program(folder).args(arguments).spawn().unwrap();
        let (status, mut peak) = (format!("/proc/{}/status", child.id()), 0);
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            peak = peak.max(line.map_or(0, |kilobytes| kilobytes.parse::<u64>().unwrap() << 10));
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        let estimate = task["memory"].as_u64().unwrap();
        eprintln!("{id}: estimate {:.0} MB, peak {:.0} MB", estimate as f64 / 1e6, peak as f64 / 1e6);
        assert!(peak > 1 << 26 && peak <= estimate, "{id}: estimate {estimate}, peak {peak}");
    }
}

#[test]
fn folders_whose_terms_differ_are_refused() {
    let folder = folder();
    let folder = folder.path();
    let part = &ids(&tasks(folder, "first"), "part")[2];
    for out in ["first", "second"] {
        run(folder, &["--out", out, "--task", part]);
    }
    common::succeed(folder, &["merge", "second", "--out", "first", "--quiet"]);
    let (own, other) = (terms(folder, "first").pop_first().unwrap(), terms(folder, "second").pop_last().unwrap());
    assert_ne!(own.file_name(), other.file_name());
    fs::copy(own, other).unwrap();
    let refused = common::program(folder).args(["merge", "second", "--out", "first"]).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && message.contains("differ"), "{message}");
}

#[test]
fn slurm_makes_parts_between_trainings_and_rows() {
    let folder = folder();
    let folder = folder.path();
    let submit = ["submit", "split.toml", "--parts", "3", "--dry-run"];
    let scripts = String::from_utf8(common::succeed(folder, &submit).stdout).unwrap();
    for expected in [
        "--array=1-18\n",
        "### sbatch --parsable --dependency=afterany:TRAININGS ",
        "### sbatch --parsable --dependency=afterany:PARTS:TRAINED-PARTS ",
        "afterany:TRAININGS:PARTS:TRAINED-PARTS:ROWS:SUMMED-ROWS ",
        "  split/along-run/seed-1\n  split/entries/seed-1\n)\n",
        "/3-of-3\n",
    ] {
        assert!(scripts.contains(expected), "{expected} is not in\n{scripts}");
    }
    let parts = ids(&tasks(folder, "results"), "part");
    run(folder, &["--task", &parts[0]]);
    let scripts = String::from_utf8(common::succeed(folder, &submit).stdout).unwrap();
    assert!(
        !scripts.contains(&parts[0]) && scripts.contains(&parts[1]) && scripts.contains("--array=1-17\n"),
        "{scripts}"
    );
}
