//! Runs on many machines: their tasks, their results joined, and Slurm.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gradspectra_files::counted;
use gradspectra_run::{Error, memory};

use super::{check_kept, chosen, data_root, options, out, print, seeds, selected, set_threads, shortened, show};
use crate::cli::distributed::{Merge, Split, Submit, Tasks, TasksFormat, absolute};
use crate::cli::{Run, Selection};
use crate::{
    Experiment, GraphOptions, Merged, PlannedTask, Reporter, Store, Submission, TaskGraph, TaskKeys, TaskKind,
    check_tasks, ended, forget_terms, run_tasks,
};

/// The experiments of a selection or of a file.
pub(super) fn experiments(selection: &Selection, file: Option<&Path>) -> anyhow::Result<Vec<Experiment>> {
    match file {
        Some(file) => chosen(vec![Experiment::read(file)?], &selection.rows),
        None => selected(selection),
    }
}

/// The tasks of a run, with what is done of them in its folder.
fn graph(experiments: &[Experiment], run: &Run, budget: u64, split: Split, fresh: bool) -> anyhow::Result<TaskGraph> {
    let folder = out(run);
    let store = folder.is_dir().then(|| Store::at(&folder));
    let options = GraphOptions {
        seeds: &seeds(run),
        backend: run.backend,
        store: store.as_ref(),
        budget,
        parts: split.parts.unwrap_or(0) as usize,
        fresh,
    };
    Ok(TaskGraph::of(&shortened(experiments.to_vec(), run)?, &data_root(run)?, &options)?)
}

/// Rows that make their own Gram matrices.
const WHOLE: Split = Split { parts: None };

/// Lists the tasks of a run.
pub(super) fn list(tasks: &Tasks) -> anyhow::Result<()> {
    let experiments = experiments(&tasks.selection, tasks.file.as_deref())?;
    check_kept(&shortened(experiments.clone(), &tasks.run)?, &tasks.run, &data_root(&tasks.run)?)?;
    let graph = graph(&experiments, &tasks.run, tasks.run.memory.unwrap_or(u64::MAX), tasks.split, tasks.run.fresh)?;
    print(&match tasks.format {
        TasksFormat::Text => graph.to_string(),
        TasksFormat::Json => serde_json::to_string_pretty(&graph)? + "\n",
    })
}

/// Does some tasks of a run.
pub(super) fn part(experiments: Vec<Experiment>, ids: &[String], run: &Run) -> anyhow::Result<()> {
    set_threads(run.threads)?;
    let (experiments, options) = (shortened(experiments, run)?, options(run));
    check_tasks(&experiments, ids, &Store::at(&out(run)), &options)?;
    let _ = crate::device(run.backend, run.device)?;
    let mut store = Store::open(&out(run))?;
    store.share(ids)?;
    Ok(run_tasks(&experiments, ids, &store, &options)?)
}

/// Trains the positions of a run.
pub(super) fn pretrain(experiments: &[Experiment], run: &Run) -> anyhow::Result<()> {
    let graph = graph(experiments, run, u64::MAX, WHOLE, false)?;
    let trainings: Vec<_> = graph.tasks.iter().filter(|task| task.kind == TaskKind::Training).collect();
    if trainings.is_empty() {
        bail!("no row trains; name rows that do with --rows");
    }
    let missing: Vec<String> = trainings.iter().filter(|task| !task.done).map(|task| task.id.clone()).collect();
    if !missing.is_empty() {
        part(experiments.to_vec(), &missing, run)?;
    }
    let weights = trainings.iter().map(|task| out(run).join(&task.id).with_extension("safetensors"));
    print(&weights.map(|file| format!("{}\n", file.display())).collect::<String>())
}

