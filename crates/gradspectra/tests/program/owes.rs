//! What a run owes its user: finished results, an empty folder after a refusal, a word while it works, and who holds a folder.

use crate::common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::{npy, refusal};

const EXPERIMENT: &str = "
title = 'small'

[trainings.short]
epochs = 2
batch = 500
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 8, batch-norm = 'none' }
batch-size = 2
iterations = 30
analysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }

[[row]]
id = 'random'

[[row]]
id = 'trained'
training = 'short'
";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn swapped(old: &str, new: &str) -> String {
    assert!(EXPERIMENT.contains(old));
    EXPERIMENT.replace(old, new)
}

#[test]
fn finished_results_of_other_settings_are_kept_and_the_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    write(folder, "edited/small.toml", &swapped("batch-size = 2", "batch-size = 3"));
    write(folder, "network/small.toml", &swapped("kind = 'fcn', width = 8", "kind = 'lnn', width = 8"));
    write(folder, "untrained/small.toml", &swapped("training = 'short'", "training = 'none'"));
    common::succeed(folder, &["run", "small.toml", "-q"]);
    let before = common::contents(&folder.join("results"));
    assert!(before.len() > 6, "{}", before.len());
    for (line, told) in [
        ("run small.toml --epochs 1", "small/trained/seed-1 (training.epochs 2 there, 1 asked for)"),
        ("run small.toml --epochs 1 --fresh", "training.epochs 2 there, 1 asked for"),
        ("run edited/small.toml", "small/random/seed-1 and 1 more (batch-size 2 there, 3 asked for)"),
        ("run network/small.toml", "model.kind fcn there, lnn asked for"),
        ("run untrained/small.toml", "small/trained/seed-1 (training some there, none asked for)"),
        ("run small.toml --backend wgpu", "(backend flex there, wgpu asked for)"),
        ("run edited/small.toml --task small/random/seed-1", "small/random/seed-1 (batch-size 2 there, 3 asked for)"),
        ("plan edited/small.toml", "batch-size 2 there, 3 asked for"),
        ("tasks edited/small.toml", "batch-size 2 there, 3 asked for"),
        ("submit edited/small.toml --dry-run", "batch-size 2 there, 3 asked for"),
        ("merge --experiment edited/small.toml", "batch-size 2 there, 3 asked for"),
    ] {
        let error = refusal(folder, line);
        assert!(error.contains(told) && error.contains("--replace") && error.contains("--out"), "{line}: {error}");
    }
    let trained = refusal(folder, "run edited/small.toml --task small/random/seed-1 small/random/seed-2");
    assert!(trained.contains("the run has no task small/random/seed-2"), "{trained}");
    assert!(before == common::contents(&folder.join("results")), "a refused run changed something");
    // What is not in the way is done all the same.
    common::succeed(folder, &["pretrain", "small.toml", "--epochs", "1", "-q"]);
    common::succeed(folder, &["run", "small.toml", "--epochs", "1", "--rows", "random", "-q"]);
    common::succeed(folder, &["run", "edited/small.toml", "-q", "--out", "other"]);
    common::succeed(folder, &["run", "edited/small.toml", "-q", "--replace"]);
    let rows = |out: &str| {
        ["random", "trained"]
            .map(|row| std::fs::read(folder.join(out).join(format!("small/{row}/seed-1.json"))).unwrap())
    };
    assert!(rows("results") == rows("other"), "--replace computes what another folder has");
}

