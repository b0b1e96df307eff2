//! The gradients at one position, and what the rows there share of them.

mod entries;
mod gradients;
mod terms;

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Device;
use faer::Mat;
use gradspectra_analysis::{EigengapReading, Spectrum};
use gradspectra_capture::{ExampleFactors, Gram, MinibatchIndices, NotFactored, ParameterLayout, Precision};
use gradspectra_experiment::{
    Analysis, CaptureReport, EntriesFinding, Finding, Matrix, PowerLawReport, Products, SpectrumFinding,
    SpectrumSummary, SpectrumValues, Store, Timings, Way,
};
use gradspectra_files as files;
use gradspectra_files::npy;
use gradspectra_models::{Examples, Model};

use crate::error::{Error, Result};
use crate::estimate::memory;
use crate::progress::Reporter;
use crate::schedule::task::Task;
use crate::seeds::Purpose;
use crate::subject::fit::measured_of;

/// The gradients at one position.
pub(crate) struct Captured<'a, M: Model> {
    model: &'a M,
    examples: &'a dyn Examples<Batch = M::Batch>,
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
    /// The bytes that all may take.
    budget: u64,
    /// The bytes that G and what is formed of it may take.
    room: u64,
    /// The bytes that factors may take.
    factor_room: u64,
    whole: Option<(String, Mat<f32>)>,
    gram: Option<((String, Precision), Gram)>,
    spectra: BTreeMap<(String, Matrix, Precision), Resolved>,
    /// Why gradients do not come of factors although the network's layers go through the trace.
    unfactored: Option<NotFactored>,
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

impl<'a, M: Model> Captured<'a, M> {
    pub(crate) fn new(
        model: &'a M,
        examples: &'a dyn Examples<Batch = M::Batch>,
        tasks: &'a [Task],
        device: &'a Device,
        reporter: Reporter,
        budget: u64,
    ) -> Result<Self> {
        let estimate = memory::of_tasks(tasks)?;
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
            budget,
            room: estimate.room_of_rows(budget),
            factor_room: estimate.room_of_factors(budget),
            whole: None,
            gram: None,
            spectra: BTreeMap::new(),
            unfactored: None,
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
        let layout = ParameterLayout::of(self.model);
        let mut capture = CaptureReport {
            way: Way::Direct,
            why_direct: None,
            layers: Vec::new(),
            parameters: layout.parameters(),
            frozen: layout.frozen().to_vec(),
            batch_size: minibatches.batch(),
            iterations,
            products: None,
            mean_norm: None,
            largest_norm: None,
            norm_of_mean: None,
        };
        let (finding, eigenvalues) = match task.row.analysis {
            Analysis::Spectrum { matrix, values, top } => {
                let Resolved { spectrum, norms, norm_of_mean, precision } = self.spectrum(task, minibatches, matrix)?;
                capture.products = Some(match precision {
                    Precision::Single => Products::F32,
                    Precision::Double => Products::F64,
                });
                capture.mean_norm = Some(norms.iter().sum::<f64>() / norms.len() as f64);
                capture.largest_norm = norms.iter().copied().reduce(f64::max);
                capture.norm_of_mean = Some(*norm_of_mean);
                let (finding, eigenvalues) =
                    test_spectrum(spectrum, values, top, Purpose::Replicas.seed(task.own_seed()))?;
                (Finding::Spectrum(finding), Some(eigenvalues))
            }
            Analysis::Entries { .. } => (Finding::Entries(self.entries(task, minibatches)?), None),
        };
        let measured = measured_of(&task.row);
        if self.is_factored(task) {
            capture.way = Way::Factored;
            capture.layers = measured.ways();
        }
        capture.why_direct = self.unfactored.as_ref().map(NotFactored::to_string).or(measured.why_direct.clone());
        Ok(Analysed { capture, finding, eigenvalues })
    }

    /// The spectrum of `matrix` of the vectors of `task`.
    pub(crate) fn spectrum_of(&mut self, task: &Task, matrix: Matrix) -> Result<Spectrum> {
        let drawn = self.draw(task)?;
        Ok(self.spectrum(task, drawn.minibatches()?, matrix)?.spectrum.clone())
    }

    /// The spectrum of `matrix` that resolves what `task` tests: of products in f32 where that does, else in f64.
    fn spectrum(&mut self, task: &Task, minibatches: MinibatchIndices, matrix: Matrix) -> Result<&Resolved> {
        let mut precision = Precision::Single;
        self.make_spectrum(task, minibatches, matrix, precision)?;
        if !self.resolved(task, matrix, precision).resolves(task) {
            precision = Precision::Double;
            self.check_memory(task, "tests values within the rounding of f32, and its products in f64", "lower top")?;
            self.reporter.detail("the tested values reach within the rounding of products in f32: products in f64");
            self.make_spectrum(task, minibatches, matrix, precision)?;
        }
        Ok(self.resolved(task, matrix, precision))
    }

