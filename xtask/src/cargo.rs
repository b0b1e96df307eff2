//! Cargo, and the program that it builds.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

/// Cargo as a user starts it: what `cargo run` tells this program of its package would make build scripts run again.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO"));
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
}

/// Runs cargo with `arguments` and expects it to succeed.
pub fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let status = command()
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .with_context(|| format!("cannot start {line}"))?;
    ensure!(status.success(), "{line} failed");
    Ok(())
}

/// Builds the program `gradspectra`, with `backend` in it, and gives its path.
pub fn build(backend: Option<&str>) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["build", "--release", "--package", "gradspectra"];
    if let Some(feature @ ("cuda" | "wgpu")) = backend {
        arguments.extend(["--features", feature]);
    }
    cargo(&arguments, &[])?;
    let program = format!("gradspectra{}", std::env::consts::EXE_SUFFIX);
    Ok(target_directory()?.join("release").join(program))
}

/// Where cargo builds to, as its settings and environment say.
pub fn target_directory() -> anyhow::Result<PathBuf> {
    let output = command()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cannot start cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    let directory = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(directory.into())
}
