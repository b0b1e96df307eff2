//! The gradients at one position, and what the rows there share of them.

use std::collections::BTreeMap;

use burn::tensor::Device;
use faer::Mat;
use gradspectra_analysis::{EigengapReading, EntryTestConfig, EntryTests, Spectrum};
use gradspectra_capture::{
    ExampleFactors, GradientHistory, Gram, MinibatchIndices, ParameterLayout, UpdateRule, direct_history,
    for_each_gradient,
};
use gradspectra_models::{Classifier, LabelledInputs, Optimiser};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::experiment::{Analysis, Axis, Matrix, SpectrumValues, Vectors};
use crate::power_law::PowerLawReport;
use crate::progress::Reporter;
use crate::result::{
    CaptureReport, EntriesFinding, Finding, Histogram, SpectrumFinding, SpectrumSummary, Timings, Way,
};
use crate::seeds::Purpose;
use crate::task::Task;
use crate::{files, minibatches, npy};

/// The gradients at one position.
pub(crate) struct Captured<'a, M: Classifier> {
    model: &'a M,
    examples: LabelledInputs<'a>,
    tasks: &'a [Task],
    device: &'a Device,
    reporter: Reporter,
    factors: Option<Factors>,
    history: Option<(String, GradientHistory)>,
    gram: Option<(String, Gram)>,
    spectra: BTreeMap<(String, Matrix), Spectrum>,
    /// What was spent since the last row.
    pub(crate) timings: Timings,
}

enum Factors {
    Captured(Box<ExampleFactors>),
    /// The model does not go through the trace.
    Unavailable,
}

/// What a task came to.
pub(crate) struct Analysed {
    pub(crate) capture: CaptureReport,
    pub(crate) finding: Finding,
    /// The bytes of the file of eigenvalues.
    pub(crate) eigenvalues: Option<Vec<u8>>,
}

/// The minibatches of a task.
struct Drawn {
    indices: Vec<u32>,
    batch: usize,
    examples: usize,
}

impl Drawn {
    fn minibatches(&self) -> Result<MinibatchIndices<'_>> {
        Ok(MinibatchIndices::new(&self.indices, self.batch, self.examples)?)
    }
}

impl<'a, M: Classifier> Captured<'a, M> {
    pub(crate) fn new(
        model: &'a M,
        examples: LabelledInputs<'a>,
        tasks: &'a [Task],
        device: &'a Device,
        reporter: Reporter,
    ) -> Self {
        Self {
            model,
            examples,
            tasks,
            device,
            reporter,
            factors: None,
            history: None,
            gram: None,
            spectra: BTreeMap::new(),
            timings: Timings::default(),
        }
    }

    /// Captures what `task` needs, as far as it is not at hand, and tests it.
    pub(crate) fn analyse(&mut self, task: &Task) -> Result<Analysed> {
        let drawn = self.draw(task)?;
        let minibatches = drawn.minibatches()?;
        let iterations = minibatches.iterations();
        task.row.check_top(iterations).map_err(|reason| Error::Unfit { reason })?;
        let way = if self.factored(task)? { Way::Factored } else { Way::Direct };
        let mut capture = CaptureReport {
            way,
            parameters: ParameterLayout::of(self.model).parameters(),
            batch_size: minibatches.batch(),
            iterations,
            mean_norm: None,
            largest_norm: None,
        };
        let (finding, eigenvalues) = match task.row.analysis {
            Analysis::Spectrum { matrix, values, top } => {
                let (spectrum, norms) = self.spectrum(task, minibatches, matrix)?;
                capture.mean_norm = Some(norms.iter().sum::<f64>() / norms.len() as f64);
                capture.largest_norm = norms.into_iter().reduce(f64::max);
                let (finding, eigenvalues) =
                    test_spectrum(&spectrum, values, top, Purpose::Replicas.seed(task.own_seed()))?;
                (Finding::Spectrum(finding), Some(eigenvalues))
            }
            Analysis::Entries { .. } => (Finding::Entries(self.entries(task, minibatches)?), None),
        };
        Ok(Analysed { capture, finding, eigenvalues })
    }

    fn draw(&self, task: &Task) -> Result<Drawn> {
        let examples = self.examples.len();
        let (indices, batch) = minibatches::of_row(&task.row, task.own_seed(), examples)?;
        Ok(Drawn { indices, batch, examples })
    }

    /// Whether the model gives factors; captures those of every example that the tasks need, once.
    fn factored(&mut self, task: &Task) -> Result<bool> {
        if self.factors.is_none() {
            self.factors = Some(self.capture_factors(task)?);
        }
        Ok(matches!(self.factors, Some(Factors::Captured(_))))
    }

