use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use gradspectra_settings::Initialisation;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A parameter begins at values that differ and that no rule draws from a seed: Burn draws them from a generator of the
/// whole process, so that no two runs would have the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "parameter {path} of {layer} begins at values that are not all equal, and no rule draws them from the seed; hold it \
     in a layer that has one, such as Burn's Embedding, or begin it at zeros or ones"
)]
pub struct UndrawnParameter {
    /// The parameter's path in the model, e.g. `encoder.positions`.
    pub path: String,
    /// The type of the layer that holds it.
    pub layer: String,
}

/// Draws the parameters of `model` anew, in the order of its fields, from ChaCha8 seeded with `seed`.
///
/// # Errors
///
/// The first parameter that no rule draws and whose entries are not all equal. One of a single entry is taken for a
/// random one unless it is a multiple of 1/256.
pub fn initialise<M: Module>(model: M, scheme: Initialisation, seed: u64) -> Result<M, UndrawnParameter> {
    let generator = ChaCha8Rng::seed_from_u64(seed);
    let mut ends = Ends::default();
    model.visit(&mut ends);
    let mut initialiser = Initialiser {
        scheme,
        generator,
        path: Vec::new(),
        layer: String::new(),
        fan_in: None,
        undrawn: None,
        ends: ends.count,
    };
    let model = model.map(&mut initialiser);
    initialiser.undrawn.map_or(Ok(model), Err)
}

/// Burn's names for layers that convolve.
const CONVOLUTIONS: [&str; 7] =
    ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "DeformConv2d"];

/// What the values of a parameter are drawn by.
#[derive(Clone, Copy)]
enum Rule {
    /// The inputs of an output, and the outputs of an input.
    Weight {
        fan_in: usize,
        fan_out: usize,
        is_convolution: bool,
    },
    /// The inputs of an output of the layer's weight.
    Bias {
        fan_in: usize,
    },
    Embedding,
    /// A parameter of no layer.
    Bare,
}

/// The name of the layers that end a way around of a block of GPT.
const END: &str = "c_proj";

/// Counts the layers named [`END`].
#[derive(Default)]
struct Ends {
    count: usize,
}

impl ModuleVisitor for Ends {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.count += usize::from(name == END);
    }
}

struct Initialiser {
    scheme: Initialisation,
    generator: ChaCha8Rng,
    /// The names of the fields on the way to the parameter.
    path: Vec<String>,
    /// The type that holds the parameter.
    layer: String,
    /// The path of the layer whose weight was drawn last, and its fan.
    fan_in: Option<(Vec<String>, usize)>,
    /// The first parameter that no rule draws.
    undrawn: Option<UndrawnParameter>,
    /// The layers that end a way around of a block.
    ends: usize,
}

impl Initialiser {
    /// The rule for a parameter of `shape` at the current path; layers are known by Burn's names for them.
    fn rule(&mut self, shape: &[usize]) -> Option<Rule> {
        let (name, layer) = self.path.split_last()?;
        let is_linear = self.layer == "Linear" && shape.len() == 2;
        let is_convolution = CONVOLUTIONS.contains(&self.layer.as_str()) && shape.len() >= 3;
        match name.as_str() {
            "weight" if is_linear || is_convolution => {
                let (fan_in, fan_out) = match *shape {
                    [inputs, outputs] => (inputs, outputs),
                    _ => (shape[1..].iter().product(), shape[0] * shape[2..].iter().product::<usize>()),
                };
                self.fan_in = Some((layer.to_vec(), fan_in));
                Some(Rule::Weight { fan_in, fan_out, is_convolution })
            }
            "weight" if self.layer == "Embedding" => Some(Rule::Embedding),
            "bias" => match &self.fan_in {
                Some((of, fan_in)) if of == layer => Some(Rule::Bias { fan_in: *fan_in }),
                _ => None,
            },
            _ => None,
        }
    }

    fn draw(&mut self, rule: Rule, count: usize) -> Vec<f32> {
        /// GPT-2's deviation.
        const DEVIATION: f64 = 0.02;
        match (rule, self.scheme) {
            (Rule::Weight { .. }, Initialisation::Transformer) if self.path.iter().any(|name| name == END) => {
                self.normal(count, DEVIATION / (self.ends as f64).sqrt())
            }
            (Rule::Weight { .. } | Rule::Embedding | Rule::Bare, Initialisation::Transformer) => {
                self.normal(count, DEVIATION)
            }
            (Rule::Embedding, _) => self.normal(count, 1.0),
            (Rule::Weight { fan_in, is_convolution: true, .. }, Initialisation::KaimingConvolutions) => {
                self.normal(count, (2.0 / fan_in as f64).sqrt())
            }
            (Rule::Weight { fan_in, .. } | Rule::Bias { fan_in }, Initialisation::Uniform) => {
                self.uniform(count, 1.0 / (fan_in as f64).sqrt())
            }
            (Rule::Weight { fan_in, fan_out, .. }, _) => self.uniform(count, (6.0 / (fan_in + fan_out) as f64).sqrt()),
            (Rule::Bias { .. } | Rule::Bare, _) => vec![0.0; count],
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

/// Whether values are those that a layer begins at in every run: all equal, and a single one coarser than random numbers.
fn are_constant(values: &TensorData) -> bool {
    let entries: Vec<f64> = values.iter().collect();
    match entries[..] {
        [entry] => (256.0 * entry).fract() == 0.0,
        _ => entries.windows(2).all(|pair| pair[0] == pair[1]),
    }
}

impl ModuleMapper for Initialiser {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        container_type.trim_start_matches("Struct:").clone_into(&mut self.layer);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.shape();
        let rule = self.rule(&shape).or_else(|| {
            let is_bare = self.scheme == Initialisation::Transformer && shape.num_dims() > 1;
            (is_bare && param.val().into_data().iter::<f32>().all(|value| value == 0.0)).then_some(Rule::Bare)
        });
        let Some(rule) = rule else {
            if self.undrawn.is_none() && !are_constant(&param.val().into_data()) {
                self.undrawn = Some(UndrawnParameter { path: self.path.join("."), layer: self.layer.clone() });
            }
            return param;
        };
        param.map(|tensor| {
            let shape = tensor.dims();
            let values = self.draw(rule, shape.iter().product());
            let active = tensor.is_require_grad();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device()).set_require_grad(active)
        })
    }
}
