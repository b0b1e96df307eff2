//! A run given to Slurm: job arrays of trainings, of parts and of rows, and a job that merges.

pub(crate) mod script;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gradspectra_experiment::Store;
use gradspectra_experiment::words::{Fault, lines::Lines};
use gradspectra_files as files;
use gradspectra_report::quoted;
use gradspectra_run::{Error, PlannedTask, Result, TaskGraph, TaskKind, memory};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What a cluster is asked for, beside what the tasks' estimates say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cluster {
    /// The partition.
    pub partition: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The time limit of a task as sbatch takes it; from the estimates without one.
    pub time: Option<String>,
    /// The bytes of memory that a task may take, in the file as `8GB`.
    #[serde(deserialize_with = "bytes")]
    pub memory: Option<u64>,
    /// CPUs of a task; 2 without.
    pub cpus: Option<u32>,
    /// GPUs of a task; 1 without, where the backend takes one.
    pub gpus: Option<u32>,
    /// Tasks that run at once at the most.
    pub at_once: Option<u32>,
    /// Modules to load.
    pub modules: Vec<String>,
    /// More options of sbatch.
    pub sbatch: Vec<String>,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    memory::bytes(&text).map(Some).map_err(D::Error::custom)
}

impl Cluster {
    /// The CPUs of a task: the estimates are for 2.
    pub fn cpus(&self) -> u32 {
        self.cpus.unwrap_or(2)
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::io(path, "read", source))?;
        toml::from_str(&text).map_err(|error| {
            let lines = Lines::of(&text);
            let place = error.span().map_or(0, |span| span.start);
            let mut keys = lines.key_at(place);
            if error.message().starts_with("unknown field") {
                keys.pop();
            }
            let reason = format!("line {}: {}", lines.at(place), Fault::told(error.message(), keys).text);
            gradspectra_experiment::Error::Experiment { path: path.to_owned(), reason }.into()
        })
    }
}

/// A batch script and the jobs that come before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name: `trainings`, `parts`, `trained-parts`, `rows`, `trained-rows`, `summed-rows`, `merge`.
    pub name: &'static str,
    /// The names of the jobs that end before it starts.
    pub after: Vec<&'static str>,
    /// The script.
    pub script: String,
}

/// The jobs that do what is missing of a run, in their order; none where nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The jobs.
    pub jobs: Vec<Job>,
    folder: PathBuf,
}

impl Submission {
    /// The jobs for the tasks of `graph` that are not done, with results and logs in `store`, whose root is absolute.
    ///
    /// `task` is the command line that does the task whose id is put behind it, `merge` the one that ends the run.
    ///
    /// # Errors
    ///
    /// A word of an option or a command has more than one line.
    pub fn of(graph: &TaskGraph, cluster: &Cluster, store: &Store, task: &[String], merge: &[String]) -> Result<Self> {
        let folder = store.root().join("slurm");
        let rows: Vec<_> = graph.missing_rows().collect();
        let is_needed = |task: &&PlannedTask| !task.done && rows.iter().any(|row| row.needs.contains(&task.id));
        let needed = |kind| graph.tasks.iter().filter(move |task| task.kind == kind).filter(is_needed);
        let trainings: Vec<_> = needed(TaskKind::Training).collect();
        let waits =
            |task: &PlannedTask, others: &[&PlannedTask]| others.iter().any(|other| task.needs.contains(&other.id));
        let (trained_parts, parts): (Vec<_>, Vec<_>) = needed(TaskKind::Part).partition(|part| waits(part, &trainings));
        let (summed, rows): (Vec<_>, Vec<_>) =
            rows.iter().copied().partition(|row| waits(row, &parts) || waits(row, &trained_parts));
        let (trained, free): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| waits(row, &trainings));
        let arrays = [
            ("trainings", vec![], trainings.clone()),
            ("parts", vec![], parts),
            ("trained-parts", vec!["trainings"], trained_parts),
            ("rows", vec![], free),
            ("trained-rows", vec!["trainings"], trained),
            ("summed-rows", vec!["parts", "trained-parts"], summed),
        ];
        let mut jobs = Vec::new();
        for (name, mut after, tasks) in arrays.into_iter().filter(|(_, _, tasks)| !tasks.is_empty()) {
            after.retain(|name| jobs.iter().any(|job: &Job| job.name == *name));
            jobs.push(Job { name, after, script: script::array(name, &tasks, cluster, &folder, task)? });
        }
        if !jobs.is_empty() {
            let after = jobs.iter().map(|job| job.name).collect();
            jobs.push(Job { name: "merge", after, script: script::merge(cluster, &folder, merge)? });
        }
        Ok(Self { jobs, folder })
    }

    /// The scripts, each after a line that says how it is submitted.
    pub fn scripts(&self) -> String {
        let job = |job: &Job| {
            let dependency = dependency(job.after.iter().map(|name| name.to_uppercase()));
            let file = self.file(job);
            format!("### sbatch --parsable{dependency} {}\n{}\n", quoted(&file.to_string_lossy()), job.script)
        };
        self.jobs.iter().map(job).collect()
    }

    fn file(&self, job: &Job) -> PathBuf {
        self.folder.join(job.name).with_extension("sh")
    }
}

