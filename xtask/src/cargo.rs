//! Cargo, and the program that it builds.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

/// Runs cargo with `arguments` and expects it to succeed.
pub fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let status = Command::new(env!("CARGO"))
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
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cannot start cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    let directory = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(directory.into())
}