#[test]
fn another_version_or_other_files_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let indices = |first: u64| {
        let indices: Vec<u8> = (first..first + 30).flat_map(u64::to_le_bytes).collect();
        npy("<i8", "(30,)", &indices)
    };
    let drawn = swapped("batch-size = 2\niterations = 30", "minibatches = 'y.npy'");
    write(folder, "small.toml", &drawn.replace("[[row]]\nid = 'trained'\ntraining = 'short'\n", ""));
    std::fs::write(folder.join("y.npy"), indices(0)).unwrap();
    common::succeed(folder, &["run", "small.toml", "-q"]);
    std::fs::write(folder.join("y.npy"), indices(7)).unwrap();
    let error = refusal(folder, "run small.toml");
    assert!(error.contains("small/random/seed-1 (y.npy has other minibatches)"), "{error}");
    std::fs::write(folder.join("y.npy"), indices(0)).unwrap();
    common::succeed(folder, &["run", "small.toml", "-q"]);
    // As another version would have written it.
    let file = folder.join("results/small/random/seed-1.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let task = text.split("\"task\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let program = text.split("\"program\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let older = text.replace(&task, &"0".repeat(64)).replace(&program, "gradspectra 0.0.9");
    std::fs::write(&file, older).unwrap();
    let error = refusal(folder, "run small.toml");
    assert!(error.contains(&format!("program gradspectra 0.0.9 there, {program} asked for")), "{error}");
    common::succeed(folder, &["report", "--format", "markdown"]);
    // What is cut off is no finished result.
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    common::succeed(folder, &["run", "small.toml", "-q"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn merging_does_not_replace_finished_results_either() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["run", "small.toml", "-q"]);
    common::succeed(folder, &["run", "small.toml", "-q", "--epochs", "1", "--out", "short"]);
    let before = common::contents(&folder.join("results"));
    let error = refusal(folder, "merge short --experiment small.toml --epochs 1");
    assert!(error.contains("training.epochs 2 there, 1 asked for"), "{error}");
    assert!(before == common::contents(&folder.join("results")));
    common::succeed(folder, &["merge", "short", "--experiment", "small.toml", "--epochs", "1", "--replace"]);
    let result = |out: &str| std::fs::read(folder.join(out).join("small/trained/seed-1.json")).unwrap();
    assert!(result("results") == result("short"));
}

#[test]
fn a_track_of_other_settings_or_with_fewer_captures_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["track", "small.toml", "--every", "10", "-q"]);
    let before = common::contents(&folder.join("results"));
    for (line, told) in [
        ("track small.toml --every 20", "small/trained/seed-1.track (every 10 there, 20 asked for)"),
        ("track small.toml --every 10 --epochs 1", "(training.epochs 2 there, 1 asked for)"),
    ] {
        let error = refusal(folder, line);
        assert!(error.contains(told) && error.contains("--replace"), "{error}");
    }
    assert!(before == common::contents(&folder.join("results")));
    common::succeed(folder, &["track", "small.toml", "--every", "5", "-q"]);
    common::succeed(folder, &["track", "small.toml", "--every", "20", "-q", "--replace"]);
    let csv = std::fs::read_to_string(folder.join("results/small/trained/seed-1.track.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 4, "steps 0, 20, 40 and 42: {csv}");
}

/// Every file and folder below `folder`.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| [vec![path.display().to_string()], if path.is_dir() { names(&path) } else { vec![] }].concat())
        .collect()
}

