use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Classifier, Facts, Trace, pool_relu};

/// Configuration of [`LeNet`].
#[derive(Config, Debug)]
pub struct LeNetConfig {
    /// Channels, height and width of an image; height and width alike.
    pub image: [usize; 3],
    /// The number of classes.
    #[config(default = 10)]
    pub classes: usize,
    /// Pads the first convolution by 2, so that it keeps the image's size (61,706 parameters on MNIST).
    #[config(default = false)]
    pub padded: bool,
}

impl LeNetConfig {
    /// LeNet for MNIST: 44,426 parameters.
    pub fn mnist() -> Self {
        Self::new([1, 28, 28])
    }

    /// LeNet for CIFAR images of `classes` classes: 62,006 parameters for 10.
    pub fn cifar(classes: usize) -> Self {
        Self::new([3, 32, 32]).with_classes(classes)
    }

    /// Builds the network with Burn's own initialisation.
    pub fn init(&self, device: &Device) -> LeNet {
        let [channels, side, _] = self.image;
        let padding = if self.padded { 2 } else { 0 };
        let pooled = |side: usize| (side - 4) / 2;
        let last = pooled(pooled(side + 2 * padding));
        LeNet {
            conv1: Conv2dConfig::new([channels, 6], [5, 5])
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                .init(device),
            conv2: Conv2dConfig::new([6, 16], [5, 5]).init(device),
            fc1: LinearConfig::new(16 * last * last, 120).init(device),
            fc2: LinearConfig::new(120, 84).init(device),
            fc3: LinearConfig::new(84, self.classes).init(device),
            image: self.image,
        }
    }
}

/// The convolutional network of LeCun et al., [Gradient-based learning applied to document
/// recognition](https://doi.org/10.1109/5.726791) (1998), with ReLU and max-pooling, as the paper's §A.1 uses it.
#[derive(Module, Debug)]
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    #[module(skip)]
    image: [usize; 3],
}

impl Classifier for LeNet {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let [channels, height, width] = self.image;
        let x = inputs.reshape([examples, channels, height, width]);
        let x = pool_relu(trace.layer("conv1", &self.conv1, x));
        let x = pool_relu(trace.layer("conv2", &self.conv2, x));
        let x = relu(trace.layer("fc1", &self.fc1, x.flatten(1, 3)));
        let x = relu(trace.layer("fc2", &self.fc2, x));
        trace.layer("fc3", &self.fc3, x)
    }
}

/// LeNet as an experiment file writes it: `{ kind = "lenet", padded = false }`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeNetSettings {
    /// Pads the first convolution by 2.
    #[serde(default)]
    pub padded: bool,
}

impl Architecture for LeNetSettings {
    type Model = LeNet;

    fn title(&self) -> String {
        if self.padded { "LeNet (padded)".to_owned() } else { "LeNet".to_owned() }
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<LeNet, String> {
        let image: [usize; 3] = facts.input_shape[..]
            .try_into()
            .map_err(|_| format!("it takes images, and the data set has inputs of {:?}", facts.input_shape))?;
        let [_, height, width] = image;
        if height != width || height < 16 {
            return Err(format!("it takes square images of 16 × 16 or more, and the data set has inputs of {image:?}"));
        }
        Ok(LeNetConfig::new(image).with_classes(facts.targets).with_padded(self.padded).init(device))
    }
}