    fn capture_factors(&mut self, first: &Task) -> Result<Factors> {
        if first.row.model.mixes_examples() {
            return Ok(Factors::Unavailable);
        }
        let mut needed = vec![false; self.examples.len()];
        for task in self.tasks {
            self.draw(task)?.indices.iter().for_each(|&index| needed[index as usize] = true);
        }
        let needed: Vec<u32> = (0..self.examples.len() as u32).filter(|&index| needed[index as usize]).collect();
        let step = self.reporter.step("gradients of examples", needed.len() as u64);
        let progress = |done: usize| step.at(done as u64);
        let factors = ExampleFactors::capture(self.model, self.examples, &needed, self.device, progress)?;
        self.timings.examples = step.finish();
        Ok(match factors {
            Some(factors) => Factors::Captured(Box::new(factors)),
            None => Factors::Unavailable,
        })
    }

    /// Makes G of the task's vectors, if it is not the one at hand.
    fn capture_history(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<()> {
        let key = task.vectors_key();
        if self.history.as_ref().is_some_and(|(captured, _)| *captured == key) {
            return Ok(());
        }
        self.history = None;
        self.gram = None;
        let gradients = match &self.factors {
            Some(Factors::Captured(factors)) => {
                let step = self.reporter.step("gradients", 1);
                let gradients = factors.history(minibatches);
                self.timings.gradients += step.finish();
                gradients
            }
            _ => {
                let step = self.reporter.step("gradients, a pass each", minibatches.iterations() as u64);
                let progress = |done: usize| step.at(done as u64);
                let gradients = direct_history(self.model, self.examples, minibatches, self.device, progress)?;
                self.timings.gradients += step.finish();
                gradients
            }
        };
        let vectors = match task.row.vectors {
            Vectors::Gradients => gradients,
            Vectors::Updates { optimiser, weight_decay } => {
                let rule = match optimiser {
                    Optimiser::Sgd => UpdateRule::Sgd,
                    Optimiser::Momentum => UpdateRule::Momentum,
                    Optimiser::Adam => UpdateRule::Adam,
                };
                let position = gradients.layout().values(self.model);
                gradients.updates(rule, weight_decay, &position)
            }
        };
        self.history = Some((key, vectors));
        Ok(())
    }

    fn capture_gram(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<()> {
        let key = task.gradients_key();
        if self.gram.as_ref().is_some_and(|(captured, _)| *captured == key) {
            return Ok(());
        }
        self.gram = None;
        let gram = match &self.factors {
            Some(Factors::Captured(factors)) if task.row.vectors == Vectors::Gradients => {
                self.history = None;
                let step = self.reporter.step("Gram matrix", 1);
                let gram = factors.gram(minibatches);
                self.timings.gradients += step.finish();
                gram
            }
            _ => {
                self.capture_history(task, minibatches)?;
                let (_, history) = self.history.as_ref().expect("captured above");
                let step = self.reporter.step("Gram matrix", 1);
                let gram = history.gram_on(self.device);
                self.timings.gradients += step.finish();
                gram
            }
        };
        let gram = match task.row.gradient_clipping {
            Some(threshold) => gram.clipped(threshold),
            None => gram,
        };
        self.gram = Some((key, gram));
        Ok(())
    }

    /// The spectrum of `matrix` and the norms of the vectors.
    fn spectrum(&mut self, task: &Task, minibatches: MinibatchIndices, matrix: Matrix) -> Result<(Spectrum, Vec<f64>)> {
        self.capture_gram(task, minibatches)?;
        let (_, gram) = self.gram.as_ref().expect("captured above");
        let key = (task.gradients_key(), matrix);
        if !self.spectra.contains_key(&key) {
            let step = self.reporter.step("eigenvalues", 1);
            let spectrum = match matrix {
                Matrix::Covariance => Spectrum::of_gram(&gram.covariance())?,
                Matrix::SecondMoment => Spectrum::of_gram(&gram.second_moment())?,
            };
            self.timings.eigenvalues = step.finish();
            self.spectra.insert(key.clone(), spectrum);
        }
        Ok((self.spectra[&key].clone(), gram.norms()))
    }

    fn entries(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<EntriesFinding> {
        let Analysis::Entries { along, top, zeros, all_zero, undefined_p, sampled_parameters } = task.row.analysis
        else {
            unreachable!("called for entries");
        };
        let seed = Purpose::Entries.seed(task.own_seed());
        let config = EntryTestConfig { zeros, all_zero, undefined_p, keep: true, ..EntryTestConfig::new(top, seed) };
        let mut tests = EntryTests::new(config)?;
        let streamed = matches!(self.factors, Some(Factors::Unavailable)) && task.row.vectors == Vectors::Gradients;
        match (along, sampled_parameters) {
            (Axis::Dimension, _) if streamed => self.test_columns(minibatches, &mut tests)?,
            (Axis::Iteration, Some(count)) if streamed => {
                let rows = self.sampled_rows(minibatches, count, seed)?;
                self.timed_tests(|| tests.columns(rows.as_ref()))?;
            }
            (axis, sampled) => {
                self.capture_history(task, minibatches)?;
                let (_, history) = self.history.as_ref().expect("captured above");
                let gradients = history.gradients().as_ref();
                let step = self.reporter.step("tests of entries", 1);
                match (axis, sampled) {
                    (Axis::Dimension, _) => tests.columns(gradients)?,
                    (Axis::Iteration, None) => tests.rows(gradients)?,
                    (Axis::Iteration, Some(count)) => {
                        for row in sampled_parameters_of(gradients.nrows(), count, seed) {
                            tests.rows(gradients.subrows(row, 1))?;
                        }
                    }
                }
                self.timings.tests += step.finish();
            }
        }
        let kept = || tests.kept().iter();
        Ok(EntriesFinding {
            summary: tests.summary(),
            d_ks_histogram: Histogram::of(kept().filter_map(|test| Some(test.ks?.two_sided))),
            p_value_histogram: Histogram::of(kept().filter_map(|test| test.p_value)),
        })
    }

    fn timed_tests(&mut self, test: impl FnOnce() -> gradspectra_analysis::Result<()>) -> Result<()> {
        let step = self.reporter.step("tests of entries", 1);
        test()?;
        self.timings.tests += step.finish();
        Ok(())
    }

    /// Tests every gradient as it comes; G is not held.
    fn test_columns(&mut self, minibatches: MinibatchIndices, tests: &mut EntryTests) -> Result<()> {
        let step = self.reporter.step("gradients and tests of entries", minibatches.iterations() as u64);
        for_each_gradient(self.model, self.examples, minibatches, self.device, |t, gradient| {
            tests.sample(gradient)?;
            step.at(t as u64 + 1);
            Ok::<_, Error>(())
        })?;
        self.timings.gradients += step.finish();
        Ok(())
    }

    /// The rows of G of `count` random parameters, as columns `[T, count]`; the rest of G is not held.
    fn sampled_rows(&mut self, minibatches: MinibatchIndices, count: usize, seed: u64) -> Result<Mat<f32>> {
        let parameters = sampled_parameters_of(ParameterLayout::of(self.model).parameters(), count, seed);
        let step = self.reporter.step("gradients, a pass each", minibatches.iterations() as u64);
        let mut rows = Mat::zeros(minibatches.iterations(), parameters.len());
        for_each_gradient(self.model, self.examples, minibatches, self.device, |t, gradient| {
            for (column, &parameter) in parameters.iter().enumerate() {
                rows[(t, column)] = gradient[parameter];
            }
            step.at(t as u64 + 1);
            Ok::<_, Error>(())
        })?;
        self.timings.gradients += step.finish();
        Ok(rows)
    }
}

/// `count` of `parameters`, or all where there are fewer, ascending.
fn sampled_parameters_of(parameters: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut sampled = sample(&mut ChaCha8Rng::seed_from_u64(seed), parameters, count.min(parameters)).into_vec();
    sampled.sort_unstable();
    sampled
}

fn test_spectrum(
    spectrum: &Spectrum,
    values: SpectrumValues,
    top: usize,
    seed: u64,
) -> Result<(SpectrumFinding, Vec<u8>)> {
    let power_law = match values {
        SpectrumValues::Eigenvalues => PowerLawReport::of(spectrum.eigenvalues(), top, seed),
        SpectrumValues::Eigengaps => {
            PowerLawReport::of(&spectrum.top_eigengaps(top, EigengapReading::Sorted)?, top, seed)
        }
        SpectrumValues::TopEigengaps => {
            PowerLawReport::of(&spectrum.top_eigengaps(top, EigengapReading::ByRank)?, top, seed)
        }
    }?;
    let eigenvalues = npy::bytes(spectrum.eigenvalues());
    let finding = SpectrumFinding {
        power_law,
        spectrum: SpectrumSummary::of(spectrum),
        eigenvalues_sha256: files::sha256(&eigenvalues),
    };
    Ok((finding, eigenvalues))
}