#[test]
fn a_refused_command_leaves_nothing() {
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        write(files.path(), name, text);
        files.path().join(name).to_str().unwrap().to_owned()
    };
    let small = file("small.toml", EXPERIMENT);
    let lenet = file("lenet.toml", &swapped("kind = 'fcn', width = 8, batch-norm = 'none'", "kind = 'lenet'"));
    let missing = file("weights.toml", &swapped("id = 'random'", "id = 'random'\nweights = 'nothing.pt'"));
    let cluster = file("cluster.toml", "colour = 'red'");
    let csv = file("v.npy", "1,2\n3,4\n");
    let mut faults = Vec::new();
    for line in [
        format!("run {small} --task foo"),
        format!("run {small} --task small/trained/seed-1"),
        format!("run {small} --task small/random/seed-1 --memory 1MB"),
        format!("run {small} --task small/random/seed-1 --device 1"),
        format!("run {small} --task small/random/seed-1 --data-dir nowhere"),
        format!("run {small} --data-dir nowhere"),
        format!("run {small} --data-dir nowhere --out a/b/c"),
        format!("run {small} --device 1"),
        format!("run {small} --device 1 --out a/b"),
        format!("run {small} --memory 1MB"),
        format!("run {small} --rows foo"),
        format!("run {lenet}"),
        format!("run {missing}"),
        "run nothing.toml".to_owned(),
        "reproduce --table 5 --task foo".to_owned(),
        "reproduce --table 5 --rows foo".to_owned(),
        "reproduce --table 5 --device 3".to_owned(),
        "reproduce --table 5 --data-dir nowhere".to_owned(),
        format!("plan {lenet}"),
        format!("plan {small} --data-dir nowhere"),
        format!("tasks {small} --data-dir nowhere"),
        format!("pretrain {small} --rows random"),
        format!("pretrain {small} --data-dir nowhere"),
        format!("pretrain {small} --device 1"),
        format!("track {small} --every 9 --rows random"),
        format!("track {small} --every 9 --data-dir nowhere"),
        format!("track {small} --every 9 --device 1"),
        format!("track {small} --every 9 --memory 1MB"),
        "merge nowhere".to_owned(),
        format!("merge --experiment {lenet}"),
        format!("merge --experiment {small} --data-dir nowhere"),
        format!("submit {lenet}"),
        format!("submit {small} --cluster {cluster}"),
        format!("submit {small} --data-dir nowhere"),
        format!("analyze {csv} --out a"),
        "analyze nothing.npy --out a".to_owned(),
        "report".to_owned(),
        "report --out nowhere".to_owned(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = common::program(folder.path()).args(line.split(' ')).output().unwrap();
        let left = names(folder.path());
        let error = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(2) || !left.is_empty() || !error.starts_with("error: ") {
            faults.push(format!("{line}: status {:?}, {left:?} is left, {error}", output.status.code()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_run_whose_rows_all_fail_leaves_no_folder_and_one_that_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hours = "title = 'x'\n[trainings.long]\nepochs = 900\nbatch = 128\noptimiser = 'sgd'\nlearning-rate = 0.1\n\
                 weight-decay = 0.0\nmilestones = []\n[[row]]\nid = 'a'\ndata-set = { inputs = 'x.npy', labels = 'y.npy' }\n\
                 model = { kind = 'resnet18' }\ntraining = 'long'\nbatch-size = 2\niterations = 30\n\
                 analysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }\n";
    write(folder, "hours.toml", hours);
    std::fs::write(folder.join("x.npy"), npy("|u1", "(2000, 3, 32, 32)", &vec![7; 2000 * 3072])).unwrap();
    let labels: Vec<u8> = (0..2000_u64).flat_map(|label| (label % 10).to_le_bytes()).collect();
    std::fs::write(folder.join("y.npy"), npy("<i8", "(2000,)", &labels)).unwrap();
    let refuse = |out: &str| {
        let output = common::program(folder).args(["run", "hours.toml", "-q", "--out", out]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains("--long"), "{error}");
    };
    std::fs::create_dir(folder.join("there")).unwrap();
    refuse("new/deep");
    assert!(!folder.join("new").exists());
    refuse("there");
    assert_eq!(names(&folder.join("there")), Vec::<String>::new());
}

/// A run that lasts until it is ended.
fn long_run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Child {
    let text = swapped("epochs = 2", "epochs = 1000000").replace("id = 'trained'", "id = 'trained'\niterations = 31");
    write(folder, "long.toml", &text);
    let mut program = common::program(folder);
    program.args(["run", "long.toml", "--rows", "trained"]).args(arguments).envs(environment.iter().copied());
    program.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Ends it and gives what it said.
fn ended(mut child: Child) -> String {
    child.kill().unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn the_process_that_holds_a_folder_is_named_since_when_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let child = long_run(folder, &[], &["-q"]);
    // From the very moment of the lock on.
    while !folder.join("results/.lock").exists() {
        std::thread::sleep(Duration::from_micros(50));
    }
    let first = common::program(folder).args(["run", "long.toml", "-q"]).output().unwrap();
    let first = String::from_utf8(first.stderr).unwrap();
    let told = format!("results: process {} is running there, for ", child.id());
    assert!(first.contains(&told), "{first}");
    for line in ["run long.toml", "run long.toml --task small/foo", "track long.toml --every 100", "merge"] {
        let output = common::program(folder).args(line.split(' ')).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        if line.contains("foo") {
            assert!(error.contains("the run has no task small/foo"), "{error}");
            continue;
        }
        assert_eq!(output.status.code(), Some(2));
        for part in
            [&told[..], " s so far: wait for it, or end it, which keeps what is finished", "another folder with --out"]
        {
            assert!(error.contains(part), "{line}: {part} in {error}");
        }
    }
    ended(child);
    let lock = std::fs::read_to_string(folder.join("results/.lock")).unwrap();
    assert!(lock.starts_with(char::is_numeric), "{lock}");
    write(folder, "small.toml", EXPERIMENT);
    common::succeed(folder, &["run", "small.toml", "--rows", "random", "-q"]);
}

#[test]
fn processes_that_do_tasks_are_named_to_who_wants_the_whole_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = long_run(folder, &[], &["-q"]);
    ended(first);
    let training = {
        let output = common::succeed(folder, &["tasks", "long.toml", "--rows", "trained"]);
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let children = [[&training[..], ""], ["long/random/seed-1", "long/random/seed-2"]];
    let one = long_run(folder, &[], &["-q", "--task", children[0][0]]);
    let tasks = folder.join("results/.tasks");
    while !tasks.exists() || std::fs::read_dir(&tasks).unwrap().count() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = common::program(folder).args(["run", "long.toml", "-q"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("process {} is running there, for ", one.id())), "{error}");
    // Another task is done beside it, and its lock goes with it.
    common::succeed(folder, &["run", "long.toml", "-q", "--task", children[1][0]]);
    assert_eq!(std::fs::read_dir(&tasks).unwrap().count(), 1);
    ended(one);
}

#[test]
fn a_long_training_tells_how_far_it_is_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let often = [("GRADSPECTRA_PROGRESS_SECONDS", "0.02")];
    let lasting = |arguments: &[&str]| {
        let child = long_run(folder.path(), &often, arguments);
        std::thread::sleep(Duration::from_millis(1500));
        ended(child)
    };
    let said = lasting(&[]);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("% (")).collect();
    assert!(lines.len() >= 5, "{said}");
    for line in &lines {
        assert!(line.starts_with("  training, 1000000 epochs: ") && line.contains(" of 21000000) after "), "{line}");
        assert!(line.contains(", about ") && line.ends_with(" left"), "{line}");
    }
    assert!(!said.contains(['\x1b', '\r']), "{said:?}");
    assert_eq!(lasting(&["-q"]), "");
    let seldom = long_run(folder.path(), &[], &[]);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!ended(seldom).contains("% ("));
}

#[test]
fn what_does_not_fit_is_refused_by_plan_and_before_the_first_row() {
    let weights = tempfile::tempdir().unwrap();
    write(weights.path(), "small.toml", EXPERIMENT);
    common::succeed(weights.path(), &["pretrain", "small.toml", "-q", "--epochs", "1"]);
    let positions = names(&weights.path().join("results/positions"));
    let weights = positions.iter().find(|name| name.ends_with(".safetensors")).unwrap();
    let row = |lines: &str| format!("{EXPERIMENT}\n[[row]]\nid = 'last'\n{lines}\n");
    let mnist = "data-set = 'mnist'\nmodel = { kind = 'lenet' }";
    let schedule = "training = { epochs = 1, batch = 70000, optimiser = 'sgd', learning-rate = 0.1, weight-decay = 0.0, milestones = [] }";
    for (text, told) in [
        (row(&format!("{mnist}\nbatch-size = 70000")), "70000"),
        (row(&format!("{mnist}\n{schedule}")), "the training's batch is 70000, and MNIST has 60000 examples"),
        (row("model = { kind = 'lenet' }"), "LeNet"),
        (row(&format!("weights = '{weights}'\nmodel = {{ width = 9 }}")), "row last, seed 1: "),
        (row("weights = 'nothing.safetensors'"), "nothing.safetensors"),
        (row("minibatches = 'small.toml'"), "small.toml: text, as CSV is; expected an .npy of integers"),
        (row("minibatches = 'nothing.npy'"), "nothing.npy"),
        (row("data-set = { inputs = 'x.npy', labels = 'y.npy' }"), ".npy: cannot read"),
        (
            row("training = { epochs = 1, batch = 9, optimiser = 'sgd', learning-rate = 0.1 }"),
            "training.weight-decay and training.milestones are missing",
        ),
        (row("analysis = { kind = 'entries', along = 'dimension', top = 2000 }"), "top is 2000"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "small.toml", &text);
        for command in ["plan", "run", "tasks"] {
            let error = refusal(folder.path(), &format!("{command} small.toml"));
            assert!(error.contains(told), "{command}: {told} in {error}");
            assert_eq!(names(folder.path()).len(), 1, "{error}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "small.toml", EXPERIMENT);
    for command in ["plan", "run", "tasks"] {
        let error = refusal(folder.path(), &format!("{command} small.toml --data-dir nowhere"));
        assert!(error.contains("nowhere/avila/avila-tr.txt does not exist"), "{error}");
    }
    // A training is tested: its test examples are asked for before it begins.
    std::fs::create_dir_all(folder.path().join("data/avila")).unwrap();
    let training = common::root().join("datasets/avila/avila-tr.txt");
    std::fs::copy(training, folder.path().join("data/avila/avila-tr.txt")).unwrap();
    let error = refusal(folder.path(), "run small.toml --data-dir data");
    assert!(error.contains("avila-ts.txt does not exist"), "{error}");
    common::succeed(folder.path(), &["run", "small.toml", "--rows", "random", "--data-dir", "data", "-q"]);
}
