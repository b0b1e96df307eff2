//! Reports of results.

use crate::common;

use std::path::Path;

const EXPERIMENT: &str = "
title = '<script>alert(1)</script>'
caption = 'Mine & <b>yours</b> | 50%.'

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 80
batch-size = 3
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'random'
setting = '<script>alert(1)</script>'
paper = { d-ks = 0.02, power-law = false, s = 1.5 }

[[row]]
id = 'eigengaps'
analysis = { values = 'eigengaps' }

[[row]]
id = 'dimension'
analysis = { kind = 'entries', along = 'dimension', top = 50 }
paper = { d-ks = 0.02, power-law-percent = 1.0, p-value = 0.5, gaussian-percent = 90.0 }
";

fn run(folder: &Path) {
    std::fs::write(folder.join("own.toml"), EXPERIMENT).unwrap();
    common::succeed(folder, &["run", "own.toml", "--quiet", "--seeds", "2"]);
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join("results").join(file)).unwrap()
}

#[test]
fn the_page_is_self_contained_inert_and_says_how_to_repeat_a_row() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let page = read(folder.path(), "report.html");
    assert!(!page.contains("<script") && !page.contains("<b>") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    for outside in ["http:", "https:", "src=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for part in [
        "<h1>",
        "<nav aria-label=\"Tables\">",
        "<a href=\"#own\">",
        "<caption>",
        "scope=\"row\"",
        "scope=\"col\"",
        "prefers-color-scheme:dark",
        "cargo xtask run own.toml --rows eigengaps --seed 1 --seeds 2",
        "batch-size = 3",
        "not in the paper",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(page.matches("<svg ").count(), 1 + 2 + 2);
    assert!(page.len() < 3 * 20_000, "{} bytes for three rows", page.len());
}

#[test]
fn plots_that_are_missing_are_drawn_again() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let plots = ["seed-1.svg", "seed-2.png"].map(|name| folder.path().join("results/own/random").join(name));
    let before = plots.each_ref().map(|plot| std::fs::read(plot).unwrap());
    for plot in &plots {
        std::fs::remove_file(plot).unwrap();
    }
    run(folder.path());
    assert_eq!(plots.map(|plot| std::fs::read(plot).unwrap()), before);
}

#[test]
fn markdown_is_checked_against_the_results() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let arguments = ["report", "--format", "markdown"];
    let check = || common::program(folder.path()).args(arguments).arg("--check").output().unwrap();
    assert_eq!(check().status.code(), Some(1), "there is no report yet");
    common::succeed(folder.path(), &arguments);
    let text = read(folder.path(), "REPORT.md");
    assert!(!text.contains("<script") && text.contains("2 differ") && text.contains("## Disagreements"), "{text}");
    assert!(text.contains("random: power law Yes with"), "{text}");
    assert!(check().status.success());
    std::fs::write(folder.path().join("results/REPORT.md"), text + " ").unwrap();
    let output = check();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("REPORT.md"), "{error}");
}

#[test]
fn a_folder_without_results_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for out in [".", "missing"] {
        let output = common::program(folder.path()).args(["report", "--out", out]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains("--out") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn the_committed_report_is_that_of_the_committed_results() {
    let results = common::root().join("experiments/results");
    if !results.is_dir() {
        println!("skipped: experiments/results is absent");
        return;
    }
    let out = results.to_str().unwrap();
    common::succeed(&common::root(), &["report", "--format", "markdown", "--check", "--out", out]);
}