/// The option that lets a job start when others have ended, be it well or not: a row whose training failed says so, and
/// the others are done.
fn dependency(ids: impl Iterator<Item = String>) -> String {
    let ids = ids.collect::<Vec<_>>().join(":");
    if ids.is_empty() { String::new() } else { format!(" --dependency=afterany:{ids}") }
}

/// Writes the scripts, submits them, and gives the jobs' names and ids.
///
/// # Errors
///
/// Slurm is not there, the scripts cannot be written, or Slurm refuses one; those before it are submitted then.
pub fn submit(submission: &Submission) -> Result<Vec<(&'static str, String)>> {
    answer("sbatch", Command::new("sbatch").arg("--version"))?;
    let mut submitted: Vec<(&'static str, String)> = Vec::new();
    for job in &submission.jobs {
        let file = submission.file(job);
        files::write(&file, job.script.as_bytes())?;
        let ids = submitted.iter().filter(|(name, _)| job.after.contains(name)).map(|(_, id)| id.clone());
        let mut sbatch = Command::new("sbatch");
        sbatch.arg("--parsable").args(dependency(ids).split_whitespace()).arg(&file);
        let output = answer("sbatch", &mut sbatch)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let id = printed.trim().split(';').next().unwrap_or_default().to_owned();
        submitted.push((job.name, id));
        let ids: Vec<_> = submitted.iter().map(|(_, id)| id.as_str()).collect();
        files::write(&submission.folder.join(JOBS), ids.join(",").as_bytes())?;
    }
    Ok(submitted)
}

/// The file that holds the ids of the jobs that were submitted last.
const JOBS: &str = "jobs";

/// Refuses to go on while jobs of an earlier submission for `store` are queued or running.
///
/// # Errors
///
/// They are, with their ids; Slurm is not there.
pub fn ended(store: &Store) -> Result<()> {
    let Ok(ids) = fs::read_to_string(store.root().join("slurm").join(JOBS)) else { return Ok(()) };
    let mut squeue = Command::new("squeue");
    squeue.args(["--noheader", "--format=%A", "--jobs", ids.trim()]);
    let output = squeue.output().map_err(|error| refused("squeue", error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let forgotten = said.contains("Invalid job id");
    if !output.status.success() && !forgotten {
        return Err(Error::Slurm { command: "squeue", reason: said.trim().replace('\n', "; ") });
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut queued: Vec<_> = printed.split_whitespace().collect();
    queued.dedup();
    if queued.is_empty() {
        return Ok(());
    }
    let queued = queued.join(" ");
    let reason = format!("jobs {queued} of this run are queued or running; wait for them, or scancel {queued}");
    Err(Error::Slurm { command: "squeue", reason })
}

fn answer(name: &'static str, command: &mut Command) -> Result<Output> {
    let output = command.output().map_err(|error| refused(name, error))?;
    if output.status.success() {
        return Ok(output);
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(Error::Slurm { command: name, reason })
}

fn refused(command: &'static str, error: std::io::Error) -> Error {
    let reason = format!("cannot be started ({error}); run this where Slurm is, or see the scripts with --dry-run");
    Error::Slurm { command, reason }
}
