//! The workspace's tasks: `cargo xtask reproduce --table 5` runs the program, `cargo xtask test` passes the tests.

mod bench;
mod cargo;
mod torture;

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};

use cargo::cargo;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the gradspectra workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test of the workspace and the users' examples
    Test(Backends),
    /// Checks the formatting, lints and documentation
    Lint(Backends),
    /// Runs the paper's tables: `cargo xtask reproduce --table 5` (`--help` for more)
    #[command(disable_help_flag = true)]
    Reproduce(Forwarded),
    /// Runs an experiment file of your own
    #[command(disable_help_flag = true)]
    Run(Forwarded),
    /// Trains the positions that rows need
    #[command(disable_help_flag = true)]
    Pretrain(Forwarded),
    /// Shows what a run would do, with memory, without doing it
    #[command(disable_help_flag = true)]
    Plan(Forwarded),
    /// Lists a run as tasks for many machines
    #[command(disable_help_flag = true)]
    Tasks(Forwarded),
    /// Joins folders of results, and says what is missing
    #[command(disable_help_flag = true)]
    Merge(Forwarded),
    /// Gives what is missing of a run to Slurm
    #[command(disable_help_flag = true)]
    Submit(Forwarded),
    /// Lists the paper's tables and their rows
    #[command(disable_help_flag = true)]
    List(Forwarded),
    /// Analyses a gradient matrix from any framework
    #[command(disable_help_flag = true)]
    Analyze(Forwarded),
    /// Fits a power law to the values in a file
    #[command(disable_help_flag = true)]
    Fit(Forwarded),
    /// Trains as rows ask and follows the spectrum of their gradients
    #[command(disable_help_flag = true)]
    Track(Forwarded),
    /// Writes the manual pages into a folder
    #[command(disable_help_flag = true)]
    Man(Forwarded),
    /// Runs the benchmarks and prints the tables of docs/performance.md that are ours alone
    Bench {
        /// Only the benchmarks of these packages, without `gradspectra-`: analysis, capture, models
        packages: Vec<String>,
    },
    /// Kills a run of Table 5 again and again, and holds what it leaves to an undisturbed one
    Torture(torture::Options),
    /// Writes a report of all results in a folder, beside the paper's figures
    #[command(disable_help_flag = true)]
    Report(Forwarded),
}

#[derive(clap::Args)]
struct Backends {
    /// Builds these backends in, beside flex
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", value_parser = ["wgpu", "cuda"])]
    backend: Vec<String>,
}

impl Backends {
    /// The cargo features of a build of the whole workspace.
    fn features(&self) -> String {
        let features: Vec<_> = self.backend.iter().map(|backend| format!("gradspectra/{backend}")).collect();
        format!("--features={}", features.join(","))
    }
}

