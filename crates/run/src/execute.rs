//! Runs tasks: examples to gradients, gradients to spectra, spectra to verdicts.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::Device;
use gradspectra_data::{DataRoot, FileProvenance, LabelCorruption, Split};
use gradspectra_experiment::{Backend, Experiment, PositionReport, RowResult, Store};
use gradspectra_files::counted;
use gradspectra_models::{Facts, Model};
use gradspectra_report::draw;

use crate::backend::{device, in_words, is_software, report};
use crate::captured::Captured;
use crate::error::{Error, Result};
use crate::estimate::plan::check_patience;
use crate::position::{PositionSpec, Positions, TestSource, stored};
use crate::progress::{Download, Reporter};
use crate::schedule::kept::check_tasks_kept;
use crate::schedule::task::{Task, tasks};
use crate::schedule::terms::Part;
use crate::seeds::Purpose;
use crate::subject::{LoadedSet, Loading, Seen, Set, load, network, source};
use crate::{estimate::memory, minibatches};

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The seeds of every row.
    pub seeds: Vec<u64>,
    /// The backend.
    pub backend: Backend,
    /// The index of the backend's device; the best one without it.
    pub device: Option<usize>,
    /// The folder of the data sets; searched for without one.
    pub data_dir: Option<PathBuf>,
    /// Computes rows anew that are done.
    pub fresh: bool,
    /// Computes rows anew in the place of finished results of other settings, data or versions, which are kept without.
    pub replace: bool,
    /// Trains for hours on the CPU.
    pub long: bool,
    /// How often a training is saved while it goes on.
    pub keep_every: Duration,
    /// The bytes of memory that rows may take.
    pub memory: u64,
    /// Tells the progress.
    pub reporter: Reporter,
}

/// Runs every row of `experiments` at every seed and writes its result to `store`; skips what is done.
///
/// Rows that fail are told and left out; the others are run all the same.
///
/// # Errors
///
/// What keeps all rows from being run, finished results of other settings, a full disk, or after the others are done, the
/// first row that failed.
pub fn run(experiments: &[Experiment], store: &Store, options: &RunOptions) -> Result<()> {
    let data = DataRoot::new(options.data_dir.clone())?;
    let groups = tasks(experiments, &options.seeds, options.backend, &data)?;
    if !options.replace {
        check_tasks_kept(groups.iter().flatten(), store)?;
    }
    run_groups(groups, &data, store, options)
}

