//! The networks that experiments name.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use gradspectra_capture::{ExampleFactors, LayerSize};
use gradspectra_models::{BatchNormPlacement, Classifier, Fcn, FcnConfig, LabelledInputs, LeNetConfig, ResNet18Config};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A network of an experiment file; inputs and classes follow from the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ModelSpec {
    /// The convolutional network of §A.1.
    #[serde(rename = "lenet")]
    LeNet {
        /// Pads the first convolution by 2.
        #[serde(default)]
        padded: bool,
    },
    /// The fully connected network of §A.1.
    Fcn {
        /// The number of neurons of a hidden layer.
        #[serde(default = "seventy")]
        width: usize,
        /// The number of hidden layers.
        #[serde(default = "one")]
        hidden_layers: usize,
        /// Where BatchNorm stands.
        #[serde(default)]
        batch_norm: BatchNormPlacement,
    },
    /// The linear network of §A.1: four linear layers.
    Lnn {
        /// The number of neurons of a hidden layer.
        #[serde(default = "seventy")]
        width: usize,
        /// The number of hidden layers.
        #[serde(default = "three")]
        hidden_layers: usize,
        /// Where BatchNorm stands.
        #[serde(default = "no_batch_norm")]
        batch_norm: BatchNormPlacement,
        /// Puts ReLU between the layers.
        #[serde(default)]
        relu: bool,
    },
    /// The residual network with 18 layers for images of 32 × 32.
    #[serde(rename = "resnet18")]
    ResNet18 {
        /// The channels of the first stage.
        #[serde(default = "sixty_four")]
        width: usize,
    },
}

fn one() -> usize {
    1
}

fn three() -> usize {
    3
}

fn seventy() -> usize {
    70
}

fn sixty_four() -> usize {
    64
}

fn no_batch_norm() -> BatchNormPlacement {
    BatchNormPlacement::None
}

/// What is done with a network, whatever its type.
pub(crate) trait ModelTask {
    /// What comes of it.
    type Output;

    /// Does it with `model`, fresh from its configuration.
    fn run<M: Classifier>(self, model: M) -> Result<Self::Output>;
}

impl ModelSpec {
    /// Builds the network for inputs of `shape` on `device` and hands it to `task`.
    ///
    /// # Errors
    ///
    /// The network cannot take such inputs, or `task` fails.
    pub(crate) fn with<T: ModelTask>(
        self,
        shape: &[usize],
        classes: usize,
        device: &Device,
        task: T,
    ) -> Result<T::Output> {
        match self {
            Self::LeNet { padded } => {
                let image = self.image(shape)?;
                task.run(LeNetConfig::new(image).with_classes(classes).with_padded(padded).init(device))
            }
            Self::Fcn { .. } | Self::Lnn { .. } => {
                let config = self.fully_connected(shape.iter().product(), classes)?;
                task.run(config.init(device))
            }
            Self::ResNet18 { width } => {
                if shape != [3, 32, 32] {
                    return Err(self.unfit(format!("it takes images of [3, 32, 32], the data set has {shape:?}")));
                }
                task.run(ResNet18Config::new().with_classes(classes).with_width(width).init(device))
            }
        }
    }

    /// The configuration of a fully connected or linear network.
    fn fully_connected(self, features: usize, classes: usize) -> Result<FcnConfig> {
        let (width, hidden_layers, batch_norm, relu) = match self {
            Self::Fcn { width, hidden_layers, batch_norm } => (width, hidden_layers, batch_norm, true),
            Self::Lnn { width, hidden_layers, batch_norm, relu } => (width, hidden_layers, batch_norm, relu),
            _ => return Err(self.unfit("it is not fully connected".to_owned())),
        };
        if hidden_layers > Fcn::MOST_HIDDEN_LAYERS || width == 0 {
            let most = Fcn::MOST_HIDDEN_LAYERS;
            return Err(self.unfit(format!("give hidden-layers from 0 to {most} and a width of at least 1")));
        }
        Ok(FcnConfig::new(features)
            .with_classes(classes)
            .with_width(width)
            .with_hidden_layers(hidden_layers)
            .with_batch_norm(batch_norm)
            .with_relu(relu))
    }

    /// Whether an example's gradient depends on the others of its minibatch, as with BatchNorm in training mode.
    pub(crate) fn mixes_examples(self) -> bool {
        match self {
            Self::LeNet { .. } => false,
            Self::Fcn { batch_norm, .. } | Self::Lnn { batch_norm, .. } => batch_norm != BatchNormPlacement::None,
            Self::ResNet18 { .. } => true,
        }
    }

