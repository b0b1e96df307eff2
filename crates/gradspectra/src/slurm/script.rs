//! Batch scripts.

use std::fmt::Write;
use std::path::Path;

use gradspectra_report::quoted;
use gradspectra_run::{Error, PlannedTask, Result};

use super::Cluster;

/// Shares of the estimates that are asked for: machines differ, and a task that is cut off is lost.
const TIME_MARGIN: f64 = 3.0;
const MEMORY_MARGIN: f64 = 1.25;
/// Minutes beside, for start and shared file systems.
const START_MINUTES: f64 = 10.0;
/// What the last job may take: it reads results and draws.
const MERGE_BYTES: f64 = 1e9;
const MERGE_MINUTES: f64 = 60.0;

/// The script of a job array, a task of `tasks` an element.
pub(super) fn array(
    name: &str,
    tasks: &[&PlannedTask],
    cluster: &Cluster,
    folder: &Path,
    command: &[String],
) -> Result<String> {
    let largest = |value: fn(&PlannedTask) -> f64| tasks.iter().map(|task| value(task)).fold(0.0, f64::max);
    let mut options = vec![match cluster.at_once {
        Some(most) => format!("--array=1-{}%{most}", tasks.len()),
        None => format!("--array=1-{}", tasks.len()),
    }];
    options.push(format!("--cpus-per-task={}", cluster.cpus()));
    let minutes = TIME_MARGIN * largest(|task| task.seconds) / 60.0 + START_MINUTES;
    options.push(time(cluster.time.as_deref(), minutes));
    options.push(memory(MEMORY_MARGIN * largest(|task| task.memory as f64)));
    let gpus = cluster.gpus.unwrap_or(u32::from(tasks.iter().any(|task| task.gpu)));
    if gpus > 0 {
        options.push(format!("--gres=gpu:{gpus}"));
    }
    let mut text = head(name, "%x-%A-%a.log", options, cluster, folder)?;
    text += "tasks=(\n";
    for task in tasks {
        let _ = writeln!(text, "  {}", word(&task.id)?);
    }
    let _ = writeln!(text, ")\nexec {} \"${{tasks[SLURM_ARRAY_TASK_ID - 1]}}\"", line(command)?);
    Ok(text)
}

/// The script of the last job.
pub(super) fn merge(cluster: &Cluster, folder: &Path, command: &[String]) -> Result<String> {
    let options = vec!["--cpus-per-task=1".to_owned(), time(None, MERGE_MINUTES), memory(MERGE_BYTES)];
    let text = head("merge", "%x-%j.log", options, cluster, folder)?;
    Ok(format!("{text}exec {}\n", line(command)?))
}

fn time(asked: Option<&str>, minutes: f64) -> String {
    asked.map_or_else(|| format!("--time={:.0}", minutes.ceil()), |time| format!("--time={time}"))
}

fn memory(bytes: f64) -> String {
    format!("--mem={:.0}M", (bytes / f64::from(1 << 20)).ceil())
}

fn head(name: &str, log: &str, options: Vec<String>, cluster: &Cluster, folder: &Path) -> Result<String> {
    let named = |option: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{option}={value}"));
    let log = folder.join(log);
    let lines = [format!("--job-name=gradspectra-{name}"), format!("--output={}", log.display())]
        .into_iter()
        .chain(options)
        .chain(named("partition", &cluster.partition))
        .chain(named("account", &cluster.account))
        .chain(cluster.sbatch.iter().cloned());
    // Modules are a matter of login shells.
    let mut text = if cluster.modules.is_empty() { "#!/bin/bash\n" } else { "#!/bin/bash -l\n" }.to_owned();
    for option in lines {
        let _ = writeln!(text, "#SBATCH {}", option_word(&option)?);
    }
    text += "set -eu\n";
    for module in &cluster.modules {
        let _ = writeln!(text, "module load {}", word(module)?);
    }
    Ok(text)
}

/// An option as a line of sbatch's takes it, which knows quotes but no other shell.
fn option_word(option: &str) -> Result<String> {
    single_line(option)?;
    match option.split_once('=') {
        Some((name, value)) if value.contains(char::is_whitespace) => Ok(format!("{name}=\"{value}\"")),
        _ => Ok(option.to_owned()),
    }
}

/// A command line of bash.
fn line(words: &[String]) -> Result<String> {
    Ok(words.iter().map(|text| word(text)).collect::<Result<Vec<_>>>()?.join(" "))
}

/// `text` as one word of bash.
fn word(text: &str) -> Result<String> {
    single_line(text)?;
    Ok(quoted(text))
}

fn single_line(text: &str) -> Result<()> {
    match text.contains(char::is_control) {
        true => Err(Error::Setting {
            name: "a word of a batch script",
            found: format!("{text:?}"),
            mend: "give it without control characters".to_owned(),
        }),
        false => Ok(()),
    }
}
