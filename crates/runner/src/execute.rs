//! Runs tasks: examples to gradients, gradients to spectra, spectra to verdicts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use gradspectra_analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra_capture::{ExampleFactors, Gram, MinibatchIndices, ParameterLayout, direct_history};
use gradspectra_data::{DataRoot, Examples, FileProvenance, LoadOptions, Split, load};
use gradspectra_models::{Classifier, LabelledInputs};

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::experiment::{Analysis, Experiment, Matrix, SpectrumValues};
use crate::model::ModelTask;
use crate::position::{PositionSpec, Positions};
use crate::progress::Reporter;
use crate::result::{
    CaptureReport, Finding, PositionReport, RowResult, SpectrumFinding, SpectrumSummary, Timings, Way,
};
use crate::seeds::Purpose;
use crate::store::Store;
use crate::task::{Task, tasks};
use crate::{files, minibatches};

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The seeds of every row.
    pub seeds: Vec<u64>,
    /// The backend.
    pub backend: Backend,
    /// The folder of the data sets; searched for without one.
    pub data_dir: Option<PathBuf>,
    /// Computes rows anew that are done.
    pub fresh: bool,
    /// Tells the progress.
    pub reporter: Reporter,
}

/// Runs every row of `experiments` at every seed and writes its result to `store`; skips what is done.
///
/// Rows that fail are told and left out; the others are run all the same.
///
/// # Errors
///
/// What keeps all rows from being run, or after the others are done, the first row that failed.
pub fn run(experiments: &[Experiment], store: &Store, options: &RunOptions) -> Result<()> {
    let device = options.backend.device()?.autodiff();
    let data = DataRoot::new(options.data_dir.clone())?;
    let mut failure = None;
    for mut group in tasks(experiments, &options.seeds, options.backend)? {
        if !options.fresh {
            group.retain(|task| {
                let done = store.result(&task.experiment, &task.row.id, task.seed, Some(&task.key)).is_some();
                if done {
                    options.reporter.line(format!("{}: done already", name(task)));
                }
                !done
            });
        }
        let Some(first) = group.first() else { continue };
        let outcome = Group { tasks: &group, position: &first.position, device: &device, data: &data, store, options };
        if let Err(error) = outcome.run() {
            failure = failure.or(Some(in_row(first, error)));
        }
    }
    failure.map_or(Ok(()), Err)
}

fn name(task: &Task) -> String {
    format!("{} {} (seed {})", task.experiment, task.row.id, task.seed)
}

fn in_row(task: &Task, error: Error) -> Error {
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
struct Group<'a> {
    tasks: &'a [Task],
    position: &'a PositionSpec,
    device: &'a Device,
    data: &'a DataRoot,
    store: &'a Store,
    options: &'a RunOptions,
}

