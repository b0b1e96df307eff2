//! Full disks, closed pipes and terminals, permissions, and names that are code.

use crate::common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const EXPERIMENT: &str = "
title = '<script>alert(1)</script>'
caption = '=1+1 & 50% _of_ {it}'

[trainings.short]
epochs = 1
batch = 500
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 60, batch-norm = 'none' }
iterations = 30
batch-size = 3
analysis = { kind = 'spectrum', matrix = 'covariance', top = 20 }

[[row]]
id = 'one'
setting = '=1+1'

[[row]]
id = 'two'
setting = '<script>alert(1)</script>'
training = 'short'
";

fn write_experiment(folder: &Path) {
    fs::write(folder.join("small.toml"), EXPERIMENT).unwrap();
}

/// Runs the experiment with files of at most `blocks` of the shell's.
fn run_limited(folder: &Path, blocks: u32, out: &str) -> Output {
    run_after(folder, &format!("ulimit -f {blocks}"), out)
}

/// Runs the experiment in a shell that has done `command`.
fn run_after(folder: &Path, command: &str, out: &str) -> Output {
    let program = common::program(folder);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command}; exec \"$0\" \"$@\"")]).arg(program.get_program());
    shell.current_dir(folder).env("GRADSPECTRA_DATA", common::root().join("datasets")).env_remove("RUST_BACKTRACE");
    shell.args(["run", "small.toml", "--quiet", "--out", out]).output().unwrap()
}

fn bytes(folder: &Path) -> Vec<Vec<u8>> {
    common::contents(folder).into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn a_full_disk_is_told_in_one_line_and_the_run_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    common::succeed(folder.path(), &["run", "small.toml", "--quiet", "--out", "undisturbed"]);
    for (blocks, finished) in [(0, 0), (4, 0), (12, 1)] {
        let output = run_limited(folder.path(), blocks, "full");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{blocks} blocks: {error}");
        assert!(error.lines().count() == 1 && error.contains("full") && error.contains("make room"), "{error}");
        let results = folder.path().join("full/small");
        let done = ["one", "two"].iter().filter(|row| results.join(row).join("seed-1.json").exists()).count();
        assert_eq!(done, finished, "{blocks} blocks: {error}");
        let names = common::contents(&folder.path().join("full"));
        assert!(names.iter().all(|(path, _)| !path.to_string_lossy().contains("unfinished")), "{names:?}");
    }
    let output = common::succeed(folder.path(), &["run", "small.toml", "--out", "full"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("done already").count(), 1);
    assert!(bytes(&folder.path().join("undisturbed")) == bytes(&folder.path().join("full")));
}

#[test]
fn files_have_the_permissions_that_the_umask_gives() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    for (umask, mode) in [("077", 0o600), ("022", 0o644)] {
        assert!(run_after(folder.path(), &format!("umask {umask}"), umask).status.success());
        let file = folder.path().join(umask).join("small/one/seed-1.json");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_closed_pipe_stops_neither_a_run_nor_its_report() {
    let folder = tempfile::tempdir().unwrap();
    write_experiment(folder.path());
    let mut child = common::program(folder.path())
        .args(["run", "small.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    while !folder.path().join("results/.lock").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("results/report.html").is_file());
    for arguments in [&["list"][..], &["report", "--help"], &["plan", "small.toml"], &["fit", "nothing.npy"]] {
        let mut program = common::program(folder.path());
        let mut child = program.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 2)), "{arguments:?}: {code:?}");
    }
}

#[test]
fn names_are_inert_in_every_file_of_results() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("=1+1.toml"), EXPERIMENT).unwrap();
    common::succeed(folder.path(), &["run", "=1+1.toml", "--quiet"]);
    common::succeed(folder.path(), &["track", "=1+1.toml", "--every", "20", "--rows", "two", "--quiet"]);
    common::succeed(folder.path(), &["report", "--format", "markdown"]);
    let read = |name: &str| fs::read_to_string(folder.path().join("results").join(name)).unwrap();
    for name in ["report.html", "REPORT.md", "=1+1/table.md", "=1+1/table.tex", "=1+1/two/seed-1.svg"] {
        let text = read(name);
        assert!(!text.contains("<script>alert") && text.contains("script"), "{name}: {text}");
    }
    let latex = read("=1+1/table.tex");
    assert!(latex.contains("\\& 50\\% \\_of\\_ \\{it\\}"), "{latex}");
    for name in ["=1+1/table.csv", "=1+1/two/seed-1.track.csv"] {
        let text = read(name);
        let cells = text.lines().flat_map(|line| line.split(','));
        assert!(cells.clone().all(|cell| !cell.starts_with(['=', '+', '@'])), "{text}");
        assert!(text.contains("'=1+1"), "{text}");
    }
}
