//! Runs that repeat, resume and share.

use crate::common;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Rows of every kind, small: random and trained positions, spectra and entries, both ways, label noise, updates.
const EXPERIMENT: &str = "
title = 'small'
caption = 'Rows of every kind.'

[trainings.short]
epochs = 2
batch = 128
optimiser = 'momentum'
learning-rate = 0.1
weight-decay = 5e-4
milestones = [0.5]

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 80
batch-size = 3
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'random'

[[row]]
id = 'second-moment'
analysis = { matrix = 'second-moment' }

[[row]]
id = 'eigengaps'
analysis = { values = 'eigengaps' }

[[row]]
id = 'clipped'
gradient-clipping = 0.5

[[row]]
id = 'trained'
training = 'short'

[[row]]
id = 'noise'
training = 'short'
labels = { kind = 'symmetric-noise', rate = 0.4 }

[[row]]
id = 'batch-norm'
model = { batch-norm = 'before-linear' }
training = 'short'
batch-size = 10

[[row]]
id = 'adam'
vectors = { kind = 'updates', optimiser = 'adam', weight-decay = 0.01 }

[[row]]
id = 'along-run'
vectors = { kind = 'along-run', optimiser = 'momentum', learning-rate = 0.05, weight-decay = 0.01 }

[[row]]
id = 'other-labels'
training = 'short'
capture-labels = { kind = 'shuffled' }

[[row]]
id = 'noise-as-inputs'
capture-inputs = 'gaussian-noise'

[[row]]
id = 'dimension'
analysis = { kind = 'entries', along = 'dimension', top = 50 }

[[row]]
id = 'iteration'
analysis = { kind = 'entries', along = 'iteration', top = 40 }

[[row]]
id = 'iteration-batch-norm'
model = { batch-norm = 'after-relu' }
batch-size = 10
analysis = { kind = 'entries', along = 'iteration', top = 40, sampled-parameters = 100 }

[[row]]
id = 'lenet'
data-set = 'mnist'
model = { kind = 'lenet' }
";

fn write_experiment(folder: &Path) {
    std::fs::write(folder.join("small.toml"), EXPERIMENT).unwrap();
}

fn run(folder: &Path, more: &[&str]) -> String {
    let arguments = [&["run", "small.toml"], more].concat();
    let output = common::succeed(folder, &arguments);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares names and bytes of files.
fn assert_same(ours: &[(PathBuf, Vec<u8>)], theirs: &[(PathBuf, Vec<u8>)]) {
    let names = |files: &[(PathBuf, Vec<u8>)]| -> Vec<_> {
        files.iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ours), names(theirs));
    for ((path, ours), (_, theirs)) in ours.iter().zip(theirs) {
        assert!(ours == theirs, "{} differs", path.display());
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let runs = ["1", "2", "8"].map(|threads| {
        run(folder.path(), &["--quiet", "--threads", threads, "--out", threads]);
        common::contents(&folder.path().join(threads))
    });
    assert!(runs[0].len() > 15 * 2, "{} files", runs[0].len());
    assert_same(&runs[0], &runs[1]);
    assert_same(&runs[0], &runs[2]);
}

#[test]
fn a_row_alone_gives_the_bytes_of_the_whole_run() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    run(folder.path(), &["--quiet", "--out", "together"]);
    let rows: Vec<&str> =
        EXPERIMENT.lines().filter_map(|line| line.strip_prefix("id = '")?.strip_suffix('\'')).collect();
    assert_eq!(rows.len(), 15);
    for row in rows {
        run(folder.path(), &["--quiet", "--out", "alone", "--rows", row]);
        let [alone, together] =
            ["alone", "together"].map(|out| common::contents(&folder.path().join(out).join("small").join(row)));
        assert_same(&together, &alone);
    }
}

#[test]
fn other_data_files_are_another_task() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let copy = folder.path().join("data/avila");
    std::fs::create_dir_all(&copy).unwrap();
    for name in ["avila-tr.txt", "avila-ts.txt"] {
        std::fs::copy(common::root().join("datasets/avila").join(name), copy.join(name)).unwrap();
    }
    let rows = ["--rows", "trained", "--data-dir", "data"];
    assert!(run(folder.path(), &rows).contains("training"));
    assert!(run(folder.path(), &rows).contains("done already"));
    let path = copy.join("avila-tr.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("0.266074", "0.266075", 1)).unwrap();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), text);
    let told = run(folder.path(), &[&rows[..], &["--replace"]].concat());
    assert!(told.contains("training"), "neither the row nor the position is reused: {told}");
}

