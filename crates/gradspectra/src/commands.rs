//! What each command does.

mod distributed;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use gradspectra_experiment::catalogue;
use gradspectra_matrix::analyze;
use gradspectra_run::{memory, plan, track};

use crate::cli::distributed::Part;
use crate::cli::{Command, ReportFormat, Run, Selection};
use crate::data::DataRoot;
use crate::program::command_line;
use crate::{
    AnalyzeOptions, Experiment, Page, Report, Reporter, RunOptions, Store, Table, TableFormat, TaskKeys, Top, Track,
    Verbosity, fit_file, followed,
};

/// Does it and prints what comes of it.
pub(crate) fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Reproduce { selection, format, part, run } => reproduce(selected(&selection)?, format, &part, &run),
        Command::Run { file, rows, format, part, run } => {
            reproduce(chosen(vec![Experiment::read(&file)?], &rows)?, format, &part, &run)
        }
        Command::Tasks(tasks) => distributed::list(&tasks),
        Command::Merge(merge) => distributed::join(&merge),
        Command::Submit(submit) => distributed::send(&submit),
        Command::Pretrain { selection, file, run } => {
            distributed::pretrain(&distributed::experiments(&selection, file.as_deref())?, &run)
        }
        Command::Plan { selection, file, run } => {
            let experiments = shortened(distributed::experiments(&selection, file.as_deref())?, &run)?;
            let out = out(&run);
            let store = out.is_dir().then(|| Store::at(&out));
            let (seeds, data, budget) = (seeds(&run), data_root(&run)?, memory::budget(run.memory));
            check_kept(&experiments, &run, &data)?;
            print(&plan::plan(&experiments, &seeds, run.backend, &data, store.as_ref(), budget)?)
        }
        Command::Track { file, every, rows, format, run } => {
            let mut experiments = shortened(chosen(vec![Experiment::read(&file)?], &rows)?, &run)?;
            let experiment = followed(experiments.remove(0), !rows.is_empty())?;
            print(&format.text(&follow(&experiment, every as usize, &run)?))
        }
        Command::List { table } => list(&table),
        Command::Analyze { file, orientation, tensor, top, seed, threads, memory, out, replace, format, loudness } => {
            set_threads(threads)?;
            let reporter = Reporter::new(loudness.into());
            let memory = memory::budget(memory);
            let options = AnalyzeOptions { orientation, tensor, top, seed, memory, out, replace, reporter };
            let report = analyze(&file, &options)?;
            print(&match format {
                ReportFormat::Text => report.to_string(),
                ReportFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
            })
        }
        Command::Fit { file, top, scan, seed, format } => {
            let choice = match (top, scan) {
                (_, true) => Top::Scanned,
                (Some(top), _) => Top::Given(top),
                (None, _) => Top::Default,
            };
            let fit = fit_file(&file, choice, seed)?;
            print(&match format {
                ReportFormat::Text => fit.to_string(),
                ReportFormat::Json => serde_json::to_string_pretty(&fit)? + "\n",
            })
        }
        Command::Report { out, format, check } => report(&out, format, check),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_line(), gradspectra_experiment::identity().name, &mut script);
            print(&String::from_utf8(script)?)
        }
        Command::Man { folder } => manual(&folder),
    }
}

fn set_threads(threads: Option<u32>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize);
        pool.build_global().context("--threads cannot be set")?;
    }
    Ok(())
}

