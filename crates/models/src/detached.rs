use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{GradientCheckpointingStrategy, Tensor};

/// A copy of `model`, which lives on an autodiff device, that shares nothing with it which a forward pass changes:
/// clones of a Burn module share the running statistics of their BatchNorm layers.
///
/// Fields that Burn skips are cloned.
pub fn detached<M: Module>(model: &M) -> M {
    let copy = model.valid().train();
    match model.devices().first().and_then(|device| device.gradient_checkpointing_strategy()) {
        Some(strategy) => copy.map(&mut Checkpointing(strategy)),
        None => copy,
    }
}

/// Gives the parameters the strategy of their device, which Burn forgets on the way.
struct Checkpointing(GradientCheckpointingStrategy);

impl ModuleMapper for Checkpointing {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.with_gradient_checkpointing_strategy(self.0))
    }
}
