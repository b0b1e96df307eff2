//! Models whose gradients are studied, as Burn modules: one `Config` and one `Module` a file.
//!
//! A model implements [`Model`], one loss for each example of a batch, or [`Classifier`], logits alone: its forward pass is
//! written once and serves training, the direct capture of gradients and, where its layers go through the [`Trace`], the
//! factored capture.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use gradspectra_models::{Classifier, Initialisation, LeNetConfig, Trace, initialise};
//!
//! let device = Device::flex();
//! let lenet = initialise(LeNetConfig::mnist().init(&device), Initialisation::Uniform, 7)?;
//! let images = Tensor::zeros([3, 28 * 28], &device);
//! assert_eq!(lenet.logits(images, &mut Trace::off()).dims(), [3, 10]);
//! # Ok::<(), gradspectra_models::UndrawnParameter>(())
//! ```

mod architecture;
mod batches;
mod checkpoint;
mod classifier;
mod detached;
mod device;
mod factors;
mod initialisation;
mod layers;
mod model;
mod networks;
mod trace;
mod training;
mod training_state;

pub use architecture::{Architecture, Facts};
pub use batches::{Regression, Sequences};
pub use checkpoint::{
    CheckpointError, Conversion, checkpoint_bytes, load_checkpoint, read_checkpoint, save_checkpoint,
};
pub use classifier::{Classifier, Labelled, LabelledInputs, cross_entropy, exact_cross_entropy};
pub use detached::detached;
pub use device::{GpuMemory, runs_on_cpu};
pub use factors::{Factors, LayerFactors, WeightLayout};
pub use gradspectra_settings::{Augmentation, Decay, EpochReport, Initialisation, Optimiser, Training};
pub use initialisation::{UndrawnParameter, initialise};
pub use layers::attention::attention;
pub use layers::pooling::pool_relu;
pub use layers::product::product;
pub use model::{Examples, ExamplesError, Model, losses, mean_loss, mean_score};
pub use networks::fcn::{BatchNormPlacement, Fcn, FcnConfig, FcnSettings, LnnSettings};
pub use networks::gpt::{Gpt, GptSettings};
pub use networks::lenet::{LeNet, LeNetConfig, LeNetSettings};
pub use networks::mlp::{Activation, Mlp, MlpSettings};
pub use networks::resnet18::{
    BatchNormMode, Norm, ResNet18, ResNet18Config, ResNet18GroupNormSettings, ResNet18Settings,
};
pub use networks::vit::{Vit, VitSettings};
pub use trace::{Trace, TracedLayer, UnreachedLayer};
pub use training::{TrainingError, TrainingEvent, TrainingExamples, optimizer, train};
pub use training_state::TrainingState;