/// Prints `text`, with its colours where standard output is a terminal that is to have some.
fn print(text: &str) -> anyhow::Result<()> {
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

fn chosen(mut experiments: Vec<Experiment>, rows: &[String]) -> anyhow::Result<Vec<Experiment>> {
    if !rows.is_empty() {
        Experiment::select(&mut experiments, rows)?;
    }
    Ok(experiments)
}

fn selected(selection: &Selection) -> anyhow::Result<Vec<Experiment>> {
    let names: Vec<String> = match selection.all {
        true => catalogue::names().map(str::to_owned).collect(),
        false => {
            let tables = selection.table.iter().map(|table| format!("table-{table}"));
            tables.chain(selection.figure.map(|figure| format!("figure-{figure}"))).collect()
        }
    };
    if names.is_empty() {
        bail!("no table is named; give --table N, --figure N or --all");
    }
    let experiments = names.iter().map(|name| catalogue::experiment(name)).collect::<Result<Vec<_>, _>>()?;
    chosen(experiments, &selection.rows)
}

fn seeds(run: &Run) -> Vec<u64> {
    (run.seed..).take(run.seeds as usize).collect()
}

fn out(run: &Run) -> PathBuf {
    let default = if run.quick { "results-quick" } else { "results" };
    run.out.clone().unwrap_or_else(|| default.into())
}

/// The experiments as they are run: `--quick` and `--epochs` shorten them.
fn shortened(mut experiments: Vec<Experiment>, run: &Run) -> anyhow::Result<Vec<Experiment>> {
    for experiment in &mut experiments {
        for row in &mut experiment.rows {
            if run.quick {
                row.shorten();
            }
            if let Some(epochs) = run.epochs {
                row.train_for(epochs as usize);
            }
        }
        experiment.check()?;
    }
    Ok(experiments)
}

fn reproduce(experiments: Vec<Experiment>, format: TableFormat, part: &Part, run: &Run) -> anyhow::Result<()> {
    if !part.task.is_empty() {
        return distributed::part(experiments, &part.task, run);
    }
    set_threads(run.threads)?;
    let shortened = shortened(experiments.clone(), run)?;
    let options = options(run);
    let (data, found) = (data_root(run)?, Store::at(&out(run)));
    check_kept(&shortened, run, &data)?;
    memory::check_memory(&shortened, &options.seeds, run.backend, &data, options.memory, Some(&found))?;
    let _ = crate::device(run.backend, run.device)?;
    let mut store = Store::open(&out(run))?;
    store.lock()?;
    let keys = TaskKeys::of(&shortened, &options.seeds, run.backend, &data)?;
    let outcome = crate::run(&shortened, &store, &options);
    crate::forget_terms(&shortened, &options.seeds, run.backend, &data, &store)?;
    let shown = show(&experiments, &keys, &store, &options, format);
    outcome?;
    shown
}

/// Refuses a run that would replace finished results of another, unless it is to.
fn check_kept(experiments: &[Experiment], run: &Run, data: &DataRoot) -> anyhow::Result<()> {
    if !run.replace {
        crate::check_kept(experiments, &seeds(run), run.backend, data, &Store::at(&out(run)))?;
    }
    Ok(())
}

fn options(run: &Run) -> RunOptions {
    RunOptions {
        seeds: seeds(run),
        backend: run.backend,
        device: run.device,
        data_dir: run.data_dir.clone(),
        fresh: run.fresh,
        replace: run.replace,
        long: run.long,
        keep_every: Duration::from_secs_f64(run.keep_every),
        memory: memory::budget(run.memory),
        reporter: Reporter::new(run.loudness.into()),
    }
}

/// Writes the tables, plots and the report, and prints the tables last: whoever reads them may go.
fn show(
    experiments: &[Experiment],
    keys: &TaskKeys,
    store: &Store,
    options: &RunOptions,
    format: TableFormat,
) -> anyhow::Result<()> {
    let tables = experiments.iter().map(|experiment| {
        let name = &experiment.name;
        Table::of(experiment, &options.seeds, |row, seed| {
            store.result(name, &row.id, seed, Some(keys.get(name, &row.id, seed)?))
        })
    });
    let tables: Vec<Table> = tables.collect();
    let written = write(experiments, &tables, store, options);
    let text = |table: &Table| match format {
        TableFormat::Text => table.coloured(),
        format => table.format(format),
    };
    print(&tables.iter().map(text).collect::<String>())?;
    written
}

fn write(experiments: &[Experiment], tables: &[Table], store: &Store, options: &RunOptions) -> anyhow::Result<()> {
    crate::draw_missing(store, experiments, &options.seeds)?;
    for table in tables.iter().filter(|table| table.rows.iter().any(|row| !row.seeds.is_empty())) {
        table.write(store)?;
    }
    match Report::of(store) {
        Ok(report) => {
            report.write(Page::Html)?;
            options.reporter.line(format!("report: {}", report.file(Page::Html).display()));
        }
        Err(gradspectra_experiment::Error::NoResult { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    options.reporter.line(format!("results: {}", store.root().display()));
    Ok(())
}

fn follow(experiment: &Experiment, every: usize, run: &Run) -> anyhow::Result<Vec<Track>> {
    set_threads(run.threads)?;
    let (options, experiments) = (options(run), std::slice::from_ref(experiment));
    memory::check_memory(experiments, &options.seeds, run.backend, &data_root(run)?, options.memory, None)?;
    crate::check_track(experiment, &Store::at(&out(run)), &options, every)?;
    let _ = crate::device(run.backend, run.device)?;
    let mut store = Store::open(&out(run))?;
    store.lock()?;
    let tracks = track(experiment, &store, &options, every)?;
    options.reporter.line(format!("plots: {}", store.experiment(&experiment.name).join("*/*.track.svg").display()));
    Ok(tracks)
}

fn data_root(run: &Run) -> anyhow::Result<DataRoot> {
    Ok(DataRoot::new(run.data_dir.clone())?)
}

fn report(out: &Path, page: Page, check: bool) -> anyhow::Result<()> {
    if !out.is_dir() {
        bail!("{}: there is no such folder; name that of the results with --out", out.display());
    }
    let store = Store::open(out)?;
    let report = Report::of(&store)?;
    let reporter = Reporter::new(Verbosity::Normal);
    for file in report.left_out() {
        reporter.line(format!("{}: is not whole, and left out; the run that made it makes it again", file.display()));
    }
    if check {
        return Ok(report.check(page)?);
    }
    report.write(page)?;
    print(&format!("{}\n", report.file(page).display()))
}

fn manual(folder: &Path) -> anyhow::Result<()> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command_line(), folder));
    written.with_context(|| format!("{}: cannot write the manual pages", folder.display()))?;
    print(&format!("{}\n", folder.join(format!("{}.1", gradspectra_experiment::identity().name)).display()))
}

fn list(tables: &[u32]) -> anyhow::Result<()> {
    let names: Vec<String> = match tables {
        [] => catalogue::names().map(str::to_owned).collect(),
        tables => tables.iter().map(|table| format!("table-{table}")).collect(),
    };
    let mut text = String::new();
    for name in names {
        let experiment = catalogue::experiment(&name)?;
        let heading = crate::wrapped(&format!("{name}: {}", experiment.caption));
        text += &(heading.join("\n") + "\n");
        let ids = experiment.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
        for row in &experiment.rows {
            let (model, data_set) = (row.model.to_string(), row.data_set.to_string());
            let (place, batch) = (row.position_title(), row.batch_size);
            let setting = row.setting.as_deref().unwrap_or("");
            let line = format!("  {:<ids$}  {model:<10} {data_set:<9} {place:<8} B {batch:<5} {setting}", row.id);
            text += line.trim_end();
            text.push('\n');
        }
    }
    print(&text)
}
