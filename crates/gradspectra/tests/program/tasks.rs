//! Runs as tasks: in parts, in folders that are joined, as scripts for Slurm.

use crate::common;

use std::fs;
use std::path::Path;

/// Random and trained rows, two of them at one position.
const EXPERIMENT: &str = "
title = 'parts'

[trainings.short]
epochs = 1
batch = 128
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 60
analysis = { kind = 'spectrum', matrix = 'covariance', top = 30 }

[[row]]
id = 'random'

[[row]]
id = 'trained'
training = 'short'

[[row]]
id = 'clipped'
training = 'short'
gradient-clipping = 0.5
";

const RUN: [&str; 3] = ["parts.toml", "--seeds", "2"];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("parts.toml"), EXPERIMENT).unwrap();
    folder
}

/// Standard output of `command` with the run's options and `more`.
fn output(folder: &Path, command: &str, more: &[&str]) -> String {
    let arguments = [&[command], &RUN[..], more].concat();
    String::from_utf8(common::succeed(folder, &arguments).stdout).unwrap()
}

/// The one line of a refusal.
fn refusal(folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = common::program(folder).args(arguments).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
    errors.lines().last().unwrap().to_owned()
}

fn tasks(folder: &Path, more: &[&str]) -> Vec<serde_json::Value> {
    serde_json::from_str(&output(folder, "tasks", &[&["--format", "json"], more].concat())).unwrap()
}

fn ids(tasks: &[serde_json::Value], kind: &str) -> Vec<String> {
    let of_kind = tasks.iter().filter(|task| task["kind"] == kind);
    of_kind.map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

/// The files below `folder` by their paths there.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    common::contents(folder).into_iter().map(|(path, bytes)| (name(&path), bytes)).collect()
}

fn assert_same(folder: &Path, ours: &str, theirs: &str) {
    let [ours, theirs] = [ours, theirs].map(|name| contents(&folder.join(name)));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        assert!(ours == theirs, "{name} differs");
    }
}

#[test]
fn a_run_is_trainings_and_the_rows_that_need_them() {
    let folder = folder();
    let before = tasks(folder.path(), &[]);
    assert_eq!(ids(&before, "training").len(), 2, "one a seed");
    assert_eq!(ids(&before, "row").len(), 6);
    for task in &before {
        assert!(task["seconds"].as_f64().unwrap() > 0.0 && task["memory"].as_u64().unwrap() > 1 << 20, "{task}");
        assert_eq!((&task["gpu"], &task["done"]), (&false.into(), &false.into()));
        let needs = task["needs"].as_array().unwrap();
        let id = task["id"].as_str().unwrap();
        assert_eq!(needs.len(), usize::from(id.contains("trained") || id.contains("clipped")), "{task}");
    }
    assert!(!folder.path().join("results").exists(), "listing makes nothing");
    output(folder.path(), "run", &["--quiet"]);
    assert!(tasks(folder.path(), &[]).iter().all(|task| task["done"] == true));
    let text = output(folder.path(), "tasks", &[]);
    assert!(text.ends_with("0 of 8 tasks to do, 0 s on 2 CPUs\n") && text.contains("needs positions/"), "{text}");
}

#[test]
fn tasks_one_by_one_in_one_folder_give_the_bytes_of_the_whole_run() {
    let folder = folder();
    output(folder.path(), "run", &["--quiet", "--out", "whole"]);
    let graph = tasks(folder.path(), &[]);
    let mut rows = ids(&graph, "row");
    rows.reverse();
    for id in ids(&graph, "training").iter().chain(&rows) {
        let printed = output(folder.path(), "run", &["--quiet", "--out", "parts", "--task", id, id]);
        assert_eq!(printed, "", "a part prints no table");
    }
    let arguments = ["merge", "--experiment", "parts.toml", "--seeds", "2", "--quiet", "--out", "parts"];
    common::succeed(folder.path(), &arguments);
    assert_same(folder.path(), "whole", "parts");
}

#[test]
fn a_position_that_is_cut_off_is_left_out_and_named() {
    let folder = folder();
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "one", "--rows", "trained"]);
    let positions = folder.path().join("one/positions");
    let weights = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "safetensors");
    let mut files = fs::read_dir(&positions).unwrap().map(|entry| entry.unwrap().path());
    fs::write(files.find(weights).unwrap(), "cut off").unwrap();
    let arguments = ["merge", "one", "--experiment", "parts.toml", "--rows", "trained", "--out", "joined"];
    let told = String::from_utf8(common::succeed(folder.path(), &arguments).stderr).unwrap();
    assert!(told.contains("joined: 1 result, 0 trained positions"), "{told}");
    assert!(told.contains("left out") && told.contains("one/positions/"), "{told}");
}

#[test]
fn folders_are_joined_and_what_is_missing_is_said() {
    let folder = folder();
    output(folder.path(), "run", &["--quiet", "--out", "whole"]);
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "first", "--rows", "random"]);
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "second", "--rows", "random,trained"]);
    let more = ["run", "parts.toml", "--quiet", "--out", "third", "--seed", "2"];
    common::succeed(folder.path(), &more);
    let options = ["--experiment", "parts.toml", "--seeds", "2", "--quiet", "--out", "joined"];
    let missing = refusal(folder.path(), &[&["merge", "first", "second"], &options[..]].concat(), 1);
    assert!(missing.contains("4 of 6 rows are missing: parts/clipped/seed-1, parts/random/seed-2"), "{missing}");
    let half = folder.path().join("third/parts/clipped/seed-2.eigenvalues.npy");
    let bytes = fs::read(&half).unwrap();
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let missing = refusal(folder.path(), &[&["merge", "third"], &options[..]].concat(), 1);
    assert!(missing.contains("2 of 6 rows are missing: parts/clipped/seed-1, parts/clipped/seed-2"), "{missing}");
    fs::write(&half, bytes).unwrap();
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "second", "--rows", "clipped"]);
    common::succeed(folder.path(), &[&["merge", "third", "second"], &options[..]].concat());
    assert_same(folder.path(), "whole", "joined");
}

