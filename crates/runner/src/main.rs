//! The program: reads the command line, runs it, and says what went wrong in one line.

mod cli;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{CommandFactory, Parser};
use gradspectra::data::DataRoot;
use gradspectra::{
    AnalyzeOptions, Experiment, Page, Report, Reporter, RunOptions, Store, Table, TaskKeys, Top, Verbosity, analyze,
    catalogue, fit_file, plan,
};

use cli::{Cli, Command, ReportFormat, Run, Selection};

fn main() -> ExitCode {
    let outcome = gradspectra::end_on_signals().map_err(Into::into).and_then(|()| execute(Cli::parse().command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_line(&error));
            ExitCode::from(exit_status(&error))
        }
    }
}

/// 1 for a report that is out of date, 2 for what failed.
fn exit_status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(gradspectra::Error::Stale { .. }) => 1,
        _ => 2,
    }
}

/// Our own errors name their causes; others are told with theirs.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = match error.downcast_ref::<gradspectra::Error>() {
        Some(error) => error.to_string(),
        None => format!("{error:#}"),
    };
    text.replace('\n', " ")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Reproduce { selection, run } => reproduce(selected(&selection)?, &run),
        Command::Run { file, rows, run } => reproduce(chosen(vec![Experiment::read(&file)?], &rows)?, &run),
        Command::Plan { selection, file, run } => {
            let experiments = match file {
                Some(file) => chosen(vec![Experiment::read(&file)?], &selection.rows)?,
                None => selected(&selection)?,
            };
            let experiments = shortened(experiments, &run)?;
            let out = out(&run);
            let store = out.is_dir().then(|| Store::open(&out)).transpose()?;
            print(&plan::plan(&experiments, &seeds(&run), run.backend, &data_root(&run)?, store.as_ref())?)
        }
        Command::List { table } => list(table),
        Command::Analyze { file, orientation, tensor, top, seed, threads, memory, out, format, quiet } => {
            set_threads(threads)?;
            let reporter = Reporter::new(if quiet { Verbosity::Quiet } else { Verbosity::Normal });
            let options = AnalyzeOptions { orientation, tensor, top, seed, memory, out, reporter };
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
            clap_complete::generate(shell, &mut Cli::command(), "gradspectra", &mut script);
            print(&String::from_utf8(script)?)
        }
    }
}

fn set_threads(threads: Option<u32>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize);
        pool.build_global().context("--threads cannot be set")?;
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
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

fn reproduce(experiments: Vec<Experiment>, run: &Run) -> anyhow::Result<()> {
    set_threads(run.threads)?;
    let shortened = shortened(experiments.clone(), run)?;
    plan::check_memory(&shortened, run.memory)?;
    let mut store = Store::open(&out(run))?;
    store.lock()?;
    let verbosity = if run.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let reporter = Reporter::new(verbosity);
    let options = RunOptions {
        seeds: seeds(run),
        backend: run.backend,
        device: run.device,
        data_dir: run.data_dir.clone(),
        fresh: run.fresh,
        long: run.long,
        reporter,
    };
    let keys = TaskKeys::of(&shortened, &options.seeds, run.backend, &data_root(run)?)?;
    let outcome = gradspectra::run(&shortened, &store, &options);
    let shown = show(&experiments, &keys, &store, &options, run);
    outcome?;
    shown
}

/// Prints and writes the tables, and writes plots and the report.
fn show(
    experiments: &[Experiment],
    keys: &TaskKeys,
    store: &Store,
    options: &RunOptions,
    run: &Run,
) -> anyhow::Result<()> {
    gradspectra::draw_missing(store, experiments, &options.seeds)?;
    for experiment in experiments {
        let name = &experiment.name;
        let table = Table::of(experiment, &options.seeds, |row, seed| {
            store.result(name, &row.id, seed, Some(keys.get(name, &row.id, seed)?))
        });
        if table.rows.iter().any(|row| !row.seeds.is_empty()) {
            table.write(store)?;
        }
        print(&table.format(run.format))?;
    }
    match Report::of(store) {
        Ok(report) => {
            report.write(Page::Html)?;
            if !run.quiet {
                eprintln!("report: {}", report.file(Page::Html).display());
            }
        }
        Err(gradspectra::Error::Unfit { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if !run.quiet {
        eprintln!("results: {}", store.root().display());
    }
    Ok(())
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
    if check {
        return Ok(report.check(page)?);
    }
    report.write(page)?;
    print(&format!("{}\n", report.file(page).display()))
}

fn list(table: Option<u32>) -> anyhow::Result<()> {
    let names: Vec<String> = match table {
        Some(table) => vec![format!("table-{table}")],
        None => catalogue::names().map(str::to_owned).collect(),
    };
    let mut text = String::new();
    for name in names {
        let experiment = catalogue::experiment(&name)?;
        let heading = gradspectra::wrapped(&format!("{name}: {}", experiment.caption));
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
