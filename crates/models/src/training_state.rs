use std::path::Path;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use crate::{CheckpointError, EpochReport, Training, load_checkpoint, optimizer};

/// A training between two steps: the parameters, what the optimiser remembers, the epochs that are done.
///
/// It can be saved after an epoch and gone on with by another process; what comes of it has the same bytes as without.
pub struct TrainingState<M> {
    model: M,
    optimizer: ModuleOptimizer,
    epochs: Vec<EpochReport>,
}

impl<M: Module> TrainingState<M> {
    /// The beginning of `training`, which starts from the parameters of `model`.
    pub fn new(model: M, training: &Training) -> Self {
        let optimizer = optimizer(training.optimiser, training.weight_decay);
        Self { model: model.map(&mut Numbering(0)), optimizer, epochs: Vec::new() }
    }

    /// The network as it is now.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The epochs that are done.
    pub fn epochs(&self) -> &[EpochReport] {
        &self.epochs
    }

    pub(crate) fn into_model(self) -> M {
        self.model
    }

    pub(crate) fn step(mut self, learning_rate: f64, gradients: GradientsParams) -> Self {
        self.model = self.optimizer.step(learning_rate, self.model, gradients);
        self
    }

    pub(crate) fn end_epoch(&mut self, report: EpochReport) {
        self.epochs.push(report);
    }

    /// The file of what the optimiser remembers, Burn's own, to be written to `path`.
    ///
    /// # Errors
    ///
    /// Burn cannot write it.
    pub fn optimiser_bytes(&self, path: &Path) -> Result<Vec<u8>, CheckpointError> {
        let unwritable = |reason: String| CheckpointError::Unwritable { path: path.to_owned(), reason };
        self.optimizer.into_bytes().map(|bytes| bytes.to_vec()).map_err(|error| unwritable(error.to_string()))
    }

    /// The state of `training` after `epochs`, from the files of its [`model`](Self::model) and its optimiser, with
    /// `model` as it was built. Burn reads the latter on its default device, which `BURN_DEVICE` names, and moves it to the
    /// parameters' at the next step.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is of another model.
    pub fn load(
        model: M,
        training: &Training,
        weights: &Path,
        optimiser: &Path,
        epochs: Vec<EpochReport>,
    ) -> Result<Self, CheckpointError> {
        let Self { model, optimizer, .. } = Self::new(load_checkpoint(model, weights)?, training);
        let unreadable = |reason: String| CheckpointError::Unreadable { path: optimiser.to_owned(), reason };
        let optimizer = optimizer.load(optimiser).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { model, optimizer, epochs })
    }
}

/// Numbers the parameters in the order of the module's fields, so that what an optimiser remembers finds them again.
struct Numbering(u64);

impl ModuleMapper for Numbering {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        let (_, tensor, mapper) = param.consume();
        Param::from_mapped_value(ParamId::from(self.0), tensor, mapper)
    }
}
