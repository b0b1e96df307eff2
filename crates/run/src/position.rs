//! The parameters at which gradients are taken: drawn, trained or loaded.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use gradspectra_data::{Cifar100Labels, LabelCorruption, Normalisation, epoch_order};
use gradspectra_experiment::{Backend, DataSpec, ModelSpec, PositionReport, Row, Store};
use gradspectra_files as files;
use gradspectra_files::counted;
use gradspectra_models::{
    Augmentation, EpochReport, Initialisation, Model, Training, TrainingEvent, TrainingExamples, TrainingState,
    checkpoint_bytes, detached, initialise, load_checkpoint, mean_score, read_checkpoint, train,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::progress::{Reporter, Step};
use crate::schedule::task::named;
use crate::seeds::Purpose;
use crate::subject::LoadedSet;

/// All that decides the parameters, and nothing else; rows with equal ones share them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PositionSpec {
    program: String,
    pub(crate) backend: Backend,
    data_set: DataSpec,
    normalisation: Normalisation,
    cifar_100_labels: Cifar100Labels,
    pub(crate) labels: LabelCorruption,
    pub(crate) model: ModelSpec,
    initialisation: Initialisation,
    pub(crate) training: Option<Training>,
    pub(crate) weights_sha256: Option<String>,
    /// The SHA-256 of the training files that are not the official ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unofficial_files: Vec<String>,
    seed: u64,
}

impl PositionSpec {
    pub(crate) fn of(row: &Row, seed: u64, backend: Backend, unofficial_files: Vec<String>) -> Result<Self> {
        let weights_sha256 = row.weights.as_deref().map(files::sha256_of_file).transpose()?;
        Ok(Self {
            program: gradspectra_experiment::program(),
            backend,
            data_set: row.data_set.anywhere(),
            normalisation: row.normalisation,
            cifar_100_labels: row.cifar_100_labels,
            labels: row.labels,
            model: row.model.clone(),
            initialisation: row.initialisation,
            training: row.training.clone(),
            weights_sha256,
            unofficial_files,
            seed,
        })
    }

    /// `model` with random parameters.
    pub(crate) fn initialised<M: Model>(&self, model: M) -> Result<M> {
        Ok(initialise(model, self.initialisation, Purpose::Parameters.seed(self.seed))?)
    }

    /// The SHA-256 of the specification.
    pub(crate) fn key(&self) -> String {
        files::sha256(named(self).as_bytes())
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

/// A training in the store that is not at its end: the files of its parameters and its optimiser lie beside this.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BegunTraining {
    key: String,
    weights_sha256: String,
    optimiser_sha256: String,
    epochs: Vec<EpochReport>,
}

/// Where a training takes what it needs beside its examples.
pub(crate) trait TestSource<B> {
    /// The examples to report the accuracy on, where there are some.
    fn test_examples(&self) -> Result<Option<Box<dyn LoadedSet<B>>>>;
}

/// Where positions come from.
pub(crate) struct Positions<'a> {
    pub(crate) store: &'a Store,
    pub(crate) device: &'a Device,
    pub(crate) reporter: Reporter,
    /// How often a training is saved while it goes on.
    pub(crate) keep_every: Duration,
}