/// Runs `groups` of tasks at one position each, as [`run`] does.
pub(crate) fn run_groups(groups: Vec<Vec<Task>>, data: &DataRoot, store: &Store, options: &RunOptions) -> Result<()> {
    let device = device(options.backend, options.device)?.autodiff();
    let threads = counted(rayon::current_num_threads(), "threads");
    let report = report(&device, options.device);
    let backend = options.backend.name();
    let line = format!("{} on {backend}{}, {threads}", gradspectra_experiment::program(), in_words(report.as_ref()));
    match report.is_some_and(|report| is_software(&report.name)) {
        true => options.reporter.line(line),
        false => options.reporter.detail(line),
    }
    let mut failure = None;
    for mut group in groups {
        if !options.fresh {
            group.retain(|task| {
                let done = task.is_done(store);
                if done {
                    options.reporter.line(format!("{}: done already", name(task)));
                }
                !done
            });
        }
        let Some(first) = group.first() else { continue };
        let at_hand = stored(store, &first.position.key()).is_some();
        let refusal = check_patience(&first.row, options.backend).err().filter(|_| !options.long && !at_hand);
        if let Some(refusal) = refusal {
            let refusal = first.failed(refusal);
            options.reporter.line(format!("{}: {refusal}", name(first)));
            failure = failure.or(Some(refusal));
            continue;
        }
        let group = Group::new(&group, &device, data, store, options);
        if let Err(error) = network(&group.position.model).and_then(|network| network.run(&group)) {
            let error = first.failed(error);
            if error.ends_the_run() {
                return Err(error);
            }
            failure = failure.or(Some(error));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Trains the position of `task`, unless it is there, and keeps it.
pub(crate) fn train(task: &Task, data: &DataRoot, store: &Store, options: &RunOptions) -> Result<()> {
    if !options.long {
        check_patience(&task.row, options.backend)?;
    }
    let device = device(options.backend, options.device)?.autodiff();
    let group = Group::new(std::slice::from_ref(task), &device, data, store, options);
    network(&group.position.model)?.train(&group)
}

/// Makes the terms `part` of the Gram matrix of `task`, as far as they are not there, and keeps them.
pub(crate) fn make_part(task: &Task, part: &Part, data: &DataRoot, store: &Store, options: &RunOptions) -> Result<()> {
    options.reporter.line(&part.id);
    let device = device(options.backend, options.device)?.autodiff();
    let group = Group::new(std::slice::from_ref(task), &device, data, store, options);
    network(&group.position.model)?.make_part(&group, part.terms.clone())
}

pub(crate) fn name(task: &Task) -> String {
    format!("{} {} (seed {})", task.experiment, task.row.id, task.seed)
}

/// Tasks at one position.
pub(crate) struct Group<'a> {
    pub(crate) tasks: &'a [Task],
    pub(crate) position: &'a PositionSpec,
    pub(crate) device: &'a Device,
    pub(crate) data: &'a DataRoot,
    pub(crate) store: &'a Store,
    pub(crate) options: &'a RunOptions,
}

impl<'a> Group<'a> {
    /// `tasks`, of which there is one at least, all at one position.
    pub(crate) fn new(
        tasks: &'a [Task],
        device: &'a Device,
        data: &'a DataRoot,
        store: &'a Store,
        options: &'a RunOptions,
    ) -> Self {
        Self { tasks, position: &tasks[0].position, device, data, store, options }
    }

    /// What is known of the data before they are loaded.
    pub(crate) fn facts(&self) -> Result<Facts> {
        let row = &self.tasks[0].row;
        source(&row.data_set)?.facts(row.load_options())
    }

    /// `model` at the position of the tasks, its report, and the seconds of training.
    fn place<M: Model>(&self, model: M, loaded: &dyn LoadedSet<M::Batch>) -> Result<(M, PositionReport, f64)> {
        let RunOptions { reporter, keep_every, .. } = *self.options;
        let positions = Positions { store: self.store, device: self.device, reporter, keep_every };
        positions.place(model, self.position, &self.tasks[0].row, loaded, self)
    }

    /// The examples of `split`, with the labels that the tasks have, and the files that they came from.
    pub(crate) fn load<B: 'static>(&self, split: Split) -> Result<Option<Set<B>>> {
        let row = &self.tasks[0].row;
        let mut download = Download::new(self.options.reporter);
        let mut progress = |name: &str, done: u64, total: u64| download.at(name, done, total);
        let loading = Loading { options: row.load_options(), root: self.data, progress: &mut progress };
        let Some(mut loaded) = load::<B>(&row.data_set, split, loading)? else { return Ok(None) };
        if split == Split::Train {
            loaded.set.corrupt_labels(self.position.labels, Purpose::Labels.seed(self.tasks[0].own_seed()))?;
            for file in &loaded.files {
                let (name, listed) = (&file.name, if file.listed { "listed" } else { "not listed" });
                self.options.reporter.detail(format!("data: {name}, SHA-256 {}… ({listed})", &file.sha256[..16]));
            }
        }
        Ok(Some(loaded))
    }

    /// The training examples, of which the tasks' minibatches can be drawn: data at hand may be fewer than the data set is
    /// known to have.
    pub(crate) fn load_training<B: 'static>(&self) -> Result<Set<B>> {
        let none = || Error::Unfit { reason: format!("the data set {} has no examples", self.tasks[0].row.data_set) };
        let loaded = self.load(Split::Train)?.ok_or_else(none)?;
        let examples = loaded.set.examples().len();
        for task in self.tasks {
            minibatches::check(&task.row, examples).map_err(|error| task.failed(error))?;
        }
        Ok(loaded)
    }

    /// The training examples as the network sees them at capture, where that is another way than they are.
    pub(crate) fn seen<B>(&self, loaded: &dyn LoadedSet<B>) -> Result<Option<Box<dyn LoadedSet<B>>>> {
        let first = &self.tasks[0];
        let (labels, inputs) = (first.row.capture_labels, first.row.capture_inputs);
        if labels == LabelCorruption::None && !inputs.is_noise() {
            return Ok(None);
        }
        let seed = |purpose: Purpose| purpose.seed(first.own_seed());
        let noise_seed = inputs.is_noise().then(|| seed(Purpose::CaptureInputs));
        loaded.seen(Seen { labels, labels_seed: seed(Purpose::CaptureLabels), noise_seed }).map(Some)
    }
}