/// Joins folders into that of the run, writes tables and report, and says what is missing.
pub(super) fn join(merge: &Merge) -> anyhow::Result<()> {
    let Merge { folders, selection, experiment, format, run } = merge;
    let experiments = match selection.is_empty() && experiment.is_none() {
        true => Vec::new(),
        false => experiments(selection, experiment.as_deref())?,
    };
    if let Some(missing) = folders.iter().find(|folder| !folder.is_dir()) {
        bail!("{}: there is no such folder; name folders of results", missing.display());
    }
    let sources = folders.iter().map(|folder| Store::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let options = options(run);
    let shortened = shortened(experiments.clone(), run)?;
    check_kept(&shortened, run, &data_root(run)?)?;
    let mut store = Store::open(&out(run))?;
    store.lock()?;
    let keys = TaskKeys::of(&shortened, &options.seeds, run.backend, &data_root(run)?)?;
    let merged = crate::merge(&sources, &store, &keys)?;
    let Merged { results, tracks, positions, terms, .. } = merged;
    let joined = [(results, "results"), (positions, "trained positions"), (terms, "terms"), (tracks, "tracks")];
    options.reporter.line(format!("joined: {}", joined.map(|(count, noun)| counted(count, noun)).join(", ")));
    for file in &merged.left_out {
        options.reporter.line(format!("left out, as it is not whole or of another spec: {}", file.display()));
    }
    forget_terms(&shortened, &options.seeds, run.backend, &data_root(run)?, &store)?;
    show(&experiments, &keys, &store, &options, *format)?;
    let graph = graph(&experiments, run, u64::MAX, WHOLE, false)?;
    let missing: Vec<_> = graph.missing_rows().map(|task| task.id.clone()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let all = graph.tasks.iter().filter(|task| task.kind == TaskKind::Row).count();
    Err(Error::Incomplete { missing, all }.into())
}

/// Gives what is missing of a run to Slurm, or prints the scripts.
pub(super) fn send(submit: &Submit) -> anyhow::Result<()> {
    let Submit { selection, file, cluster, split, run } = submit;
    let file = file.as_deref();
    let asked = cluster.resolved(run)?;
    let budget = asked.memory.unwrap_or(u64::MAX);
    let experiments = experiments(selection, file)?;
    check_kept(&shortened(experiments.clone(), run)?, run, &data_root(run)?)?;
    let graph = graph(&experiments, run, budget, *split, run.fresh)?;
    let captures = |task: &&PlannedTask| task.kind != TaskKind::Training && !task.done;
    graph.tasks.iter().filter(captures).try_for_each(|task| memory::check(&task.id, task.memory, budget))?;

    let folder = PathBuf::from(absolute(&out(run))?);
    let store = Store::at(&folder);
    let [mut task, merge] = command_lines(selection, file, run, &folder)?;
    let most = graph.tasks.iter().map(|task| task.memory).max().unwrap_or(0);
    task.extend(["--memory", &most.to_string(), "--threads", &asked.cpus().to_string(), "--task"].map(str::to_owned));
    let submission = Submission::of(&graph, &asked, &store, &task, &merge)?;
    if cluster.dry_run {
        return print(&submission.scripts());
    }
    ended(&store)?;
    if submission.jobs.is_empty() {
        Reporter::new(run.loudness.into()).line("nothing is missing");
    }
    for (name, id) in crate::submit(&submission)? {
        print(&format!("{name}: job {id}\n"))?;
    }
    Ok(())
}

/// The command lines that do a task, but for what follows from the graph, and that end the run.
fn command_lines(
    selection: &Selection,
    file: Option<&Path>,
    run: &Run,
    folder: &Path,
) -> anyhow::Result<[Vec<String>; 2]> {
    let program = absolute(&std::env::current_exe().context("this program's path is not known")?)?;
    let file = file.map(absolute).transpose()?;
    let (mut task, mut merge) = (vec![program.clone()], vec![program, "merge".to_owned()]);
    match file {
        Some(file) => {
            task.extend(["run".to_owned(), file.clone()]);
            merge.extend(["--experiment".to_owned(), file]);
        }
        None => task.push("reproduce".to_owned()),
    }
    let again = [selection.arguments(), run.arguments(folder)?].concat();
    task.extend_from_slice(&again);
    merge.extend(again);
    let given = [(run.fresh, "--fresh"), (run.long, "--long")].into_iter().filter(|(given, _)| *given);
    task.extend(given.map(|(_, option)| option.to_owned()));
    Ok([task, merge])
}
