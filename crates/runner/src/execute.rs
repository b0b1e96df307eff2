//! Runs tasks: examples to gradients, gradients to spectra, spectra to verdicts.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::Device;
use gradspectra_data::{
    DataRoot, Examples, FileProvenance, ImageSet, LabelCorruption, Normaliser, Split, load, load_images,
};
use gradspectra_models::{Classifier, LabelledInputs};

use crate::backend::{Backend, DeviceReport};
use crate::captured::Captured;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::memory;
use crate::model::ModelTask;
use crate::plan::check_patience;
use crate::plots;
use crate::position::{PositionSpec, Positions, TrainingSource, stored};
use crate::progress::{Download, Reporter};
use crate::result::{PositionReport, RowResult};
use crate::seeds::Purpose;
use crate::store::Store;
use crate::task::{Task, tasks};
use crate::terms::Part;

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
/// What keeps all rows from being run, a full disk, or after the others are done, the first row that failed.
pub fn run(experiments: &[Experiment], store: &Store, options: &RunOptions) -> Result<()> {
    let data = DataRoot::new(options.data_dir.clone())?;
    run_groups(tasks(experiments, &options.seeds, options.backend, &data)?, &data, store, options)
}

/// Runs `groups` of tasks at one position each, as [`run`] does.
pub(crate) fn run_groups(groups: Vec<Vec<Task>>, data: &DataRoot, store: &Store, options: &RunOptions) -> Result<()> {
    let device = options.backend.device(options.device)?.autodiff();
    let threads = rayon::current_num_threads();
    options.reporter.detail(format!("{} on {}, {threads} threads", crate::PROGRAM, options.backend.name()));
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
            let refusal = in_row(first, refusal);
            options.reporter.line(format!("{}: {refusal}", name(first)));
            failure = failure.or(Some(refusal));
            continue;
        }
        let outcome = Group { tasks: &group, position: &first.position, device: &device, data, store, options };
        if let Err(error) = outcome.run() {
            let error = in_row(first, error);
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
    let device = options.backend.device(options.device)?.autodiff();
    let tasks = std::slice::from_ref(task);
    Group { tasks, position: &task.position, device: &device, data, store, options }.train()
}

/// Makes the terms `part` of the Gram matrix of `task`, as far as they are not there, and keeps them.
pub(crate) fn make_part(task: &Task, part: &Part, data: &DataRoot, store: &Store, options: &RunOptions) -> Result<()> {
    options.reporter.line(&part.id);
    let device = options.backend.device(options.device)?.autodiff();
    let tasks = std::slice::from_ref(task);
    let group = Group { tasks, position: &task.position, device: &device, data, store, options };
    let (examples, _) = group.load(Split::Train)?;
    let terms = part.terms.clone();
    let part = PartTask { group: &group, examples: &examples, terms };
    group.position.model.with(examples.shape(), examples.classes(), &device, part)
}

pub(crate) fn name(task: &Task) -> String {
    format!("{} {} (seed {})", task.experiment, task.row.id, task.seed)
}

pub(crate) fn in_row(task: &Task, error: Error) -> Error {
    if matches!(error, Error::Row { .. }) {
        return error;
    }
    Error::Row {
        experiment: task.experiment.clone(),
        row: task.row.id.clone(),
        seed: task.seed,
        source: Box::new(error),
    }
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

impl Group<'_> {
    fn run(&self) -> Result<()> {
        let (examples, files) = self.load(Split::Train)?;
        let (shape, classes) = (examples.shape().to_vec(), examples.classes());
        let task = GroupTask { group: self, examples: &examples, files: &files };
        self.position.model.with(&shape, classes, self.device, task)
    }

    fn train(&self) -> Result<()> {
        let (examples, _) = self.load(Split::Train)?;
        let task = PositionTask { group: self, examples: &examples };
        self.position.model.with(examples.shape(), examples.classes(), self.device, task)
    }

    /// `model` at the position of the tasks, its report, and the seconds of training.
    fn place<M: Classifier>(&self, model: M, examples: LabelledInputs) -> Result<(M, PositionReport, f64)> {
        let RunOptions { reporter, keep_every, .. } = *self.options;
        let positions = Positions { store: self.store, device: self.device, reporter, keep_every };
        positions.place(model, self.position, &self.tasks[0].row, examples, self)
    }

    /// The examples of `split`, with the labels that the tasks have, and the files that they came from.
    pub(crate) fn load(&self, split: Split) -> Result<(Examples, Vec<FileProvenance>)> {
        let position = self.position;
        let mut download = Download::new(self.options.reporter);
        let mut progress = |name: &str, done: u64, total: u64| download.at(name, done, total);
        let mut loaded = load(position.data_set, split, position.load_options(), self.data, &mut progress)?;
        if split == Split::Train {
            loaded.examples.corrupt_labels(position.labels, Purpose::Labels.seed(self.tasks[0].own_seed()))?;
            for file in &loaded.files {
                let (name, listed) = (&file.name, if file.listed { "listed" } else { "not listed" });
                self.options.reporter.detail(format!("data: {name}, SHA-256 {}… ({listed})", &file.sha256[..16]));
            }
        }
        Ok((loaded.examples, loaded.files))
    }

    /// The training examples as the network sees them at capture.
    pub(crate) fn seen<'e>(&self, examples: &'e Examples) -> Result<Cow<'e, Examples>> {
        let first = &self.tasks[0];
        let (labels, inputs) = (first.row.capture_labels, first.row.capture_inputs);
        let mut seen = Cow::Borrowed(examples);
        if labels != LabelCorruption::None {
            seen.to_mut().corrupt_labels(labels, Purpose::CaptureLabels.seed(first.own_seed()))?;
        }
        if inputs.is_noise() {
            seen.to_mut().replace_inputs_by_noise(Purpose::CaptureInputs.seed(first.own_seed()));
        }
        Ok(seen)
    }
}

