//! A network, a loss and data of one's own, and with them the whole program: `spirals run spirals.toml`.

use std::process::ExitCode;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation::tanh};
use gradspectra::data::Split;
use gradspectra::models::{Architecture, Examples, Facts, Model, Trace};
use gradspectra::{BoxError, DataSource, Program};
use serde::{Deserialize, Serialize};

/// Two layers that tell how far along its spiral a point lies.
#[derive(Module, Debug)]
struct SpiralNet {
    hidden: Linear,
    output: Linear,
}

impl Model for SpiralNet {
    type Batch = (Tensor<2>, Tensor<2>);

    /// Half the squared error of each example.
    fn losses(&self, (points, distances): Self::Batch, trace: &mut Trace) -> Tensor<1> {
        let hidden = tanh(trace.layer("hidden", &self.hidden, points));
        let error = trace.layer("output", &self.output, hidden) - distances;
        error.powi_scalar(2).sum_dim(1).flatten(0, 1) / 2.0
    }
}

/// `model = { kind = "spiral-net", width = 20 }`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct SpiralNetSettings {
    width: usize,
}

impl Default for SpiralNetSettings {
    fn default() -> Self {
        Self { width: 20 }
    }
}

impl Architecture for SpiralNetSettings {
    type Model = SpiralNet;

    fn title(&self) -> String {
        "SpiralNet".to_owned()
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<SpiralNet, String> {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Ok(SpiralNet { hidden: linear(facts.features(), self.width), output: linear(self.width, facts.targets) })
    }
}

/// `data-set = { kind = "spirals", points = 2000 }`: points on two arms, and how far along its arm each lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spirals {
    points: usize,
}

impl DataSource for Spirals {
    type Batch = (Tensor<2>, Tensor<2>);

    fn title(&self) -> String {
        "spirals".to_owned()
    }

    fn facts(&self) -> Result<Facts, BoxError> {
        Ok(Facts { input_shape: vec![2], targets: 1, examples: self.points })
    }

    fn load(&self, split: Split) -> Result<Option<Box<dyn Examples<Batch = Self::Batch>>>, BoxError> {
        if self.points < 3 {
            return Err(format!("it has {} points; give points from 3 on", self.points).into());
        }
        Ok((split == Split::Train).then(|| Box::new(self.clone()) as Box<dyn Examples<Batch = Self::Batch>>))
    }
}

impl Examples for Spirals {
    type Batch = (Tensor<2>, Tensor<2>);

    fn len(&self) -> usize {
        self.points
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Self::Batch {
        let distance = |index: u32| index as f32 / self.points as f32;
        let point = |&index: &u32| {
            let arm = (index % 2) as f32 * std::f32::consts::PI;
            let angle = 9.0 * distance(index) + arm + 0.2 * (index as f32 * 12.9898).sin();
            [distance(index) * angle.cos(), distance(index) * angle.sin()]
        };
        let (points, distances) =
            (indices.iter().flat_map(point).collect(), indices.iter().map(|&i| distance(i)).collect());
        let tensor = |values: Vec<f32>, side| Tensor::from_data(TensorData::new(values, [indices.len(), side]), device);
        (tensor(points, 2), tensor(distances, 1))
    }
}

fn main() -> ExitCode {
    Program::new("spirals", env!("CARGO_PKG_VERSION"))
        .model::<SpiralNetSettings>("spiral-net")
        .data_set::<Spirals>("spirals")
        .run()
}