impl<B: 'static> TestSource<B> for Group<'_> {
    fn test_examples(&self) -> Result<Option<Box<dyn LoadedSet<B>>>> {
        Ok(self.load(Split::Test)?.map(|loaded| loaded.set))
    }
}

/// Runs the tasks of `group` with its network `model`.
pub(crate) fn run_at<M: Model>(model: M, group: &Group) -> Result<()> {
    let reporter = group.options.reporter;
    let Set { set, files } = group.load_training()?;
    let (model, position, training) = group.place(model, &*set)?;
    let seen = group.seen(&*set)?;
    let examples = seen.as_deref().unwrap_or(&*set).examples();
    let mut captured = Captured::new(&model, examples, group.tasks, group.device, reporter, group.options.memory)?;
    captured = captured.with_terms(group.store);
    captured.timings.training = training;
    let mut failure = None;
    for task in group.tasks {
        reporter.line(name(task));
        let outcome = row(group, &mut captured, task, &position, &files);
        if let Err(error) = outcome {
            let error = task.failed(error);
            if error.ends_the_run() {
                return Err(error);
            }
            reporter.line(format!("  failed: {error}"));
            failure = failure.or(Some(error));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Trains the network `model` of `group` without its rows.
pub(crate) fn train_at<M: Model>(model: M, group: &Group) -> Result<()> {
    let loaded = group.load_training()?;
    group.place(model, &*loaded.set)?;
    Ok(())
}

/// Makes some terms of the Gram matrix of the task of `group`, whose network is `model`.
pub(crate) fn make_part_at<M: Model>(model: M, group: &Group, terms: Range<usize>) -> Result<()> {
    let Group { tasks, device, options, store, .. } = *group;
    let Set { set, .. } = group.load_training()?;
    let (model, ..) = group.place(model, &*set)?;
    let seen = group.seen(&*set)?;
    let examples = seen.as_deref().unwrap_or(&*set).examples();
    let captured = Captured::new(&model, examples, tasks, device, options.reporter, options.memory)?;
    captured.with_terms(store).make_part(&tasks[0], terms, store)
}

fn row<M: Model>(
    group: &Group,
    captured: &mut Captured<M>,
    task: &Task,
    position: &PositionReport,
    files: &[FileProvenance],
) -> Result<()> {
    memory::forget_peak();
    let analysed = captured.analyse(task)?;
    captured.timings.peak_memory = memory::peak();
    let result = RowResult {
        program: gradspectra_experiment::program(),
        task: task.key.clone(),
        experiment: task.experiment.clone(),
        row: task.row.clone(),
        seed: task.seed,
        backend: group.options.backend,
        device: report(group.device, group.options.device),
        data_files: files.to_vec(),
        position: position.clone(),
        capture: analysed.capture,
        finding: analysed.finding,
    };
    let timings = std::mem::take(&mut captured.timings);
    group.store.write(&result, analysed.eigenvalues.as_deref(), &timings)?;
    let file = group.store.row_file(&task.experiment, &task.row.id, task.seed, "json");
    group.options.reporter.detail(format!("written: {}", file.display()));
    Ok(draw(group.store, &result)?)
}
