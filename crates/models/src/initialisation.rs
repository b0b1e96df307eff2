use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How the weights and biases of linear and convolutional layers are drawn.
///
/// Normalisation layers keep their ones and zeros, and layers of other types whatever their own `init` gave them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Uniform in ±1/√fan_in, weights and biases: PyTorch's and Burn's default.
    #[default]
    Uniform,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), [Glorot and Bengio](https://proceedings.mlr.press/v9/glorot10a.html)
    /// (2010); biases zero.
    Xavier,
    /// Convolutions normal with deviation √(2/fan_in), [He et al.](https://arxiv.org/abs/1502.01852) (2015), linear
    /// layers as [`Xavier`](Self::Xavier); biases zero.
    KaimingConvolutions,
}

impl Initialisation {
    /// Draws the parameters of `model` anew, in the order of its fields, from ChaCha8 seeded with `seed`.
    pub fn apply<M: Module>(self, model: M, seed: u64) -> M {
        model.map(&mut Initialiser {
            scheme: self,
            generator: ChaCha8Rng::seed_from_u64(seed),
            layers: Vec::new(),
            fan_in: 0,
        })
    }
}

struct Initialiser {
    scheme: Initialisation,
    generator: ChaCha8Rng,
    layers: Vec<String>,
    fan_in: usize,
}

impl Initialiser {
    fn draw(&mut self, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        let fan_out = match *shape {
            [_, outputs] => {
                self.fan_in = shape[0];
                outputs
            }
            [outputs, inputs, height, width] => {
                self.fan_in = inputs * height * width;
                outputs * height * width
            }
            _ => return self.draw_bias(count),
        };
        let (fan_in, fan_out) = (self.fan_in as f64, fan_out as f64);
        match self.scheme {
            Initialisation::KaimingConvolutions if shape.len() == 4 => self.normal(count, (2.0 / fan_in).sqrt()),
            Initialisation::Uniform => self.uniform(count, 1.0 / fan_in.sqrt()),
            _ => self.uniform(count, (6.0 / (fan_in + fan_out)).sqrt()),
        }
    }

    fn draw_bias(&mut self, count: usize) -> Vec<f32> {
        match self.scheme {
            Initialisation::Uniform => self.uniform(count, 1.0 / (self.fan_in as f64).sqrt()),
            _ => vec![0.0; count],
        }
    }

    fn uniform(&mut self, count: usize, bound: f64) -> Vec<f32> {
        (0..count).map(|_| self.generator.random_range(-bound..bound) as f32).collect()
    }

    /// Box and Muller's transform, so that no distribution crate's algorithm is part of the result.
    fn normal(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let mut draw = || {
            let radius = (-2.0 * (1.0 - unit(&mut self.generator)).ln()).sqrt();
            radius * (std::f64::consts::TAU * unit(&mut self.generator)).cos()
        };
        (0..count).map(|_| (draw() * deviation) as f32).collect()
    }
}

fn unit(generator: &mut impl Rng) -> f64 {
    generator.random()
}

impl ModuleMapper for Initialiser {
    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.layers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.layers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let layer = self.layers.last().map(String::as_str);
        if !matches!(layer, Some("Struct:Linear" | "Struct:Conv2d")) {
            return param;
        }
        param.map(|tensor| {
            let shape = tensor.dims();
            let values = self.draw(&shape);
            let active = tensor.is_require_grad();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device()).set_require_grad(active)
        })
    }
}