impl Group<'_> {
    fn run(&self) -> Result<()> {
        let (examples, files) = self.load(Split::Train)?;
        let (shape, classes) = (examples.shape().to_vec(), examples.classes());
        let task = GroupTask { group: self, examples: &examples, files: &files };
        self.position.model.with(&shape, classes, self.device, task)
    }

    fn load(&self, split: Split) -> Result<(Examples, Vec<FileProvenance>)> {
        let position = self.position;
        let options =
            LoadOptions { normalisation: position.normalisation, cifar_100_labels: position.cifar_100_labels };
        let mut progress = |name: &str, done: u64, total: u64| {
            if done == total {
                self.options.reporter.line(format!("  downloaded {name}, {total} bytes"));
            }
        };
        let mut loaded = load(position.data_set, split, options, self.data, &mut progress)?;
        if split == Split::Train {
            loaded.examples.corrupt_labels(position.labels, Purpose::Labels.seed(self.tasks[0].own_seed()))?;
        }
        Ok((loaded.examples, loaded.files))
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
        let features = self.examples.shape().iter().product();
        let examples = LabelledInputs::new(self.examples.inputs(), self.examples.labels(), features);
        let positions = Positions { store: group.store, device: group.device, reporter };
        let test = || Ok(group.load(Split::Test)?.0);
        let (model, position, training) =
            positions.place(model, group.position, &group.tasks[0].row, examples, test)?;
        let mut captured = Captured::new(&model, examples, group);
        captured.timings.training = training;
        let mut failure = None;
        for task in group.tasks {
            reporter.line(name(task));
            let outcome = captured.result(task, &position, self.files);
            if let Err(error) = outcome {
                let error = in_row(task, error);
                reporter.line(format!("  failed: {error}"));
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The gradients at one position, with what the rows share of them.
struct Captured<'a, M: Classifier> {
    model: &'a M,
    examples: LabelledInputs<'a>,
    group: &'a Group<'a>,
    factors: Option<Factors>,
    gram: Option<(String, Gram, Way)>,
    spectra: BTreeMap<(String, Matrix), Spectrum>,
    timings: Timings,
}

enum Factors {
    Captured(Box<ExampleFactors>),
    /// The model does not go through the trace.
    Unavailable,
}

impl<'a, M: Classifier> Captured<'a, M> {
    fn new(model: &'a M, examples: LabelledInputs<'a>, group: &'a Group<'a>) -> Self {
        Self {
            model,
            examples,
            group,
            factors: None,
            gram: None,
            spectra: BTreeMap::new(),
            timings: Timings::default(),
        }
    }

    fn result(&mut self, task: &Task, position: &PositionReport, files: &[FileProvenance]) -> Result<()> {
        self.capture(task)?;
        let (_, gram, way) = self.gram.as_ref().expect("captured above");
        let norms = gram.norms();
        let capture = CaptureReport {
            way: *way,
            parameters: ParameterLayout::of(self.model).parameters(),
            batch_size: task.row.batch_size,
            iterations: gram.iterations(),
            mean_norm: norms.iter().sum::<f64>() / norms.len() as f64,
            largest_norm: norms.iter().copied().fold(0.0, f64::max),
        };
        let Analysis::Spectrum { matrix, values, top } = task.row.analysis;
        let spectrum = self.spectrum(task, matrix)?;
        let fit = match values {
            SpectrumValues::Eigenvalues => PowerLawFit::top(spectrum.eigenvalues(), top)?,
            SpectrumValues::Eigengaps => PowerLawFit::top(&spectrum.eigengaps(), top)?,
            SpectrumValues::TopEigengaps => {
                let gaps = spectrum.eigengaps();
                PowerLawFit::top(&gaps[..top.min(gaps.len())], top)?
            }
        };
        let test = KsTest::of(&fit);
        let eigenvalues = files::npy(spectrum.eigenvalues());
        let finding = Finding::Spectrum(SpectrumFinding {
            s: fit.s(),
            test,
            power_law: test.is_power_law(),
            beta_standard_error: fit.beta_standard_error(),
            fit,
            spectrum: SpectrumSummary::of(&spectrum),
            eigenvalues_sha256: files::sha256(&eigenvalues),
        });
        let result = RowResult {
            program: crate::PROGRAM.to_owned(),
            task: task.key.clone(),
            experiment: task.experiment.clone(),
            row: task.row.clone(),
            seed: task.seed,
            backend: self.group.options.backend,
            data_files: files.to_vec(),
            position: position.clone(),
            capture,
            finding,
        };
        self.group.store.write(&result, &eigenvalues, &std::mem::take(&mut self.timings))
    }

    fn capture(&mut self, task: &Task) -> Result<()> {
        let key = task.gradients_key();
        if self.gram.as_ref().is_some_and(|(captured, ..)| *captured == key) {
            return Ok(());
        }
        self.gram = None;
        let (indices, batch) = minibatches::of_row(&task.row, task.own_seed(), self.examples.len())?;
        let minibatches = MinibatchIndices::new(&indices, batch, self.examples.len())?;
        if self.factors.is_none() {
            self.factors = Some(self.factors()?);
        }
        let reporter = self.group.options.reporter;
        let (gram, way, seconds) = match self.factors.as_ref().expect("set above") {
            Factors::Captured(factors) => {
                let started = Instant::now();
                let step = reporter.step("Gram matrix", 1);
                let gram = factors.gram(minibatches);
                step.finish();
                (gram, Way::Factored, started.elapsed().as_secs_f64())
            }
            Factors::Unavailable => {
                let step = reporter.step("gradients", minibatches.iterations() as u64);
                let device = self.group.device;
                let history =
                    direct_history(self.model, self.examples, minibatches, device, |done| step.at(done as u64))?;
                let gram = history.gram();
                (gram, Way::Direct, step.finish())
            }
        };
        self.timings.gradients = seconds;
        let gram = match task.row.gradient_clipping {
            Some(threshold) => gram.clipped(threshold),
            None => gram,
        };
        self.gram = Some((key, gram, way));
        Ok(())
    }

    /// The factors of every example that one of the group's tasks needs.
    fn factors(&mut self) -> Result<Factors> {
        let mut needed = vec![false; self.examples.len()];
        for task in self.group.tasks {
            let (indices, _) = minibatches::of_row(&task.row, task.own_seed(), self.examples.len())?;
            indices.iter().for_each(|&index| needed[index as usize] = true);
        }
        let needed: Vec<u32> = (0..self.examples.len() as u32).filter(|&index| needed[index as usize]).collect();
        let reporter = self.group.options.reporter;
        let step = reporter.step("gradients of examples", needed.len() as u64);
        let device = self.group.device;
        let progress = |done: usize| step.at(done as u64);
        let factors = ExampleFactors::capture(self.model, self.examples, &needed, device, progress)?;
        self.timings.examples = step.finish();
        Ok(match factors {
            Some(factors) => Factors::Captured(Box::new(factors)),
            None => {
                reporter.line("  the model's layers do not all go through the trace: one backward pass a minibatch");
                Factors::Unavailable
            }
        })
    }

    fn spectrum(&mut self, task: &Task, matrix: Matrix) -> Result<Spectrum> {
        let key = (task.gradients_key(), matrix);
        if let Some(spectrum) = self.spectra.get(&key) {
            return Ok(spectrum.clone());
        }
        let (_, gram, _) = self.gram.as_ref().expect("captured before its spectrum");
        let step = self.group.options.reporter.step("eigenvalues", 1);
        let spectrum = match matrix {
            Matrix::Covariance => Spectrum::of_gram(&gram.covariance())?,
            Matrix::SecondMoment => Spectrum::of_gram(&gram.second_moment())?,
        };
        self.timings.eigenvalues = step.finish();
        self.spectra.insert(key, spectrum.clone());
        Ok(spectrum)
    }
}
