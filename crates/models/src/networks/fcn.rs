use burn::config::Config;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Classifier, Facts, Trace};

/// Where a fully connected network normalises over the minibatch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNormPlacement {
    /// Nowhere.
    None,
    /// Before every linear layer, the inputs included.
    #[default]
    BeforeLinear,
    /// Between a hidden layer and its ReLU.
    AfterLinear,
    /// After the ReLU of a hidden layer.
    AfterRelu,
}

/// Configuration of [`Fcn`].
#[derive(Config, Debug)]
pub struct FcnConfig {
    /// The number of entries of an input.
    pub features: usize,
    /// The number of classes.
    #[config(default = 10)]
    pub classes: usize,
    /// The number of neurons of a hidden layer.
    #[config(default = 70)]
    pub width: usize,
    /// The number of hidden layers, at most [`Fcn::MOST_HIDDEN_LAYERS`].
    #[config(default = 1)]
    pub hidden_layers: usize,
    /// Where BatchNorm stands.
    #[config(default = "BatchNormPlacement::BeforeLinear")]
    pub batch_norm: BatchNormPlacement,
    /// Whether hidden layers end in ReLU; a linear network without.
    #[config(default = true)]
    pub relu: bool,
}

impl FcnConfig {
    /// The four linear layers 784-70-70-70-10 of the paper's LNN (Table 7), without BatchNorm and ReLU.
    pub fn lnn(features: usize) -> Self {
        Self::new(features).with_hidden_layers(3).with_batch_norm(BatchNormPlacement::None).with_relu(false)
    }

    /// Builds the network with Burn's own initialisation.
    ///
    /// # Panics
    ///
    /// If there are more hidden layers than [`Fcn::MOST_HIDDEN_LAYERS`].
    pub fn init(&self, device: &Device) -> Fcn {
        assert!(self.hidden_layers <= Fcn::MOST_HIDDEN_LAYERS, "{} hidden layers", self.hidden_layers);
        let inputs = |layer: usize| if layer == 0 { self.features } else { self.width };
        let outputs = |layer: usize| if layer == self.hidden_layers { self.classes } else { self.width };
        let linear = |layer: usize| LinearConfig::new(inputs(layer), outputs(layer)).init(device);
        let norm = |layer: usize| {
            let features = match self.batch_norm {
                BatchNormPlacement::None => return None,
                BatchNormPlacement::BeforeLinear => (layer <= self.hidden_layers).then(|| inputs(layer)),
                _ => (layer < self.hidden_layers).then(|| outputs(layer)),
            };
            features.map(|features| BatchNormConfig::new(features).init(device))
        };
        let further = |layer: usize| (layer <= self.hidden_layers).then(|| linear(layer));
        Fcn {
            fc1: linear(0),
            fc2: further(1),
            fc3: further(2),
            fc4: further(3),
            norm1: norm(0),
            norm2: norm(1),
            norm3: norm(2),
            norm4: norm(3),
            batch_norm: self.batch_norm,
            relu: self.relu,
        }
    }
}

/// The fully connected network of §A.1: the paper's FCN, and without ReLU its linear network LNN.
#[derive(Module, Debug)]
pub struct Fcn {
    fc1: Linear,
    fc2: Option<Linear>,
    fc3: Option<Linear>,
    fc4: Option<Linear>,
    norm1: Option<BatchNorm>,
    norm2: Option<BatchNorm>,
    norm3: Option<BatchNorm>,
    norm4: Option<BatchNorm>,
    #[module(skip)]
    batch_norm: BatchNormPlacement,
    #[module(skip)]
    relu: bool,
}

impl Fcn {
    /// The paper's deepest network has three hidden layers.
    pub const MOST_HIDDEN_LAYERS: usize = 3;
}

impl Classifier for Fcn {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let layers = [
            ("fc1", Some(&self.fc1), &self.norm1),
            ("fc2", self.fc2.as_ref(), &self.norm2),
            ("fc3", self.fc3.as_ref(), &self.norm3),
            ("fc4", self.fc4.as_ref(), &self.norm4),
        ];
        let layers: Vec<_> =
            layers.into_iter().filter_map(|(path, linear, norm)| Some((path, linear?, norm))).collect();
        let last = layers.len() - 1;
        let mut x = inputs;
        for (index, (path, linear, norm)) in layers.into_iter().enumerate() {
            let normalised = |x: Tensor<2>, here| match norm {
                Some(norm) if self.batch_norm == here => norm.forward(x),
                _ => x,
            };
            x = trace.layer(path, linear, normalised(x, BatchNormPlacement::BeforeLinear));
            if index < last {
                x = normalised(x, BatchNormPlacement::AfterLinear);
                x = if self.relu { relu(x) } else { x };
                x = normalised(x, BatchNormPlacement::AfterRelu);
            }
        }
        x
    }
}

/// The fully connected network as an experiment file writes it:
/// `{ kind = "fcn", width = 70, hidden-layers = 1, batch-norm = "before-linear" }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FcnSettings {
    /// The number of neurons of a hidden layer.
    pub width: usize,
    /// The number of hidden layers.
    pub hidden_layers: usize,
    /// Where BatchNorm stands.
    pub batch_norm: BatchNormPlacement,
}

impl Default for FcnSettings {
    fn default() -> Self {
        Self { width: 70, hidden_layers: 1, batch_norm: BatchNormPlacement::BeforeLinear }
    }
}

/// The linear network of §A.1 as an experiment file writes it:
/// `{ kind = "lnn", width = 70, hidden-layers = 3, batch-norm = "none", relu = false }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LnnSettings {
    /// The number of neurons of a hidden layer.
    pub width: usize,
    /// The number of hidden layers.
    pub hidden_layers: usize,
    /// Where BatchNorm stands.
    pub batch_norm: BatchNormPlacement,
    /// Puts ReLU between the layers.
    pub relu: bool,
}

impl Default for LnnSettings {
    fn default() -> Self {
        Self { width: 70, hidden_layers: 3, batch_norm: BatchNormPlacement::None, relu: false }
    }
}

impl Architecture for FcnSettings {
    type Model = Fcn;

    fn title(&self) -> String {
        format!("{}Layer-FCN", self.hidden_layers + 1)
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<Fcn, String> {
        check_layers(self.hidden_layers, self.width)?;
        Ok(FcnConfig::new(facts.features())
            .with_classes(facts.targets)
            .with_width(self.width)
            .with_hidden_layers(self.hidden_layers)
            .with_batch_norm(self.batch_norm)
            .init(device))
    }
}

impl Architecture for LnnSettings {
    type Model = Fcn;

    fn title(&self) -> String {
        format!("{}Layer-LNN", self.hidden_layers + 1)
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<Fcn, String> {
        check_layers(self.hidden_layers, self.width)?;
        Ok(FcnConfig::lnn(facts.features())
            .with_classes(facts.targets)
            .with_width(self.width)
            .with_hidden_layers(self.hidden_layers)
            .with_batch_norm(self.batch_norm)
            .with_relu(self.relu)
            .init(device))
    }
}

/// Refuses layers that [`Fcn`] does not have.
fn check_layers(hidden_layers: usize, width: usize) -> Result<(), String> {
    /// The most units of a layer.
    const WIDEST: usize = 1 << 20;
    if hidden_layers <= Fcn::MOST_HIDDEN_LAYERS && (1..=WIDEST).contains(&width) {
        return Ok(());
    }
    let most = Fcn::MOST_HIDDEN_LAYERS;
    Err(format!(
        "it has hidden-layers {hidden_layers} and width {width}; give hidden-layers from 0 to {most} and a width of 1 to \
         {WIDEST}"
    ))
}
