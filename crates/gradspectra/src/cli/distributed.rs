//! The options of runs on many machines.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Run, Selection};
use crate::{Cluster, TableFormat};

/// The part of a run that this machine does.
#[derive(Debug, Args)]
pub(crate) struct Part {
    /// Does only these tasks, by the ids that `gradspectra tasks` lists, beside other processes that do other tasks in
    /// the same folder; writes no tables
    #[arg(long, num_args = 1.., value_name = "ID")]
    pub(crate) task: Vec<String>,
}

/// How far rows are taken apart.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Split {
    /// Has the Gram matrix of each spectrum made in P parts, or as many as it has terms, by machines that each capture
    /// their part; the row's task adds them up, to the same bytes. Entries and rows along a run are not split
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parts: Option<u32>,
}

const TASKS_EXAMPLES: &str = "\
Examples:
  gradspectra tasks --table 5 --seeds 3
  gradspectra tasks --all --seeds 5 --format json
  gradspectra reproduce --table 5 --task table-5/random-b1/seed-1 table-5/random-b10/seed-1
  gradspectra tasks --table 5 --rows random-b100 --parts 4    each Gram matrix by four machines";

const MERGE_EXAMPLES: &str = "\
Examples:
  gradspectra merge first second --out results              two machines' folders
  gradspectra merge --out results --table 5 --seeds 3       tables and report, and what is missing";

const SUBMIT_EXAMPLES: &str = "\
Examples:
  gradspectra submit --table 5 --seeds 3 --partition cpu --account me
  gradspectra submit --all --cluster cluster.toml --dry-run
  gradspectra submit my.toml --sbatch=--qos=long --at-once 20
  gradspectra submit --table 5 --rows random-b100 --parts 4 --memory 1GB";

/// Which tasks are listed.
#[derive(Debug, Args)]
#[command(after_help = TASKS_EXAMPLES)]
pub(crate) struct Tasks {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// An experiment file of your own
    #[arg(value_name = "FILE", conflicts_with_all = ["table", "figure", "all"])]
    pub(crate) file: Option<PathBuf>,
    /// How they are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TasksFormat,
    #[command(flatten)]
    pub(crate) split: Split,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Which folders are joined, and the run that they are of.
#[derive(Debug, Args)]
#[command(after_help = MERGE_EXAMPLES)]
pub(crate) struct Merge {
    /// The folders, beside that of --out
    #[arg(value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// An experiment file of your own whose rows are expected
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "figure", "all"])]
    pub(crate) experiment: Option<PathBuf>,
    /// How tables are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TableFormat,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What is given to Slurm, and how.
#[derive(Debug, Args)]
#[command(after_help = SUBMIT_EXAMPLES)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// An experiment file of your own
    #[arg(value_name = "FILE", conflicts_with_all = ["table", "figure", "all"])]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) split: Split,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What Slurm is asked for.
#[derive(Debug, Args)]
pub(crate) struct ClusterOptions {
    /// A TOML file with these options: partition, account, time, memory, cpus, gpus, at-once, modules, sbatch
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// The partition
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
    /// The account
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// The time limit of a task, as sbatch takes it; three times the estimate without it
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// GPUs of a task; 1 without it, where the backend takes one
    #[arg(long, value_name = "N")]
    pub(crate) gpus: Option<u32>,
    /// Tasks that run at once at the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) at_once: Option<u32>,
    /// A module to load, or several
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) modules: Vec<String>,
    /// One more option of sbatch; may be repeated
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) sbatch: Vec<String>,
    /// Prints the scripts and submits nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl ClusterOptions {
    /// The options of the file, those of the command line in their place.
    pub(crate) fn resolved(&self, run: &Run) -> anyhow::Result<Cluster> {
        let mut cluster = self.cluster.as_deref().map(Cluster::read).transpose()?.unwrap_or_default();
        let given = |option: &Option<String>, file: Option<String>| option.clone().or(file);
        cluster.partition = given(&self.partition, cluster.partition);
        cluster.account = given(&self.account, cluster.account);
        cluster.time = given(&self.time, cluster.time);
        cluster.memory = run.memory.or(cluster.memory);
        cluster.cpus = run.threads.or(cluster.cpus);
        cluster.gpus = self.gpus.or(cluster.gpus);
        cluster.at_once = self.at_once.or(cluster.at_once);
        if !self.modules.is_empty() {
            cluster.modules.clone_from(&self.modules);
        }
        cluster.sbatch.extend_from_slice(&self.sbatch);
        Ok(cluster)
    }
}

/// How tasks are listed.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum TasksFormat {
    /// A line a task.
    #[default]
    Text,
    /// A JSON array, an object a task.
    Json,
}

impl Selection {
    /// Whether it names no experiment.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty() && self.figure.is_none() && !self.all
    }

    /// The options that make the same selection again.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let table = self.table.iter().flat_map(|table| ["--table".to_owned(), table.to_string()]);
        let figure = self.figure.iter().flat_map(|figure| ["--figure".to_owned(), figure.to_string()]);
        let rows = self.rows.iter().flat_map(|row| ["--rows".to_owned(), row.clone()]);
        table.chain(figure).chain(self.all.then(|| "--all".to_owned())).chain(rows).collect()
    }
}

impl Run {
    /// The options that decide the results of a run into `out`.
    ///
    /// # Errors
    ///
    /// A path is not text.
    pub(crate) fn arguments(&self, out: &Path) -> anyhow::Result<Vec<String>> {
        let mut words = vec!["--seed".to_owned(), self.seed.to_string(), "--seeds".to_owned(), self.seeds.to_string()];
        words.extend(self.quick.then(|| "--quick".to_owned()));
        words.extend(self.epochs.iter().flat_map(|epochs| ["--epochs".to_owned(), epochs.to_string()]));
        words.extend(["--backend".to_owned(), self.backend.name().to_owned(), "--out".to_owned(), absolute(out)?]);
        words.extend(self.device.iter().flat_map(|device| ["--device".to_owned(), device.to_string()]));
        words.extend(["--keep-every".to_owned(), self.keep_every.to_string()]);
        words.extend(self.replace.then(|| "--replace".to_owned()));
        if let Some(folder) = &self.data_dir {
            words.extend(["--data-dir".to_owned(), absolute(folder)?]);
        }
        Ok(words)
    }
}

/// `path` as text that names the same file from every folder.
pub(crate) fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("{}: cannot be made absolute", path.display()))?;
    let text = path.to_str().with_context(|| format!("{}: is not UTF-8; batch scripts need it", path.display()))?;
    Ok(text.to_owned())
}