/// Arguments of the program `gradspectra`.
#[derive(clap::Args)]
struct Forwarded {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test(backends) => test(&backends.features()).map(|()| ExitCode::SUCCESS),
        Task::Lint(backends) => lint(&backends.features()).map(|()| ExitCode::SUCCESS),
        Task::Reproduce(forwarded) => gradspectra("reproduce", &forwarded.arguments),
        Task::Run(forwarded) => gradspectra("run", &forwarded.arguments),
        Task::Pretrain(forwarded) => gradspectra("pretrain", &forwarded.arguments),
        Task::Plan(forwarded) => gradspectra("plan", &forwarded.arguments),
        Task::Tasks(forwarded) => gradspectra("tasks", &forwarded.arguments),
        Task::Merge(forwarded) => gradspectra("merge", &forwarded.arguments),
        Task::Submit(forwarded) => gradspectra("submit", &forwarded.arguments),
        Task::List(forwarded) => gradspectra("list", &forwarded.arguments),
        Task::Analyze(forwarded) => gradspectra("analyze", &forwarded.arguments),
        Task::Fit(forwarded) => gradspectra("fit", &forwarded.arguments),
        Task::Track(forwarded) => gradspectra("track", &forwarded.arguments),
        Task::Man(forwarded) => gradspectra("man", &forwarded.arguments),
        Task::Bench { packages } => bench::run(&packages).map(|()| ExitCode::SUCCESS),
        Task::Torture(options) => torture::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Report(forwarded) => gradspectra("report", &forwarded.arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Crates outside the workspace, as a user's is.
const OUTSIDE: [&str; 2] = ["examples/spirals/Cargo.toml", "examples/language-model/Cargo.toml"];

fn test(features: &str) -> anyhow::Result<()> {
    cargo(&["test", "--release", "--workspace", features], &[])?;
    for example in ["own_model", "own_dataset", "bring_gradients"] {
        cargo(&["run", "--release", "--package", "gradspectra", features, "--example", example], &[])?;
    }
    // They share what was built.
    let target = cargo::target_directory()?;
    let target = target.to_str().context("the target directory's name is no text")?;
    for manifest in OUTSIDE {
        cargo(&["test", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target], &[])?;
    }
    Ok(())
}

fn lint(features: &str) -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    for manifest in OUTSIDE {
        cargo(&["fmt", "--manifest-path", manifest, "--check"], &[])?;
    }
    cargo(&["clippy", "--release", "--workspace", features, "--all-targets", "--", "--deny", "warnings"], &[])?;
    cargo(&["doc", "--release", "--workspace", features, "--no-deps"], &[("RUSTDOCFLAGS", "--deny warnings")])
}

/// Builds the program, with the backend that the arguments name, runs it and hands on its exit status.
fn gradspectra(command: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let program = cargo::build(backend(arguments))?;
    let status = Command::new(&program)
        .arg(command)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// The value of `--backend`.
fn backend(arguments: &[String]) -> Option<&str> {
    let next = |index: usize| arguments.get(index + 1).map(String::as_str);
    arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix("--backend") {
        Some("") => next(index),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_backend_is_found_in_both_spellings() {
        let found = |line: &str| {
            let arguments: Vec<_> = line.split(' ').map(str::to_owned).collect();
            backend(&arguments).map(str::to_owned)
        };
        assert_eq!(found("--table 5 --backend cuda --quick").as_deref(), Some("cuda"));
        assert_eq!(found("--backend=wgpu").as_deref(), Some("wgpu"));
        assert_eq!(found("--table 5 --backend"), None);
        assert_eq!(found("--table 5"), None);
    }

    /// The tasks that a page names, each as its words: what is behind `cargo xtask`, up to the end of the code.
    fn documented(page: &str) -> Vec<Vec<&str>> {
        let code = page.split("cargo xtask").skip(1).map(|rest| rest.split(['`', '#', '|', '\n']).next().unwrap_or(""));
        code.map(|code| code.split_whitespace().collect()).filter(|words: &Vec<_>| !words.is_empty()).collect()
    }

    /// The tests of the program hold the arguments that are handed on to it.
    #[test]
    fn every_task_of_the_documentation_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let docs = std::fs::read_dir(root.join("docs")).expect("docs/").map(|entry| entry.expect("a page").path());
        let pages = docs.chain(["README.md", "CONTRIBUTING.md"].map(|page| root.join(page)));
        let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
        let mut named = Vec::new();
        for path in pages.filter(is_page) {
            for words in documented(&std::fs::read_to_string(&path).expect("a page of text")) {
                let fault = Arguments::try_parse_from(["cargo xtask"].iter().chain(&words)).err();
                assert!(fault.is_none(), "{}: {}: {}", path.display(), words.join(" "), fault.expect("some"));
                named.push(words[0].to_owned());
            }
        }
        for own in ["test", "lint", "bench", "torture"] {
            assert!(named.iter().any(|name| name == own), "no page names cargo xtask {own}");
        }
        for words in ["tset", "test --backend tpu", "torture --kill 2", "lint wgpu"] {
            assert!(Arguments::try_parse_from(["cargo xtask"].into_iter().chain(words.split(' '))).is_err(), "{words}");
        }
        Arguments::command().debug_assert();
    }
}