impl Positions<'_> {
    /// `model` with the parameters that `spec`, the position of `row`, asks for, its report, and the seconds of
    /// training.
    ///
    /// `source` is asked for test examples only if there is a training to do.
    pub(crate) fn place<M: Model>(
        &self,
        model: M,
        spec: &PositionSpec,
        row: &Row,
        loaded: &dyn LoadedSet<M::Batch>,
        source: &impl TestSource<M::Batch>,
    ) -> Result<(M, PositionReport, f64)> {
        if let Some(weights) = &row.weights {
            self.reporter.detail(format!("weights of {}", weights.display()));
            let report = PositionReport { weights_sha256: spec.weights_sha256.clone(), ..PositionReport::default() };
            let (model, converted) = read_checkpoint(model, weights)?;
            if let Some(converted) = converted {
                self.reporter.line(format!("  {}: {converted}", weights.display()));
            }
            return Ok((model, report, 0.0));
        }
        let model = spec.initialised(model)?;
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
        let state = self.begun(&key, model, training);
        let mut kept = Instant::now();
        let keep_state = |state: &TrainingState<M>, event, _: &Step| {
            if matches!(event, TrainingEvent::Epoch(_)) && kept.elapsed() >= self.keep_every {
                self.keep_state(&key, state)?;
                kept = Instant::now();
            }
            Ok(())
        };
        let (model, mut report, seconds) = self.train(state, training, spec.seed, loaded, keep_state)?;
        if let Some(test) = source.test_examples()? {
            report.test_accuracy = mean_score(&model.valid(), test.examples(), &self.device.clone().inner())?;
        }
        self.keep(&key, &model, &report)?;
        Ok((model, report, seconds))
    }

    /// Goes on with a training and gives the trained model, its report and the seconds that took; `watch` sees it after
    /// every step and epoch.
    pub(crate) fn train<M: Model>(
        &self,
        state: TrainingState<M>,
        training: &Training,
        seed: u64,
        loaded: &dyn LoadedSet<M::Batch>,
        watch: impl FnMut(&TrainingState<M>, TrainingEvent, &Step) -> Result<()>,
    ) -> Result<(M, PositionReport, f64)> {
        match training.augmentation {
            Augmentation::None => self.train_on(state, training, seed, &mut loaded.examples(), watch),
            Augmentation::CropAndFlip => {
                let mut augmented = loaded.augmented(Purpose::Augmentation.seed(seed))?;
                self.train_on(state, training, seed, &mut *augmented, watch)
            }
        }
    }

    fn train_on<M: Model>(
        &self,
        state: TrainingState<M>,
        training: &Training,
        seed: u64,
        examples: &mut dyn TrainingExamples<Batch = M::Batch>,
        mut watch: impl FnMut(&TrainingState<M>, TrainingEvent, &Step) -> Result<()>,
    ) -> Result<(M, PositionReport, f64)> {
        let mut report = PositionReport { epochs: state.epochs().to_vec(), ..PositionReport::default() };
        let (epochs, count) = (training.epochs, examples.count());
        let step = self.reporter.step(format!("training, {}", counted(epochs, "epochs")), training.steps(count) as u64);
        if let Some(last) = report.epochs.last() {
            step.line(format!("  goes on after epoch {}", last.epoch));
        }
        let order_seed = Purpose::Training.seed(seed);
        let order = |epoch| epoch_order(count, order_seed, epoch as u64).expect("there are examples");
        let mut failure = None;
        let trained = train(state, training, examples, self.device, order, |state, event| {
            match event {
                TrainingEvent::Step(done) => step.at(done as u64),
                TrainingEvent::Epoch(epoch) => {
                    report.epochs.push(epoch);
                    step.line(format!("  epoch {:>3} of {epochs}: loss {:.4}", epoch.epoch, epoch.loss));
                }
            }
            failure = watch(state, event, &step).err();
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok((trained?, report, step.finish())),
        }
    }

    fn keep<M: Model>(&self, key: &str, model: &M, report: &PositionReport) -> Result<()> {
        let file = self.store.position(key);
        let weights = file.with_extension("safetensors");
        let bytes = checkpoint_bytes(model, &weights)?;
        files::write(&weights, &bytes)?;
        let stored =
            StoredPosition { key: key.to_owned(), weights_sha256: files::sha256(&bytes), report: report.clone() };
        files::write_json(&file.with_extension("json"), &stored)?;
        self.store.forget_begun(key, None);
        Ok(())
    }

    /// The training of `key` as far as it has come, or its beginning at `model`.
    pub(crate) fn begun<M: Model>(&self, key: &str, model: M, training: &Training) -> TrainingState<M> {
        let load = |begun: BegunTraining| {
            let [weights, optimiser] = self.store.begun(key, begun.epochs.len());
            let sound = begun.key == key
                && files::sha256_of_file(&weights).ok()? == begun.weights_sha256
                && files::sha256_of_file(&optimiser).ok()? == begun.optimiser_sha256;
            let load = || TrainingState::load(detached(&model), training, &weights, &optimiser, begun.epochs);
            sound.then(load)?.ok()
        };
        let begun = files::read_json(&self.store.position(key).with_extension("begun.json")).and_then(load);
        begun.unwrap_or_else(|| TrainingState::new(model, training))
    }

    /// Saves a training after an epoch; the one saved before stays until this one is complete.
    pub(crate) fn keep_state<M: Model>(&self, key: &str, state: &TrainingState<M>) -> Result<()> {
        let epochs = state.epochs().to_vec();
        let [weights, optimiser] = self.store.begun(key, epochs.len());
        let bytes = (checkpoint_bytes(state.model(), &weights)?, state.optimiser_bytes(&optimiser)?);
        files::write(&weights, &bytes.0)?;
        files::write(&optimiser, &bytes.1)?;
        let begun = BegunTraining {
            key: key.to_owned(),
            weights_sha256: files::sha256(&bytes.0),
            optimiser_sha256: files::sha256(&bytes.1),
            epochs,
        };
        files::write_json(&self.store.position(key).with_extension("begun.json"), &begun)?;
        self.store.forget_begun(key, Some(begun.epochs.len()));
        Ok(())
    }
}

/// The report of the trained position `key`, if it is there and whole.
pub(crate) fn stored(store: &Store, key: &str) -> Option<PositionReport> {
    let stored = stored_as(&store.position(key).with_extension("json"))?;
    (stored.key == key).then_some(stored.report)
}

/// The trained position whose report is `file`, if it is there and whole.
pub(crate) fn stored_as(file: &Path) -> Option<StoredPosition> {
    let stored: StoredPosition = files::read_json(file)?;
    let weights = files::sha256_of_file(&file.with_extension("safetensors")).ok()?;
    (stored.weights_sha256 == weights).then_some(stored)
}