impl TrainingSource for Group<'_> {
    fn images(&self) -> Result<(ImageSet, Normaliser)> {
        let position = self.position;
        let mut silent = |_: &str, _: u64, _: u64| ();
        let loaded = load_images(position.data_set, Split::Train, position.load_options(), self.data, &mut silent)?;
        Ok((loaded.images, loaded.normaliser))
    }

    fn test_examples(&self) -> Result<Examples> {
        Ok(self.load(Split::Test)?.0)
    }
}

struct GroupTask<'a> {
    group: &'a Group<'a>,
    examples: &'a Examples,
    files: &'a [FileProvenance],
}

impl ModelTask for GroupTask<'_> {
    type Output = ();

    fn run<M: Classifier>(self, model: M) -> Result<()> {
        let group = self.group;
        let reporter = group.options.reporter;
        let (model, position, training) = group.place(model, labelled(self.examples))?;
        let seen = group.seen(self.examples)?;
        let examples = labelled(&seen);
        let mut captured = Captured::new(&model, examples, group.tasks, group.device, reporter, group.options.memory)?;
        captured = captured.with_terms(group.store);
        captured.timings.training = training;
        let mut failure = None;
        for task in group.tasks {
            reporter.line(name(task));
            let outcome = self.row(&mut captured, task, &position);
            if let Err(error) = outcome {
                let error = in_row(task, error);
                if error.ends_the_run() {
                    return Err(error);
                }
                reporter.line(format!("  failed: {error}"));
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// A training without rows.
struct PositionTask<'a> {
    group: &'a Group<'a>,
    examples: &'a Examples,
}

impl ModelTask for PositionTask<'_> {
    type Output = ();

    fn run<M: Classifier>(self, model: M) -> Result<()> {
        self.group.place(model, labelled(self.examples))?;
        Ok(())
    }
}

/// Some terms of a Gram matrix.
struct PartTask<'a> {
    group: &'a Group<'a>,
    examples: &'a Examples,
    terms: Range<usize>,
}

impl ModelTask for PartTask<'_> {
    type Output = ();

    fn run<M: Classifier>(self, model: M) -> Result<()> {
        let Group { tasks, device, options, store, .. } = *self.group;
        let (model, ..) = self.group.place(model, labelled(self.examples))?;
        let seen = self.group.seen(self.examples)?;
        let captured = Captured::new(&model, labelled(&seen), tasks, device, options.reporter, options.memory)?;
        captured.with_terms(store).make_part(&tasks[0], self.terms, store)
    }
}

fn labelled(examples: &Examples) -> LabelledInputs<'_> {
    LabelledInputs::new(examples.inputs(), examples.labels(), examples.shape().iter().product())
}

impl GroupTask<'_> {
    fn row<M: Classifier>(&self, captured: &mut Captured<M>, task: &Task, position: &PositionReport) -> Result<()> {
        memory::forget_peak();
        let analysed = captured.analyse(task)?;
        captured.timings.peak_memory = memory::peak();
        let result = RowResult {
            program: crate::PROGRAM.to_owned(),
            task: task.key.clone(),
            experiment: task.experiment.clone(),
            row: task.row.clone(),
            seed: task.seed,
            backend: self.group.options.backend,
            device: DeviceReport::of(self.group.device, self.group.options.device),
            data_files: self.files.to_vec(),
            position: position.clone(),
            capture: analysed.capture,
            finding: analysed.finding,
        };
        let timings = std::mem::take(&mut captured.timings);
        self.group.store.write(&result, analysed.eigenvalues.as_deref(), &timings)?;
        let file = self.group.store.row_file(&task.experiment, &task.row.id, task.seed, "json");
        self.group.options.reporter.detail(format!("written: {}", file.display()));
        plots::write(self.group.store, &result)
    }
}