    /// The sizes of the network for inputs of `shape`, as it is built; of none where it cannot take such inputs.
    pub(crate) fn measured(self, shape: &[usize], classes: usize) -> Arc<Measured> {
        type Known = Mutex<Vec<((ModelSpec, Vec<usize>, usize), Arc<Measured>)>>;
        static KNOWN: Known = Mutex::new(Vec::new());
        let key = (self, shape.to_vec(), classes);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, measured)) = known.iter().find(|(other, _)| *other == key) {
            return measured.clone();
        }
        let device = Device::flex().autodiff();
        let measure = Measure { features: shape.iter().product(), mixes: self.mixes_examples() };
        let measured = Arc::new(self.with(shape, classes, &device, measure).unwrap_or_default());
        known.push((key, measured.clone()));
        measured
    }

    fn unfit(self, mend: String) -> Error {
        Error::Setting { name: "model", found: self.to_string(), mend }
    }

    fn image(self, shape: &[usize]) -> Result<[usize; 3]> {
        let image = shape.try_into();
        image.map_err(|_| self.unfit(format!("it takes images, and the data set has inputs of {shape:?}")))
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeNet { padded: false } => formatter.write_str("LeNet"),
            Self::LeNet { padded: true } => formatter.write_str("LeNet (padded)"),
            Self::Fcn { hidden_layers, .. } => write!(formatter, "{}Layer-FCN", hidden_layers + 1),
            Self::Lnn { hidden_layers, .. } => write!(formatter, "{}Layer-LNN", hidden_layers + 1),
            Self::ResNet18 { .. } => formatter.write_str("ResNet18"),
        }
    }
}

/// The sizes of a network, measured on the network itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// n.
    pub(crate) parameters: usize,
    /// The layers whose gradients come as factors, in the order of their parameters; none where not all do.
    pub(crate) layers: Vec<LayerSize>,
}

/// Measures a network for inputs of `features` numbers.
struct Measure {
    features: usize,
    mixes: bool,
}

/// The most parameters of a network that is made for its sizes alone: 256 MB.
const MOST_MEASURED: usize = 1 << 26;

impl ModelTask for Measure {
    type Output = Measured;

    fn run<M: Classifier>(self, model: M) -> Result<Measured> {
        let mut count = Count(0);
        model.visit(&mut count);
        let Count(parameters) = count;
        if self.mixes || parameters > MOST_MEASURED {
            return Ok(Measured { parameters, layers: Vec::new() });
        }
        let (inputs, device) = (vec![0.5; self.features], Device::flex().autodiff());
        let example = LabelledInputs::new(&inputs, &[0], self.features);
        let layers = match ExampleFactors::capture(&model, example, &[0], &device, |_| ()) {
            Ok(factors) => factors.layers(),
            Err(_) => Vec::new(),
        };
        Ok(Measured { parameters, layers })
    }
}

/// Counts parameters that require gradients, without making those that wait for their first use.
struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_initialized() || param.val().is_require_grad() {
            self.0 += param.lazy_shape().num_elements();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of parameters are those of PyTorch's networks: sum(p.numel() for p in model.parameters()).
    #[test]
    fn sizes_are_those_of_the_networks() {
        let fcn = |width, hidden_layers, batch_norm| ModelSpec::Fcn { width, hidden_layers, batch_norm };
        let lnn = ModelSpec::Lnn { width: 70, hidden_layers: 3, batch_norm: BatchNormPlacement::None, relu: true };
        let lenet = |padded| ModelSpec::LeNet { padded };
        for (spec, shape, classes, parameters, factors) in [
            (lenet(false), vec![1, 28, 28], 10, 44_426, 3246),
            (lenet(true), vec![1, 28, 28], 10, 61_706, 3390),
            (lenet(false), vec![3, 32, 32], 100, 69_656, 3780),
            (lenet(false), vec![3, 32, 32], 20, 62_856, 3700),
            (fcn(70, 1, BatchNormPlacement::BeforeLinear), vec![1, 28, 28], 10, 57_368, 0),
            (fcn(30, 2, BatchNormPlacement::AfterLinear), vec![1, 28, 28], 10, 24_910, 0),
            (fcn(70, 0, BatchNormPlacement::None), vec![10], 12, 132, 22),
            (lnn, vec![1, 28, 28], 10, 65_600, 1214),
            (ModelSpec::ResNet18 { width: 64 }, vec![3, 32, 32], 10, 11_173_962, 0),
        ] {
            let measured = spec.measured(&shape, classes);
            let found: usize = measured.layers.iter().map(|layer| layer.factors).sum();
            assert_eq!((measured.parameters, found), (parameters, factors), "{spec} for {classes} classes");
            if factors > 0 {
                let covered: usize = measured.layers.iter().map(LayerSize::parameters).sum();
                assert_eq!(covered, parameters, "{spec}");
            }
        }
    }

    #[test]
    fn a_network_refuses_inputs_that_it_cannot_take() {
        let device = Device::flex().autodiff();
        let fcn = ModelSpec::Fcn { width: 70, hidden_layers: 9, batch_norm: BatchNormPlacement::None };
        for (spec, shape) in [
            (ModelSpec::LeNet { padded: false }, vec![10]),
            (ModelSpec::ResNet18 { width: 64 }, vec![1, 28, 28]),
            (fcn, vec![10]),
        ] {
            let measure = Measure { features: shape.iter().product(), mixes: false };
            assert!(matches!(spec.with(&shape, 10, &device, measure), Err(Error::Setting { name: "model", .. })));
            assert_eq!(*spec.measured(&shape, 10), Measured::default());
        }
    }
}
