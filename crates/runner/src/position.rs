//! The parameters at which gradients are taken: drawn, trained or loaded.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use gradspectra_data::{
    Cifar100Labels, DataSet, Examples, ImageSet, LabelCorruption, LoadOptions, Normalisation, Normaliser, epoch_order,
};
use gradspectra_models::{
    Augmentation, Classifier, Initialisation, LabelledInputs, Training, TrainingEvent, TrainingExamples, accuracy,
    load_checkpoint, save_checkpoint, train,
};
use serde::{Deserialize, Serialize};

use crate::augmented::AugmentedImages;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::experiment::Row;
use crate::files;
use crate::model::ModelSpec;
use crate::progress::{Reporter, Step};
use crate::result::PositionReport;
use crate::seeds::Purpose;
use crate::store::{Store, read_json};

/// All that decides the parameters, and nothing else; rows with equal ones share them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PositionSpec {
    program: &'static str,
    backend: Backend,
    pub(crate) data_set: DataSet,
    normalisation: Normalisation,
    cifar_100_labels: Cifar100Labels,
    pub(crate) labels: LabelCorruption,
    pub(crate) model: ModelSpec,
    initialisation: Initialisation,
    pub(crate) training: Option<Training>,
    weights_sha256: Option<String>,
    /// The SHA-256 of the training files that are not the official ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unofficial_files: Vec<String>,
    seed: u64,
}

impl PositionSpec {
    pub(crate) fn of(row: &Row, seed: u64, backend: Backend, unofficial_files: Vec<String>) -> Result<Self> {
        let weights_sha256 = row.weights.as_deref().map(files::sha256_of_file).transpose()?;
        Ok(Self {
            program: crate::PROGRAM,
            backend,
            data_set: row.data_set,
            normalisation: row.normalisation,
            cifar_100_labels: row.cifar_100_labels,
            labels: row.labels,
            model: row.model,
            initialisation: row.initialisation,
            training: row.training.clone(),
            weights_sha256,
            unofficial_files,
            seed,
        })
    }

    /// `model` with random parameters.
    pub(crate) fn initialised<M: Classifier>(&self, model: M) -> M {
        self.initialisation.apply(model, Purpose::Parameters.seed(self.seed))
    }

    /// The readings of the data set.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions { normalisation: self.normalisation, cifar_100_labels: self.cifar_100_labels }
    }

    /// The SHA-256 of the specification.
    pub(crate) fn key(&self) -> String {
        files::sha256(&serde_json::to_vec(self).expect("a specification is plain data"))
    }
}

/// A trained position in the store: its weights' file beside this, its report within.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoredPosition {
    key: String,
    weights_sha256: String,
    report: PositionReport,
}

/// What a training needs beside its examples.
pub(crate) trait TrainingSource {
    /// The training images before normalisation, and how to normalise them.
    fn images(&self) -> Result<(ImageSet, Normaliser)>;

    /// The examples to report the accuracy on.
    fn test_examples(&self) -> Result<Examples>;
}

/// Where positions come from.
pub(crate) struct Positions<'a> {
    pub(crate) store: &'a Store,
    pub(crate) device: &'a Device,
    pub(crate) reporter: Reporter,
}

