//! The networks that experiments name.

use std::fmt;

use burn::tensor::Device;
use gradspectra_capture::LayerSize;
use gradspectra_models::{BatchNormPlacement, Classifier, Fcn, FcnConfig, LeNetConfig, ResNet18Config};
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

    /// The layers whose gradients come as factors, for inputs of `shape`; none where the network mixes examples.
    pub(crate) fn layers(self, shape: &[usize], classes: usize) -> Vec<LayerSize> {
        let linear = |sides: &[usize]| sides.windows(2).map(|pair| LayerSize::linear(pair[0], pair[1])).collect();
        match self {
            _ if self.mixes_examples() => Vec::new(),
            Self::LeNet { padded } => {
                let pooled = |side: usize| (side - 4) / 2;
                let padding = if padded { 4 } else { 0 };
                let flat = 16 * pooled(pooled(shape.get(1).map_or(28, |side| side + padding))).pow(2);
                let first = shape.first().map_or(1, |channels| channels * 150 + 6);
                let convolutions = [first, 2416].map(LayerSize::explicit);
                [convolutions.to_vec(), linear(&[flat, 120, 84, classes])].concat()
            }
            _ => linear(&self.sides(shape, classes)),
        }
    }

    /// The widths of a fully connected or linear network, from its input to its output.
    fn sides(self, shape: &[usize], classes: usize) -> Vec<usize> {
        let hidden = match self {
            Self::Fcn { width, hidden_layers, .. } | Self::Lnn { width, hidden_layers, .. } => {
                vec![width; hidden_layers]
            }
            _ => Vec::new(),
        };
        [shape.iter().product()].into_iter().chain(hidden).chain([classes]).collect()
    }

    /// n, for inputs of `shape`.
    pub(crate) fn parameters(self, shape: &[usize], classes: usize) -> usize {
        match self {
            Self::Fcn { width, hidden_layers, batch_norm } | Self::Lnn { width, hidden_layers, batch_norm, .. } => {
                let sides = self.sides(shape, classes);
                let normalised: usize = match batch_norm {
                    BatchNormPlacement::None => 0,
                    BatchNormPlacement::BeforeLinear => sides[..sides.len() - 1].iter().sum(),
                    _ => width * hidden_layers,
                };
                sides.windows(2).map(|pair| pair[0] * pair[1] + pair[1]).sum::<usize>() + 2 * normalised
            }
            Self::ResNet18 { width } => {
                let block = |inputs: usize, outputs: usize| 9 * outputs * (inputs + outputs) + 4 * outputs;
                let first = 27 * width + 2 * width + 2 * block(width, width);
                let stages: usize = [width, 2 * width, 4 * width]
                    .iter()
                    .map(|&inputs| {
                        let outputs = 2 * inputs;
                        block(inputs, outputs) + inputs * outputs + 2 * outputs + block(outputs, outputs)
                    })
                    .sum();
                first + stages + 8 * width * classes + classes
            }
            Self::LeNet { .. } => self.layers(shape, classes).iter().map(LayerSize::parameters).sum(),
        }
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

#[cfg(test)]
mod tests {
    use gradspectra_capture::{ExampleFactors, ParameterLayout};
    use gradspectra_models::LabelledInputs;

    use super::*;

    /// n, and the layers that go through the trace, for inputs of a shape.
    struct Count(Vec<usize>);

    impl ModelTask for Count {
        type Output = (usize, Vec<LayerSize>);

        fn run<M: Classifier>(self, model: M) -> Result<Self::Output> {
            let features = self.0.iter().product();
            let (inputs, device) = (vec![0.5; features], Device::flex().autodiff());
            let example = LabelledInputs::new(&inputs, &[0], features);
            let factors = ExampleFactors::capture(&model, example, &[0], &device, |_| ()).expect("zeros are finite");
            let layers = factors.map_or(Vec::new(), |factors| factors.layers());
            Ok((ParameterLayout::of(&model).parameters(), layers))
        }
    }

    #[test]
    fn sizes_are_those_of_the_networks() {
        let fcn = |width, hidden_layers, batch_norm| ModelSpec::Fcn { width, hidden_layers, batch_norm };
        let lnn = ModelSpec::Lnn { width: 70, hidden_layers: 3, batch_norm: BatchNormPlacement::None, relu: true };
        let device = Device::flex().autodiff();
        for (spec, shape, classes) in [
            (ModelSpec::LeNet { padded: false }, vec![1, 28, 28], 10),
            (ModelSpec::LeNet { padded: true }, vec![1, 28, 28], 10),
            (ModelSpec::LeNet { padded: false }, vec![3, 32, 32], 100),
            (fcn(70, 1, BatchNormPlacement::BeforeLinear), vec![1, 28, 28], 10),
            (fcn(30, 2, BatchNormPlacement::AfterLinear), vec![1, 28, 28], 10),
            (fcn(70, 0, BatchNormPlacement::None), vec![10], 12),
            (lnn, vec![1, 28, 28], 10),
            (ModelSpec::ResNet18 { width: 8 }, vec![3, 32, 32], 100),
        ] {
            let counted = spec.with(&shape, classes, &device, Count(shape.clone())).expect("the shapes fit");
            assert_eq!((spec.parameters(&shape, classes), spec.layers(&shape, classes)), counted, "{spec}");
        }
        let lenet = ModelSpec::LeNet { padded: false };
        let factors: usize = lenet.layers(&[1, 28, 28], 10).iter().map(|layer| layer.factors).sum();
        assert_eq!((lenet.parameters(&[1, 28, 28], 10), factors), (44_426, 3246));
        assert_eq!(ModelSpec::ResNet18 { width: 64 }.parameters(&[3, 32, 32], 10), 11_173_962);
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
            assert!(matches!(
                spec.with(&shape, 10, &device, Count(shape.clone())),
                Err(Error::Setting { name: "model", .. })
            ));
        }
    }
}
