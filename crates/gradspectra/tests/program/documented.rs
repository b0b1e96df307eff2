//! Every command that README and docs/ show is one that the program takes; those that end within seconds are run.

use crate::common;

use std::path::Path;

use crate::common::npy;

/// Commands of xtask's own, which start cargo: its tests parse them.
const OF_XTASK: [&str; 4] = ["test", "lint", "bench", "torture"];
/// Commands that would train or capture for minutes, or need a cluster or several folders: the program has to take their
/// arguments, and is stopped by a folder of data that is not there.
const LONG: [&str; 4] = ["reproduce", "track", "pretrain", "submit"];
/// A command whose arguments are folders of results of the table that it names.
const NEEDS_RESULTS: &str = "merge";

/// The commands of a page: in blocks of code and between backticks, without what is behind `#` or `|`.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in page.lines() {
        let block = line.strip_prefix("    ").map(str::trim).into_iter();
        for text in block.chain(line.split('`').skip(1).step_by(2)) {
            let text = text.split(['#', '|']).next().unwrap().trim();
            for start in ["cargo xtask ", "gradspectra ", "target/release/gradspectra "] {
                found.extend(text.strip_prefix(start).map(str::to_owned));
            }
        }
    }
    found
}

fn write_files(folder: &Path) {
    let number = |index: usize| ((index * 7919 % 1013) as f64 / 500.0 - 1.0) / (1 + index / 40) as f64;
    let matrix: Vec<u8> = (0..60 * 40).flat_map(|index| number(index).to_le_bytes()).collect();
    let matrix = npy("<f8", "(40, 60)", &matrix);
    std::fs::create_dir_all(folder.join("saved")).unwrap();
    std::fs::write(folder.join("G.npy"), &matrix).unwrap();
    std::fs::write(folder.join("saved/G.npy"), &matrix).unwrap();
    let ranks: Vec<u8> = (1..=2000_i64).flat_map(|rank| (10_000_000 / rank).to_le_bytes()).collect();
    std::fs::write(folder.join("eigenvalues.npy"), npy("<i8", "(2000,)", &ranks)).unwrap();
    let row = "title = 'x'\n[[row]]\nid = 'a'\ndata-set = 'avila'\nmodel = { kind = 'fcn', batch-norm = 'none' }\n\
               iterations = 40\nanalysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }\n";
    std::fs::write(folder.join("my.toml"), row).unwrap();
    std::fs::create_dir_all(folder.join("experiments")).unwrap();
    std::fs::copy(common::root().join("experiments/table-5.toml"), folder.join("experiments/table-5.toml")).unwrap();
    common::succeed(folder, &["run", "my.toml", "--quiet", "--out", "results"]);
}

#[test]
fn every_command_of_the_documentation_is_one() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path());
    let docs = std::fs::read_dir(common::root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.push(common::root().join("README.md"));
    let (mut tried, mut run) = (0, 0);
    for page in pages {
        for command in commands(&std::fs::read_to_string(&page).unwrap()) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let name = words[0];
            if OF_XTASK.contains(&name) {
                continue;
            }
            let long = LONG.contains(&name);
            let stop: &[&str] = if long { &["--data-dir", "nowhere"] } else { &[] };
            let output = common::program(folder.path()).args(&words).args(stop).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            let what = format!("{}: {command}: {error}", page.display());
            assert!(!error.contains("--help'") && !error.contains("panicked"), "{what}");
            assert!(output.status.success() || long || name == NEEDS_RESULTS, "{what}");
            tried += 1;
            run += usize::from(output.status.success());
        }
    }
    assert!(tried > 25 && run > 8, "{tried} commands, {run} of them to their end");
}

#[test]
fn the_experiment_of_the_readme_is_one() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    let text = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let experiment = gradspectra::Experiment::parse("mine", text, Path::new("README.md")).unwrap();
    assert_eq!(experiment.rows.len(), 2);
}