    /// Refuses products that do not fit the memory: all are made here, also where it was enough for the terms that are at
    /// hand. `why` says of which kind they are, `otherwise` what helps beside memory.
    fn check_memory(&self, task: &Task, why: &str, otherwise: &str) -> Result<()> {
        let least = memory::of_tasks(self.tasks)?.least();
        if least <= self.budget {
            return Ok(());
        }
        let mend = format!(
            "{} {} {why}, which no part makes, need about {}: raise --memory, or {otherwise}",
            task.experiment,
            task.row.id,
            memory::at_least(least)
        );
        Err(Error::Setting { name: "the memory", found: memory::gigabytes(self.budget), mend })
    }

    fn resolved(&self, task: &Task, matrix: Matrix, precision: Precision) -> &Resolved {
        &self.spectra[&(task.gradients_key(), matrix, precision)]
    }

    fn make_spectrum(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        matrix: Matrix,
        precision: Precision,
    ) -> Result<()> {
        let key = (task.gradients_key(), matrix, precision);
        if self.spectra.contains_key(&key) {
            self.reporter.detail("eigenvalues at hand");
            return Ok(());
        }
        self.capture_gram(task, minibatches, precision)?;
        let (_, gram) = self.gram.as_ref().expect("captured above");
        let step = self.reporter.step("eigenvalues", 1);
        let spectrum = match matrix {
            Matrix::Covariance => Spectrum::of_gram(gram.covariance())?,
            Matrix::SecondMoment => Spectrum::of_gram(gram.second_moment()?.as_ref())?,
        };
        let resolved = Resolved::of(spectrum, gram, self.parameters());
        self.timings.eigenvalues += step.finish();
        self.spectra.insert(key, resolved);
        Ok(())
    }
}

/// A spectrum that knows what of it is rounding, and the norms of its vectors.
struct Resolved {
    spectrum: Spectrum,
    norms: Vec<f64>,
    /// ‖ḡ‖.
    norm_of_mean: f64,
    precision: Precision,
}

impl Resolved {
    /// The error of a gradient that a pass in f32 gives, relative to it: eight roundings of its entries. Singular values
    /// of G below as much of the largest are not the network's, nor those that half of f32's smallest number an entry makes.
    const GRADIENT: f64 = 8.0 * f32::EPSILON as f64;

    /// Of gradients of `parameters` parameters.
    fn of(spectrum: Spectrum, gram: &Gram, parameters: usize) -> Self {
        let norm_of_mean = gram.mean_gradient_norm();
        let largest = spectrum.eigenvalues().first().copied().unwrap_or_default();
        let of_products = gram.error() / gram.iterations() as f64;
        let least = f64::from(f32::from_bits(1)) / 2.0 * (1.0 + (parameters as f64 / gram.iterations() as f64).sqrt());
        let of_gradients = (Self::GRADIENT.powi(2) * (largest + norm_of_mean.powi(2))).max(least.powi(2));
        let norms = gram.norms();
        let mean_squared_norm = norms.iter().map(|norm| norm * norm).sum::<f64>() / norms.len().max(1) as f64;
        let spectrum = spectrum
            .with_error(of_products.max(of_gradients))
            .with_rounded_entries(Self::GRADIENT, mean_squared_norm, parameters)
            .of_parameters(parameters);
        Self { spectrum, norms, norm_of_mean, precision: gram.precision() }
    }

    /// Whether the values that `task` tests are right to a thousandth or so: an error E moves an eigenvalue λ well above
    /// ‖E‖ by about ‖E‖²/4λ, as it moves one of a matrix with noise
    /// ([Baik, Ben Arous and Péché](https://doi.org/10.1214/009117905000000233) 2005).
    fn resolves(&self, task: &Task) -> bool {
        const MARGIN: f64 = 16.0;
        let Analysis::Spectrum { values, top, .. } = task.row.analysis else { return true };
        match values {
            SpectrumValues::Eigenvalues => {
                let tested = self.spectrum.top_eigenvalues(top);
                tested.is_ok_and(|tested| tested[top - 1] > MARGIN * self.spectrum.floor())
            }
            SpectrumValues::Eigengaps => self.spectrum.top_eigengaps(top, EigengapReading::Sorted).is_ok(),
            SpectrumValues::TopEigengaps => self.spectrum.top_eigengaps(top, EigengapReading::ByRank).is_ok(),
        }
    }
}

fn test_spectrum(
    spectrum: &Spectrum,
    values: SpectrumValues,
    top: usize,
    seed: u64,
) -> Result<(SpectrumFinding, Vec<u8>)> {
    let (power_law, no_fit) = match PowerLawReport::of_spectrum(spectrum, values, top, seed) {
        Ok(report) => (Some(report), None),
        Err(error) if error.is_of_the_values() => (None, Some(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let eigenvalues = npy::bytes(spectrum.eigenvalues());
    let finding = SpectrumFinding {
        power_law,
        no_fit,
        spectrum: SpectrumSummary::of(spectrum),
        eigenvalues_sha256: files::sha256(&eigenvalues),
    };
    Ok((finding, eigenvalues))
}