#[test]
fn a_table_shows_nothing_of_another_spec() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    run(folder.path(), &["--rows", "trained"]);
    let failing = EXPERIMENT.replace("learning-rate = 0.1", "learning-rate = 1e30");
    assert_ne!(failing, EXPERIMENT);
    std::fs::write(folder.path().join("small.toml"), failing).unwrap();
    let arguments = ["run", "small.toml", "--rows", "trained", "--replace"];
    let output = common::program(folder.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lower the learning rate"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("not done"));
}

#[test]
fn a_second_run_skips_what_is_done_and_another_seed_is_another_result() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let rows = ["--rows", "random,trained"];
    let first = run(folder.path(), &rows);
    assert!(first.contains("training") && !first.contains("done already"), "{first}");
    let before = common::contents(&folder.path().join("results"));
    let second = run(folder.path(), &rows);
    assert_eq!(second.matches("done already").count(), 2, "{second}");
    assert_same(&before, &common::contents(&folder.path().join("results")));
    let fresh = run(folder.path(), &[&rows[..], &["--fresh"]].concat());
    assert!(!fresh.contains("done already") && !fresh.contains("training"), "the position is at hand: {fresh}");
    assert_same(&before, &common::contents(&folder.path().join("results")));
    run(folder.path(), &[&rows[..], &["--seed", "2"]].concat());
    let eigenvalues = |seed: u32| folder.path().join(format!("results/small/random/seed-{seed}.eigenvalues.npy"));
    assert_ne!(std::fs::read(eigenvalues(1)).unwrap(), std::fs::read(eigenvalues(2)).unwrap());
}

#[test]
fn a_changed_row_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    run(folder.path(), &["--rows", "random"]);
    let file = |ending: &str| folder.path().join("results/small/random").join(format!("seed-1.{ending}"));
    let old = std::fs::read(file("png")).unwrap();
    let changed = EXPERIMENT.replace("iterations = 80", "iterations = 90");
    std::fs::write(folder.path().join("small.toml"), changed).unwrap();
    assert!(!run(folder.path(), &["--rows", "random", "--replace"]).contains("done already"));
    assert!(std::fs::read(file("png")).unwrap() != old);
}

#[test]
fn a_report_of_seeds_of_different_specs_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let page = || std::fs::read_to_string(folder.path().join("results/report.html")).unwrap();
    run(folder.path(), &["--rows", "random", "--seeds", "2"]);
    assert!(!page().contains("spec was another one"));
    let changed = EXPERIMENT.replace("batch-size = 3", "batch-size = 4");
    assert_ne!(changed, EXPERIMENT);
    std::fs::write(folder.path().join("small.toml"), changed).unwrap();
    run(folder.path(), &["--rows", "random", "--seed", "2", "--replace"]);
    assert!(page().contains("random, seed 2: its spec was another one"), "{}", page());
}

#[test]
fn a_killed_run_resumes_with_the_bytes_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    run(folder.path(), &["--quiet", "--out", "undisturbed"]);
    let mut kills = 0;
    for delay in [150, 350, 600, 900, 1300] {
        let arguments = ["run", "small.toml", "--quiet", "--out", "killed"];
        let mut child = common::program(folder.path()).args(arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
    }
    assert!(kills > 0, "no run was killed in time");
    run(folder.path(), &["--quiet", "--out", "killed"]);
    let [undisturbed, killed] = ["undisturbed", "killed"].map(|out| common::contents(&folder.path().join(out)));
    assert_same(&undisturbed, &killed);
}

#[test]
fn a_killed_training_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let long = EXPERIMENT.replace("epochs = 2", "epochs = 30");
    std::fs::write(folder.path().join("small.toml"), long).unwrap();
    let arguments = ["run", "small.toml", "--rows", "batch-norm", "--keep-every", "0", "--out"];
    common::succeed(folder.path(), &[&arguments[..], &["undisturbed"]].concat());
    let positions = folder.path().join("killed/positions");
    let begun = || {
        let mut files = std::fs::read_dir(&positions).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().ends_with(".begun.json"))
    };
    let mut child = common::program(folder.path()).args(arguments).arg("killed").stderr(Stdio::null()).spawn().unwrap();
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = common::succeed(folder.path(), &[&arguments[..], &["killed"]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("goes on after epoch"));
    let [undisturbed, killed] = ["undisturbed", "killed"].map(|out| common::contents(&folder.path().join(out)));
    assert_same(&undisturbed, &killed);
}

