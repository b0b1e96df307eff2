use burn::config::Config;
use burn::module::{Module, ModuleDisplay, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Classifier, Facts, Trace, TracedLayer};

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
    /// Builds the network of He et al., with BatchNorm, with Burn's own initialisation.
    pub fn init(&self, device: &Device) -> ResNet18 {
        self.with_norms(&|channels| BatchNormConfig::new(channels).init(device), device)
    }

    /// Builds the network with other layers that normalise; `norm` makes one of some channels.
    pub fn with_norms<N: Norm>(&self, norm: &dyn Fn(usize) -> N, device: &Device) -> ResNet18<N> {
        let width = self.width;
        let stage = |inputs: usize, outputs: usize, stride: usize| {
            vec![
                BasicBlock::new(inputs, outputs, stride, norm, device),
                BasicBlock::new(outputs, outputs, 1, norm, device),
            ]
        };
        ResNet18 {
            conv1: convolution(3, width, 3, 1, device),
            bn1: norm(width),
            layer1: stage(width, width, 1),
            layer2: stage(width, 2 * width, 2),
            layer3: stage(2 * width, 4 * width, 2),
            layer4: stage(4 * width, 8 * width, 2),
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(8 * width, self.classes).init(device),
        }
    }
}

/// A layer that normalises images.
pub trait Norm: TracedLayer<4, 4> + ModuleDisplay {}

impl<N: TracedLayer<4, 4> + ModuleDisplay> Norm for N {}

/// The residual network with 18 layers of He et al., [Deep residual learning for image
/// recognition](https://arxiv.org/abs/1512.03385) (2015), for images of 32 × 32: a 3 × 3 first convolution and no
/// pooling after it. Parameters are named as torchvision names them, whatever normalises.
#[derive(Module, Debug)]
pub struct ResNet18<N: Module = BatchNorm> {
    conv1: Conv2d,
    bn1: N,
    layer1: Vec<BasicBlock<N>>,
    layer2: Vec<BasicBlock<N>>,
    layer3: Vec<BasicBlock<N>>,
    layer4: Vec<BasicBlock<N>>,
    pool: AdaptiveAvgPool2d,
    fc: Linear,
}

/// Two convolutions and a way around them.
#[derive(Module, Debug)]
struct BasicBlock<N: Module> {
    conv1: Conv2d,
    bn1: N,
    conv2: Conv2d,
    bn2: N,
    downsample: Option<(Conv2d, N)>,
}

fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new([inputs, outputs], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(false)
        .init(device)
}

impl<N: Norm> BasicBlock<N> {
    fn new(inputs: usize, outputs: usize, stride: usize, norm: &dyn Fn(usize) -> N, device: &Device) -> Self {
        let changes_shape = stride != 1 || inputs != outputs;
        Self {
            conv1: convolution(inputs, outputs, 3, stride, device),
            bn1: norm(outputs),
            conv2: convolution(outputs, outputs, 3, 1, device),
            bn2: norm(outputs),
            downsample: changes_shape.then(|| (convolution(inputs, outputs, 1, stride, device), norm(outputs))),
        }
    }

    fn forward(&self, input: Tensor<4>, path: &str, trace: &mut Trace) -> Tensor<4> {
        let around = match &self.downsample {
            Some((convolution, norm)) => {
                let x = trace.layer(&format!("{path}.downsample.0"), convolution, input.clone());
                trace.layer(&format!("{path}.downsample.1"), norm, x)
            }
            None => input.clone(),
        };
        let x = trace.layer(&format!("{path}.conv1"), &self.conv1, input);
        let x = relu(trace.layer(&format!("{path}.bn1"), &self.bn1, x));
        let x = trace.layer(&format!("{path}.conv2"), &self.conv2, x);
        relu(trace.layer(&format!("{path}.bn2"), &self.bn2, x) + around)
    }
}

impl<N: Norm> Classifier for ResNet18<N> {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let images = inputs.reshape([examples, 3, 32, 32]);
        let x = trace.layer("conv1", &self.conv1, images);
        let mut x = relu(trace.layer("bn1", &self.bn1, x));
        for (stage, blocks) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                x = block.forward(x, &format!("layer{}.{index}", stage + 1), trace);
            }
        }
        trace.layer("fc", &self.fc, self.pool.forward(x).flatten(1, 3))
    }
}

/// Which statistics BatchNorm normalises by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNormMode {
    /// Those of the minibatch, so that its examples mix.
    #[default]
    Training,
    /// Its running statistics, which then stay: an example's loss depends on that example alone.
    Evaluation,
}

/// ResNet18 as an experiment file writes it: `{ kind = "resnet18", width = 64, batch-norm = "evaluation" }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ResNet18Settings {
    /// The channels of the first stage.
    pub width: usize,
    /// Which statistics BatchNorm normalises by.
    #[serde(skip_serializing_if = "is_training")]
    pub batch_norm: BatchNormMode,
}

fn is_training(mode: &BatchNormMode) -> bool {
    *mode == BatchNormMode::Training
}

impl Default for ResNet18Settings {
    fn default() -> Self {
        Self { width: 64, batch_norm: BatchNormMode::Training }
    }
}

impl Architecture for ResNet18Settings {
    type Model = ResNet18;

    fn title(&self) -> String {
        match self.batch_norm {
            BatchNormMode::Training => "ResNet18".to_owned(),
            BatchNormMode::Evaluation => "ResNet18 (running statistics)".to_owned(),
        }
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<ResNet18, String> {
        let config = config(facts, self.width)?;
        let norm = |channels: usize| {
            let mut norm = BatchNormConfig::new(channels).init(device);
            norm.training = Param::from_bool(self.batch_norm == BatchNormMode::Training);
            norm
        };
        Ok(config.with_norms(&norm, device))
    }
}

/// ResNet18 with GroupNorm in place of BatchNorm ([Wu and He](https://arxiv.org/abs/1803.08494) 2018) as an experiment file
/// writes it: `{ kind = "resnet18-group-norm", width = 64, groups = 32 }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ResNet18GroupNormSettings {
    /// The channels of the first stage.
    pub width: usize,
    /// The groups of channels that are normalised together.
    pub groups: usize,
}

impl Default for ResNet18GroupNormSettings {
    fn default() -> Self {
        Self { width: 64, groups: 32 }
    }
}

impl Architecture for ResNet18GroupNormSettings {
    type Model = ResNet18<GroupNorm>;

    fn title(&self) -> String {
        "ResNet18 (GroupNorm)".to_owned()
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<ResNet18<GroupNorm>, String> {
        let config = config(facts, self.width)?;
        if self.groups == 0 || !self.width.is_multiple_of(self.groups) {
            return Err(format!(
                "it has {} groups and width {}; give groups that divide the width",
                self.groups, self.width
            ));
        }
        let norm = |channels: usize| GroupNormConfig::new(self.groups, channels).init(device);
        Ok(config.with_norms(&norm, device))
    }
}

/// The network for data of which `facts` are known.
fn config(facts: &Facts, width: usize) -> Result<ResNet18Config, String> {
    /// The most channels of the first stage.
    const WIDEST: usize = 1 << 12;
    if facts.input_shape != [3, 32, 32] {
        return Err(format!("it takes images of [3, 32, 32], the data set has {:?}", facts.input_shape));
    }
    if !(1..=WIDEST).contains(&width) {
        return Err(format!("it has width {width}; give a width of 1 to {WIDEST}"));
    }
    Ok(ResNet18Config::new().with_classes(facts.targets).with_width(width))
}
