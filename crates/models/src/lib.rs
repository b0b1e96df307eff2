//! Models whose gradients are studied, as Burn modules: one `Config` and one `Module` a file.
//!
//! A model implements [`Classifier`]: its forward pass is written once and serves training, the direct
//! capture of gradients and, where its layers go through the [`Trace`], the factored capture.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use gradspectra_models::{Classifier, Initialisation, LeNetConfig, Trace};
//!
//! let device = Device::flex();
//! let lenet = Initialisation::Uniform.apply(LeNetConfig::mnist().init(&device), 7);
//! let images = Tensor::zeros([3, 28 * 28], &device);
//! assert_eq!(lenet.logits(images, &mut Trace::off()).dims(), [3, 10]);
//! ```

mod checkpoint;
mod classifier;
mod convolution;
mod device;
mod extension;
mod fcn;
mod initialisation;
mod kernels;
mod lenet;
mod pooling;
mod product;
mod resnet18;
mod trace;
mod training;
mod training_state;

pub use checkpoint::{
    CheckpointError, Conversion, FileKind, HeaderError, HeaderTensor, SafetensorsHeader, checkpoint_bytes,
    load_checkpoint, read_checkpoint, save_checkpoint,
};
pub use classifier::{Classifier, LabelledInputs, accuracy, cross_entropy_sum, mean_loss};
pub use device::{GpuMemory, runs_on_cpu};
pub use fcn::{BatchNormPlacement, Fcn, FcnConfig};
pub use initialisation::Initialisation;
pub use lenet::{LeNet, LeNetConfig};
pub use pooling::pool_relu;
pub use product::product;
pub use resnet18::{ResNet18, ResNet18Config};
pub use trace::{Factors, LayerFactors, Trace, TracedLayer, UnreachedLayer, WeightLayout};
pub use training::{
    Augmentation, EpochReport, Optimiser, Training, TrainingError, TrainingEvent, TrainingExamples, train,
};
pub use training_state::TrainingState;
