//! What the program says beside its results, in which colours, and its manual.

use crate::common;

use std::path::Path;

const EXPERIMENT: &str = "
title = 'small'

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 4, batch-norm = 'none' }
iterations = 30
batch-size = 3
analysis = { kind = 'spectrum', matrix = 'covariance', top = 20 }

[[row]]
id = 'one'
paper = { d-ks = 0.02, power-law = true, s = 1.4 }

[[row]]
id = 'two'
analysis = { values = 'eigengaps' }

[[row]]
id = 'three'
analysis = { matrix = 'second-moment' }
";

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> [String; 2] {
    std::fs::write(folder.join("small.toml"), EXPERIMENT).unwrap();
    let mut program = common::program(folder);
    let program = program.arg("run").arg("small.toml").args(arguments).env_remove("NO_COLOR");
    let output = program.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success());
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn quiet_says_nothing_and_verbose_what_is_used_reused_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [_, normal] = run(folder.path(), &["--out", "normal"], &[]);
    let [_, quiet] = run(folder.path(), &["--out", "quiet", "-q"], &[]);
    let [_, verbose] = run(folder.path(), &["--out", "verbose", "-v"], &[]);
    assert_eq!(quiet, "");
    for told in ["small one (seed 1)", "eigenvalues", " s\n"] {
        assert!(normal.contains(told) && verbose.contains(told), "{told} in {normal} and {verbose}");
    }
    for told in [
        "on flex,",
        "data: avila-tr.txt, SHA-256",
        "(listed)",
        "random parameters",
        "Gram matrix at hand",
        "eigenvalues at hand",
        "written: verbose/small/two/seed-1.json",
    ] {
        assert!(verbose.contains(told) && !normal.contains(told), "{told} in {verbose} only");
    }
    for text in [normal, verbose] {
        assert!(!text.contains(['\x1b', '\r']), "plain lines where there is no terminal: {text:?}");
    }
}

#[test]
fn quiet_and_verbose_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let output = common::program(folder.path()).args(["reproduce", "--table", "5", "-q", "-v"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn colour_is_for_terminals_and_no_color_forbids_it() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, _] = run(folder.path(), &[], &[]);
    let [forced, _] = run(folder.path(), &[], &[("CLICOLOR_FORCE", "1")]);
    let [forbidden, _] = run(folder.path(), &[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(plain.contains("same") || plain.contains("differs"), "{plain}");
    assert!(forced.contains("\x1b[3") && !plain.contains('\x1b'), "{forced:?}");
    assert_eq!(plain, forbidden);
    let failed = |name: &str, value: &str| {
        let output = common::program(folder.path()).args(["run", "nothing.toml"]).env(name, value).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(failed("NO_COLOR", "1").starts_with("error: nothing.toml"));
    assert!(failed("CLICOLOR_FORCE", "1").contains("\x1b[1m\x1b[31merror:"), "{:?}", failed("CLICOLOR_FORCE", "1"));
}

/// The names of the commands that `--help` lists.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

#[test]
fn every_command_has_a_manual_page_with_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    common::succeed(folder.path(), &["man", "pages"]);
    let pages = folder.path().join("pages");
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    let first = page("gradspectra.1");
    for part in [".TH gradspectra", ".SH SYNOPSIS", "gradspectra\\-reproduce(1)", "Table 5 in small"] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let help = common::succeed(folder.path(), &["--help"]).stdout;
    let commands = commands(std::str::from_utf8(&help).unwrap());
    assert!(commands.contains(&"pretrain") && commands.len() >= 14, "{commands:?}");
    for command in commands {
        let text = page(&format!("gradspectra-{command}.1"));
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{text}");
        let help = common::succeed(folder.path(), &[command, "--help"]);
        assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: gradspectra"), "{command}");
        let without_examples = ["plan", "list", "report", "completions"];
        assert!(text.contains("Examples:") || without_examples.contains(&command), "{text}");
    }
    let again = common::succeed(folder.path(), &["man", "again"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "again/gradspectra.1\n");
    assert!(page("gradspectra.1") == std::fs::read_to_string(folder.path().join("again/gradspectra.1")).unwrap());
    if let Ok(output) =
        std::process::Command::new("man").args(["--warnings", "-l"]).arg(pages.join("gradspectra.1")).output()
        && output.status.success()
    {
        assert!(String::from_utf8_lossy(&output.stdout).contains("reproduce"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}
