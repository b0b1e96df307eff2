use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Classifier, Facts, Trace};

/// Configuration of [`ResNet18`].
#[derive(Config, Debug)]
pub struct ResNet18Config {
    /// The number of classes.
    #[config(default = 10)]
    pub classes: usize,
    /// The channels of the first stage; each of the three others has twice as many as the one before.
    #[config(default = 64)]
    pub width: usize,
}

impl ResNet18Config {
    /// Builds the network with Burn's own initialisation.
    pub fn init(&self, device: &Device) -> ResNet18 {
        let width = self.width;
        let stage = |inputs: usize, outputs: usize, stride: usize| {
            vec![BasicBlock::new(inputs, outputs, stride, device), BasicBlock::new(outputs, outputs, 1, device)]
        };
        ResNet18 {
            conv1: convolution(3, width, 3, 1, device),
            bn1: BatchNormConfig::new(width).init(device),
            layer1: stage(width, width, 1),
            layer2: stage(width, 2 * width, 2),
            layer3: stage(2 * width, 4 * width, 2),
            layer4: stage(4 * width, 8 * width, 2),
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(8 * width, self.classes).init(device),
        }
    }
}

/// The residual network with 18 layers of He et al., [Deep residual learning for image
/// recognition](https://arxiv.org/abs/1512.03385) (2015), for images of 32 × 32: a 3 × 3 first convolution and no
/// pooling after it. Parameters are named as torchvision names them.
#[derive(Module, Debug)]
pub struct ResNet18 {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    pool: AdaptiveAvgPool2d,
    fc: Linear,
}

/// Two convolutions and a way around them.
#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<(Conv2d, BatchNorm)>,
}

fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new([inputs, outputs], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(false)
        .init(device)
}

impl BasicBlock {
    fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let norm = || BatchNormConfig::new(outputs).init(device);
        let changes_shape = stride != 1 || inputs != outputs;
        Self {
            conv1: convolution(inputs, outputs, 3, stride, device),
            bn1: norm(),
            conv2: convolution(outputs, outputs, 3, 1, device),
            bn2: norm(),
            downsample: changes_shape.then(|| (convolution(inputs, outputs, 1, stride, device), norm())),
        }
    }

    fn forward(&self, input: Tensor<4>, path: &str, trace: &mut Trace) -> Tensor<4> {
        let around = match &self.downsample {
            Some((convolution, norm)) => {
                norm.forward(trace.layer(&format!("{path}.downsample.0"), convolution, input.clone()))
            }
            None => input.clone(),
        };
        let x = relu(self.bn1.forward(trace.layer(&format!("{path}.conv1"), &self.conv1, input)));
        let x = self.bn2.forward(trace.layer(&format!("{path}.conv2"), &self.conv2, x));
        relu(x + around)
    }
}

impl Classifier for ResNet18 {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let images = inputs.reshape([examples, 3, 32, 32]);
        let mut x = relu(self.bn1.forward(trace.layer("conv1", &self.conv1, images)));
        for (stage, blocks) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                x = block.forward(x, &format!("layer{}.{index}", stage + 1), trace);
            }
        }
        trace.layer("fc", &self.fc, self.pool.forward(x).flatten(1, 3))
    }
}

/// ResNet18 as an experiment file writes it: `{ kind = "resnet18", width = 64 }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ResNet18Settings {
    /// The channels of the first stage.
    pub width: usize,
}

impl Default for ResNet18Settings {
    fn default() -> Self {
        Self { width: 64 }
    }
}

impl Architecture for ResNet18Settings {
    type Model = ResNet18;

    fn title(&self) -> String {
        "ResNet18".to_owned()
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<ResNet18, String> {
        /// The most channels of the first stage.
        const WIDEST: usize = 1 << 12;
        if facts.input_shape != [3, 32, 32] {
            return Err(format!("it takes images of [3, 32, 32], the data set has {:?}", facts.input_shape));
        }
        if !(1..=WIDEST).contains(&self.width) {
            return Err(format!("it has width {}; give a width of 1 to {WIDEST}", self.width));
        }
        Ok(ResNet18Config::new().with_classes(facts.targets).with_width(self.width).init(device))
    }

    /// As measured at width 64.
    fn activations(&self, _facts: &Facts) -> u64 {
        2_000_000 * self.width as u64 / 64
    }
}