impl Positions<'_> {
    /// `model` with the parameters that `spec`, the position of `row`, asks for, its report, and the seconds of
    /// training.
    ///
    /// `source` is asked for more than the training examples only if there is a training to do.
    pub(crate) fn place<M: Classifier>(
        &self,
        model: M,
        spec: &PositionSpec,
        row: &Row,
        examples: LabelledInputs,
        source: &impl TrainingSource,
    ) -> Result<(M, PositionReport, f64)> {
        if let Some(weights) = &row.weights {
            self.reporter.detail(format!("weights of {}", weights.display()));
            let report = PositionReport { weights_sha256: spec.weights_sha256.clone(), ..PositionReport::default() };
            return Ok((load_checkpoint(model, weights)?, report, 0.0));
        }
        let model = spec.initialised(model);
        let Some(training) = &spec.training else {
            self.reporter.detail("random parameters");
            return Ok((model, PositionReport::default(), 0.0));
        };
        let key = spec.key();
        if let Some(report) = stored(self.store, &key) {
            let weights = self.store.position(&key).with_extension("safetensors");
            self.reporter.detail(format!("trained already: {}", weights.display()));
            return Ok((load_checkpoint(model, &weights)?, report, 0.0));
        }
        let (model, mut report, seconds) =
            self.train(model, training, spec.seed, examples, source, |_, _, _| Ok(()))?;
        let test = source.test_examples()?;
        let test = LabelledInputs::new(test.inputs(), test.labels(), examples.features());
        report.test_accuracy = Some(accuracy(&model.valid(), test, &self.device.clone().inner()));
        self.keep(&key, &model, &report)?;
        Ok((model, stored(self.store, &key).unwrap_or(report), seconds))
    }

    /// Trains `model` and gives its report and the seconds that took; `watch` sees it after every step, counted from 1.
    pub(crate) fn train<M: Classifier>(
        &self,
        model: M,
        training: &Training,
        seed: u64,
        examples: LabelledInputs,
        source: &impl TrainingSource,
        watch: impl FnMut(&M, usize, &Step) -> Result<()>,
    ) -> Result<(M, PositionReport, f64)> {
        match training.augmentation {
            Augmentation::None => self.train_on(model, training, seed, examples, watch),
            Augmentation::CropAndFlip => {
                let (images, normaliser) = source.images()?;
                let augmentation_seed = Purpose::Augmentation.seed(seed);
                let augmented = AugmentedImages::new(&images, &normaliser, examples.labels(), augmentation_seed);
                self.train_on(model, training, seed, augmented, watch)
            }
        }
    }

    fn train_on<M: Classifier>(
        &self,
        model: M,
        training: &Training,
        seed: u64,
        examples: impl TrainingExamples,
        mut watch: impl FnMut(&M, usize, &Step) -> Result<()>,
    ) -> Result<(M, PositionReport, f64)> {
        let mut report = PositionReport::default();
        let (epochs, count) = (training.epochs, examples.len());
        let step = self.reporter.step(format!("training, {epochs} epochs"), training.steps(count) as u64);
        let order_seed = Purpose::Training.seed(seed);
        let order = |epoch| epoch_order(count, order_seed, epoch as u64).expect("there are examples");
        let mut failure = None;
        let trained = train(model, training, examples, self.device, order, |model, event| {
            match event {
                TrainingEvent::Step(done) => {
                    step.at(done as u64);
                    failure = watch(model, done, &step).err();
                }
                TrainingEvent::Epoch(epoch) => {
                    report.epochs.push(epoch);
                    step.line(format!("  epoch {:>3} of {epochs}: loss {:.4}", epoch.epoch, epoch.loss));
                }
            }
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok((trained?, report, step.finish())),
        }
    }

    fn keep<M: Classifier>(&self, key: &str, model: &M, report: &PositionReport) -> Result<()> {
        let file = self.store.position(key);
        let weights = file.with_extension("safetensors");
        let folder = weights.parent().expect("positions lie in a folder");
        fs::create_dir_all(folder).map_err(|source| Error::io(folder, "make the folder", source))?;
        {
            let _guard = files::hold_writes();
            save_checkpoint(model, &weights)?;
            let synced = File::open(&weights).and_then(|file| file.sync_all());
            synced.map_err(|source| Error::io(&weights, "write", source))?;
        }
        let stored = StoredPosition {
            key: key.to_owned(),
            weights_sha256: files::sha256_of_file(&weights)?,
            report: report.clone(),
        };
        files::write_json(&file.with_extension("json"), &stored)
    }
}

/// The report of the trained position `key`, if it is there and whole.
///
/// It is read back after a training too: JSON's reader may change a last digit, and runs that find it take the same.
pub(crate) fn stored(store: &Store, key: &str) -> Option<PositionReport> {
    let stored = stored_as(&store.position(key).with_extension("json"))?;
    (stored.key == key).then_some(stored.report)
}

/// The trained position whose report is `file`, if it is there and whole.
pub(crate) fn stored_as(file: &Path) -> Option<StoredPosition> {
    let stored: StoredPosition = read_json(file)?;
    let weights = files::sha256_of_file(&file.with_extension("safetensors")).ok()?;
    (stored.weights_sha256 == weights).then_some(stored)
}
