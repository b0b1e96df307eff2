//! The gradients at one position, and what the rows there share of them.

mod entries;
mod gradients;
mod terms;

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Device;
use faer::Mat;
use gradspectra_analysis::Spectrum;
use gradspectra_capture::{ExampleFactors, Gram, MinibatchIndices, ParameterLayout};
use gradspectra_models::{Classifier, LabelledInputs};

use crate::error::{Error, Result};
use crate::experiment::{Analysis, Matrix, SpectrumValues};
use crate::power_law::PowerLawReport;
use crate::progress::Reporter;
use crate::result::{CaptureReport, EntriesFinding, Finding, SpectrumFinding, SpectrumSummary, Timings, Way};
use crate::seeds::Purpose;
use crate::store::Store;
use crate::task::Task;
use crate::{files, memory, npy};

/// The gradients at one position.
pub(crate) struct Captured<'a, M: Classifier> {
    model: &'a M,
    examples: LabelledInputs<'a>,
    tasks: &'a [Task],
    device: &'a Device,
    reporter: Reporter,
    /// The folder of terms of Gram matrices that were made before.
    terms: Option<&'a Store>,
    /// The terms that are made here, where others are left to other machines.
    part: Option<Range<usize>>,
    /// Which terms are at hand, by their Gram matrices' keys.
    at_hand: BTreeMap<String, Vec<bool>>,
    factors: Option<ExampleFactors>,
    /// The parameters whose factors are captured, by the vectors that they are captured for.
    held: BTreeMap<String, Vec<Range<usize>>>,
    /// The bytes that G and what is formed of it may take.
    room: u64,
    whole: Option<(String, Mat<f32>)>,
    gram: Option<(String, Gram)>,
    spectra: BTreeMap<(String, Matrix), Spectrum>,
    /// What a pass found for tasks that are yet to come, by their keys.
    tested: BTreeMap<String, EntriesFinding>,
    /// What was spent since the last row.
    pub(crate) timings: Timings,
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
        budget: u64,
    ) -> Result<Self> {
        Ok(Self {
            model,
            examples,
            tasks,
            device,
            reporter,
            terms: None,
            part: None,
            at_hand: BTreeMap::new(),
            factors: None,
            held: BTreeMap::new(),
            room: budget.saturating_sub(memory::of_tasks(tasks)?.fixed),
            whole: None,
            gram: None,
            spectra: BTreeMap::new(),
            tested: BTreeMap::new(),
            timings: Timings::default(),
        })
    }

    /// Takes the terms of Gram matrices that `store` holds.
    pub(crate) fn with_terms(self, store: &'a Store) -> Self {
        Self { terms: Some(store), ..self }
    }

    /// Captures what `task` needs, as far as it is not at hand, and tests it.
    pub(crate) fn analyse(&mut self, task: &Task) -> Result<Analysed> {
        let drawn = self.draw(task)?;
        let minibatches = drawn.minibatches()?;
        let iterations = minibatches.iterations();
        task.row.check_top(iterations).map_err(|reason| Error::Unfit { reason })?;
        let way = if task.is_factored() { Way::Factored } else { Way::Direct };
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

    /// The spectrum of `matrix` of the vectors of `task`.
    pub(crate) fn spectrum_of(&mut self, task: &Task, matrix: Matrix) -> Result<Spectrum> {
        let drawn = self.draw(task)?;
        Ok(self.spectrum(task, drawn.minibatches()?, matrix)?.0)
    }

    /// The spectrum of `matrix` and the norms of the vectors.
    fn spectrum(&mut self, task: &Task, minibatches: MinibatchIndices, matrix: Matrix) -> Result<(Spectrum, Vec<f64>)> {
        self.capture_gram(task, minibatches)?;
        let (_, gram) = self.gram.as_ref().expect("captured above");
        let key = (task.gradients_key(), matrix);
        if !self.spectra.contains_key(&key) {
            let step = self.reporter.step("eigenvalues", 1);
            let spectrum = match matrix {
                Matrix::Covariance => Spectrum::of_gram(gram.covariance())?,
                Matrix::SecondMoment => Spectrum::of_gram(gram.second_moment().as_ref())?,
            };
            self.timings.eigenvalues = step.finish();
            self.spectra.insert(key.clone(), spectrum);
        } else {
            self.reporter.detail("eigenvalues at hand");
        }
        Ok((self.spectra[&key].clone(), gram.norms()))
    }
}

fn test_spectrum(
    spectrum: &Spectrum,
    values: SpectrumValues,
    top: usize,
    seed: u64,
) -> Result<(SpectrumFinding, Vec<u8>)> {
    let power_law = PowerLawReport::of_spectrum(spectrum, values, top, seed)?;
    let eigenvalues = npy::bytes(spectrum.eigenvalues());
    let finding = SpectrumFinding {
        power_law,
        spectrum: SpectrumSummary::of(spectrum),
        eigenvalues_sha256: files::sha256(&eigenvalues),
    };
    Ok((finding, eigenvalues))
}