#[test]
fn a_pretrained_position_is_that_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let pretrain = || common::succeed(folder.path(), &["pretrain", "small.toml", "--rows", "trained,other-labels"]);
    let printed = String::from_utf8(pretrain().stdout).unwrap();
    let weights = folder.path().join(printed.trim());
    let trained = std::fs::read(&weights).expect("one line: both rows have one position");
    assert!(!run(folder.path(), &["--rows", "trained"]).contains("training"), "the run takes the position");
    assert_eq!(pretrain().stdout, printed.into_bytes());
    run(folder.path(), &["--rows", "trained", "--out", "alone"]);
    let name = weights.strip_prefix(folder.path().join("results")).unwrap();
    assert!(trained == std::fs::read(folder.path().join("alone").join(name)).unwrap());
    let output = common::program(folder.path()).args(["pretrain", "small.toml", "--rows", "random"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn damaged_results_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let rows = ["--rows", "random,trained"];
    run(folder.path(), &rows);
    let results = folder.path().join("results");
    let before = common::contents(&results);
    for (path, bytes) in &before {
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert!(!run(folder.path(), &rows).contains("done already"));
    assert_same(&before, &common::contents(&results));
}

#[test]
fn one_run_at_a_time_holds_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let lock = std::fs::File::create_new(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(folder.path().join(".lock"), "4711").unwrap();
    let output = common::program(folder.path()).args(["run", "small.toml", "--out", "."]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("process 4711 is running there") && error.contains("--out"), "{error}");
    drop(lock);
    run(folder.path(), &["--rows", "random", "--out", "."]);
}

#[cfg(unix)]
#[test]
fn a_terminated_run_says_how_to_go_on_and_exits_143() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let child =
        common::program(folder.path()).args(["run", "small.toml"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let child = child.unwrap();
    std::thread::sleep(Duration::from_millis(250));
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(String::from_utf8_lossy(&output.stderr).contains("finished rows and trainings are kept"));
}

#[test]
fn sizes_beside_a_file_of_minibatches_are_its_own_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let indices: Vec<u8> = (0..40 * 3_i64).flat_map(i64::to_le_bytes).collect();
    std::fs::write(folder.path().join("y.npy"), common::npy("<i8", "(40, 3)", &indices)).unwrap();
    let write = |defaults: &str, row: &str| {
        let text = format!(
            "title = 'x'\n[defaults]\ndata-set = 'avila'\nmodel = {{ kind = 'fcn', width = 4, batch-norm = 'none' }}\n\
             analysis = {{ kind = 'spectrum', matrix = 'covariance', top = 10 }}\n{defaults}\n[[row]]\nid = 'a'\n\
             minibatches = 'y.npy'\n{row}\n"
        );
        std::fs::write(folder.path().join("x.toml"), text).unwrap();
    };
    for (defaults, row, expected) in [
        ("", "batch-size = 4", "row a: batch-size is 4, and the minibatches of y.npy have 3; leave batch-size out"),
        ("batch-size = 10", "", "batch-size is 10, and the minibatches of y.npy have 3"),
        ("", "iterations = 41", "row a: iterations is 41, and the minibatches of y.npy have 40; leave iterations out"),
        ("iterations = 5000", "batch-size = 3", "iterations is 5000, and the minibatches of y.npy have 40"),
        ("batch-size = 3", "batch-size = 1", "batch-size is 1, and the minibatches of y.npy have 3"),
        ("", "sampling = 'with-replacement'", "sampling and minibatches are both given"),
        ("", "weights = 'w.pt'\ninitialisation = 'xavier'", "initialisation and weights are both given"),
    ] {
        write(defaults, row);
        for command in ["run", "plan", "tasks", "track"] {
            let every: &[&str] = if command == "track" { &["--every", "5"] } else { &[] };
            let output = common::program(folder.path()).args([&[command, "x.toml"], every].concat()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {error}");
            assert!(error.contains("x.toml: ") && error.contains(expected) && error.lines().count() == 1, "{error}");
        }
        assert!(!folder.path().join("results").exists());
    }
    for (defaults, row) in [("", ""), ("iterations = 40", "batch-size = 3")] {
        write(defaults, row);
        common::succeed(folder.path(), &["run", "x.toml", "--replace"]);
        let result = std::fs::read(folder.path().join("results/x/a/seed-1.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
        assert_eq!((&result["capture"]["batch-size"], &result["capture"]["iterations"]), (&3.into(), &40.into()));
    }
}

#[test]
fn a_folder_without_results_is_told_apart_from_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let store = gradspectra::Store::open(folder.path()).unwrap();
    let refused = gradspectra::Report::of(&store).unwrap_err();
    assert!(
        matches!(&refused, gradspectra::experiment::Error::NoResult { path } if path == folder.path()),
        "{refused}"
    );
}