#[test]
fn folders_that_differ_are_refused_before_anything_is_written() {
    let folder = folder();
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "first"]);
    fs::write(folder.path().join("parts.toml"), EXPERIMENT.replace("= 60", "= 70")).unwrap();
    common::succeed(folder.path(), &["run", "parts.toml", "--quiet", "--out", "second", "--rows", "trained"]);
    let conflict = refusal(folder.path(), &["merge", "first", "second", "--out", "joined"], 2);
    assert!(
        conflict.contains("first/parts/trained/seed-1.json and second/parts/trained/seed-1.json differ"),
        "{conflict}"
    );
    assert!(!folder.path().join("joined/parts").exists());
    assert!(refusal(folder.path(), &["merge", "nowhere"], 2).contains("nowhere: there is no such folder"));
}

#[test]
fn a_task_that_cannot_be_done_is_refused() {
    let folder = folder();
    let unknown = refusal(folder.path(), &["run", "parts.toml", "--task", "parts/random/seed-2"], 2);
    assert!(unknown.contains("the run has no task parts/random/seed-2"), "{unknown}");
    let early = refusal(folder.path(), &["run", "parts.toml", "--task", "parts/trained/seed-1"], 2);
    assert!(early.contains("parts/trained/seed-1 needs positions/") && early.contains("--task"), "{early}");
    let training = &ids(&tasks(folder.path(), &[]), "training")[0];
    common::succeed(folder.path(), &["run", "parts.toml", "--task", training, "parts/trained/seed-1"]);
    common::succeed(folder.path(), &["run", "parts.toml", "--task", "parts/clipped/seed-1"]);
}

#[test]
fn tasks_share_a_folder_and_a_whole_run_does_not() {
    let folder = folder();
    common::succeed(folder.path(), &["run", "parts.toml", "--task", "parts/random/seed-1"]);
    let results = folder.path().join("results");
    let shared = fs::File::open(results.join(".lock")).unwrap();
    shared.lock_shared().unwrap();
    fs::create_dir(results.join(".tasks")).unwrap();
    let task = fs::File::create_new(results.join(".tasks/parts,random,seed-1")).unwrap();
    task.lock().unwrap();
    let held = refusal(folder.path(), &["run", "parts.toml", "--task", "parts/random/seed-1"], 2);
    assert!(held.contains("is running there"), "{held}");
    output(folder.path(), "run", &["--task", "parts/random/seed-2"]);
    assert!(refusal(folder.path(), &["run", "parts.toml"], 2).contains("is running there"));
    drop((shared, task));
    common::succeed(folder.path(), &["run", "parts.toml"]);
    assert!(!results.join(".tasks").exists());
}

#[test]
fn scripts_for_slurm_do_what_is_missing() {
    let folder = folder();
    let cluster =
        "partition = 'cpu'\ntime = '1:00:00'\nmodules = ['gcc/13']\nsbatch = ['--comment=a b']\nat-once = 7\n";
    fs::write(folder.path().join("cluster.toml"), cluster).unwrap();
    let options = ["--dry-run", "--cluster", "cluster.toml", "--account", "me", "--out", "it's here"];
    let scripts = output(folder.path(), "submit", &options);
    assert!(!folder.path().join("it's here").exists(), "--dry-run makes nothing");
    for expected in [
        "trainings.sh'\n#!/bin/bash -l\n",
        "#SBATCH --array=1-2%7\n",
        "#SBATCH --array=1-4%7\n",
        "#SBATCH --partition=cpu\n#SBATCH --account=me\n#SBATCH --comment=\"a b\"\n",
        "#SBATCH --time=1:00:00\n",
        "module load gcc/13\n",
        "  parts/random/seed-1\n  parts/random/seed-2\n)\n",
        "### sbatch --parsable --dependency=afterany:TRAININGS '",
        "### sbatch --parsable --dependency=afterany:TRAININGS:ROWS:TRAINED-ROWS '",
        r"it'\''s here' --keep-every ",
        " --task \"${tasks[SLURM_ARRAY_TASK_ID - 1]}\"\n",
        " merge --experiment ",
    ] {
        assert!(scripts.contains(expected), "{expected} is not in\n{scripts}");
    }
    common::succeed(folder.path(), &["run", "parts.toml", "--seeds", "2", "--rows", "trained", "--out", "it's here"]);
    let scripts = output(folder.path(), "submit", &options);
    assert!(!scripts.contains("trainings.sh") && !scripts.contains("parts/trained/"), "{scripts}");
    assert!(scripts.contains("--array=1-4%7") && scripts.contains("parts/clipped/seed-2"), "{scripts}");
    output(folder.path(), "run", &["--out", "it's here"]);
    assert_eq!(output(folder.path(), "submit", &options), "");
    fs::write(folder.path().join("cluster.toml"), "queue = 'cpu'").unwrap();
    let refused = refusal(folder.path(), &[&["submit", "parts.toml"], &options[..]].concat(), 2);
    assert!(
        refused.contains("cluster.toml: line 1: queue is not a key here") && refused.contains("partition"),
        "{refused}"
    );
}

#[test]
fn without_slurm_nothing_is_submitted() {
    let folder = folder();
    let mut submit = common::program(folder.path());
    let output = submit.args(["submit", "parts.toml"]).env("PATH", folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("sbatch: cannot be started") && errors.contains("--dry-run"), "{errors}");
    assert!(!folder.path().join("results").exists());
}
