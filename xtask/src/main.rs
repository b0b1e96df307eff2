//! The workspace's tasks: `cargo xtask test` passes every check that continuous integration passes.

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the gradspectra workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test of the workspace.
    Test,
    /// Checks the formatting, lints and documentation.
    Lint,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test => cargo(&["test", "--release", "--workspace"], &[]),
        Task::Lint => lint(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn lint() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"], &[])?;
    cargo(&["doc", "--release", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "--deny warnings")])
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .with_context(|| format!("cannot start {line}"))?;
    ensure!(status.success(), "{line} failed");
    Ok(())
}
