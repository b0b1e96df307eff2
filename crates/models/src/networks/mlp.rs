use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{gelu, relu, tanh};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Facts, Model, Regression, Trace};

/// What stands between two layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(0, x).
    Relu,
    /// x Φ(x), Φ being the standard normal's distribution.
    Gelu,
}

/// A network of linear layers that predicts numbers; an example's loss is its squared error averaged over them.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Option<Linear>,
    fc3: Option<Linear>,
    fc4: Option<Linear>,
    fc5: Option<Linear>,
    fc6: Option<Linear>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// The most hidden layers.
    pub const MOST_HIDDEN_LAYERS: usize = 5;

    /// The predictions `[examples, outputs]` for inputs `[examples, features]`.
    pub fn predictions(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let further = [&self.fc2, &self.fc3, &self.fc4, &self.fc5, &self.fc6].into_iter().flatten();
        further.zip(2..).fold(trace.layer("fc1", &self.fc1, inputs), |x, (layer, number)| {
            let x = match self.activation {
                Activation::Tanh => tanh(x),
                Activation::Relu => relu(x),
                Activation::Gelu => gelu(x),
            };
            trace.layer(&format!("fc{number}"), layer, x)
        })
    }
}

impl Model for Mlp {
    type Batch = Regression;

    fn losses(&self, batch: Regression, trace: &mut Trace) -> Tensor<1> {
        let error = self.predictions(batch.inputs, trace) - batch.targets;
        error.square().mean_dim(1).flatten(0, 1)
    }
}

/// The network as an experiment file writes it:
/// `{ kind = "mlp", width = 40, hidden-layers = 2, activation = "tanh" }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MlpSettings {
    /// The number of neurons of a hidden layer.
    pub width: usize,
    /// The number of hidden layers.
    pub hidden_layers: usize,
    /// What stands between two layers.
    pub activation: Activation,
}

impl Default for MlpSettings {
    fn default() -> Self {
        Self { width: 40, hidden_layers: 2, activation: Activation::Tanh }
    }
}

impl Architecture for MlpSettings {
    type Model = Mlp;

    fn title(&self) -> String {
        format!("{}Layer-MLP", self.hidden_layers + 1)
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<Mlp, String> {
        /// The most units of a layer.
        const WIDEST: usize = 1 << 20;
        let (width, hidden, most) = (self.width, self.hidden_layers, Mlp::MOST_HIDDEN_LAYERS);
        if hidden > most || !(1..=WIDEST).contains(&width) {
            return Err(format!(
                "it has hidden-layers {hidden} and width {width}; give hidden-layers from 0 to {most} and a width of 1 to \
                 {WIDEST}"
            ));
        }
        let linear = |layer: usize| {
            let inputs = if layer == 0 { facts.features() } else { width };
            let outputs = if layer == hidden { facts.targets } else { width };
            LinearConfig::new(inputs, outputs).init(device)
        };
        let further = |layer: usize| (layer <= hidden).then(|| linear(layer));
        Ok(Mlp {
            fc1: linear(0),
            fc2: further(1),
            fc3: further(2),
            fc4: further(3),
            fc5: further(4),
            fc6: further(5),
            activation: self.activation,
        })
    }
}
