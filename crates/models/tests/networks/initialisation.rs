//! Every parameter is drawn from the seed, or refused.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{
    Conv1d, Conv1dConfig, Conv3d, Conv3dConfig, ConvTranspose2d, ConvTranspose2dConfig, DeformConv2d,
    DeformConv2dConfig,
};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, Lstm, LstmConfig, PRelu, PReluConfig,
};
use burn::tensor::{Device, Tensor};
use gradspectra_models::{Initialisation, UndrawnParameter, initialise};

#[derive(Module, Debug)]
struct Many {
    embedding: Embedding,
    norm: LayerNorm,
    batch_norm: BatchNorm,
    activation: PRelu,
    line: Conv1d,
    volume: Conv3d,
    transposed: ConvTranspose2d,
    deformable: DeformConv2d,
    memory: Lstm,
    blocks: Vec<Linear>,
    own: Param<Tensor<2>>,
}

fn many(device: &Device) -> Many {
    Many {
        embedding: EmbeddingConfig::new(200, 50).init(device),
        norm: LayerNormConfig::new(7).init(device),
        batch_norm: BatchNormConfig::new(1).init(device),
        activation: PReluConfig::new().init(device),
        line: Conv1dConfig::new(6, 40, 5).init(device),
        volume: Conv3dConfig::new([4, 40], [1, 2, 3]).init(device),
        transposed: ConvTranspose2dConfig::new([40, 8], [3, 3]).with_groups(2).init(device),
        deformable: DeformConv2dConfig::new([4, 40], [3, 3]).init(device),
        memory: LstmConfig::new(16, 30, true).init(device),
        blocks: vec![LinearConfig::new(64, 40).init(device)],
        own: Param::from_tensor(Tensor::full([3, 2], 0.1, device)),
    }
}

/// The paths and values of all parameters and buffers.
#[derive(Default)]
struct Values {
    path: Vec<String>,
    values: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.values.push((self.path.join("."), param.val().into_data().try_to_vec().unwrap()));
    }
}

fn values(model: &impl Module) -> Vec<(String, Vec<f32>)> {
    let mut values = Values::default();
    model.visit(&mut values);
    values.values
}

fn drawn(scheme: Initialisation, seed: u64) -> Vec<(String, Vec<f32>)> {
    let device = Device::flex();
    values(&initialise(many(&device), scheme, seed).unwrap())
}

fn of<'a>(values: &'a [(String, Vec<f32>)], path: &str) -> &'a [f32] {
    &values.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no {path}")).1
}

/// Burn's generator goes on from one model to the next, so that what it drew would differ.
#[test]
fn the_seed_alone_decides_every_parameter() {
    for scheme in [Initialisation::Uniform, Initialisation::Xavier, Initialisation::KaimingConvolutions] {
        let [first, second, other] = [7, 7, 8].map(|seed| drawn(scheme, seed));
        assert!(first.len() > 30, "{} parameters", first.len());
        for ((path, first), ((_, second), (_, other))) in first.iter().zip(second.iter().zip(&other)) {
            assert_eq!(first, second, "{scheme:?} {path}");
            let is_constant = first.iter().all(|value| *value == first[0]);
            assert_eq!(first == other, is_constant, "{scheme:?} {path}");
        }
    }
}

/// The fans are `torch.nn.init._calculate_fan_in_and_fan_out` of the weights of PyTorch's layers, the bounds those of
/// their `reset_parameters`.
#[test]
fn layers_are_drawn_as_pytorch_draws_them() {
    let values = drawn(Initialisation::Uniform, 3);
    for (layer, fan_in) in
        [("line", 30.0), ("volume", 24.0), ("transposed", 36.0), ("deformable", 36.0), ("blocks.0", 64.0_f32)]
    {
        for (name, near) in [("weight", 0.99), ("bias", 0.7)] {
            let largest =
                of(&values, &format!("{layer}.{name}")).iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let bound = 1.0 / fan_in.sqrt();
            assert!((near * bound..=bound).contains(&largest), "{layer}.{name}: {largest} of {bound}");
        }
    }
    let embedding = of(&values, "embedding.weight");
    let moment = |power| embedding.iter().map(|value| value.powi(power)).sum::<f32>() / embedding.len() as f32;
    assert!(moment(1).abs() < 0.04 && (moment(2) - 1.0).abs() < 0.06 && (moment(4) - 3.0).abs() < 0.5, "{}", moment(2));
    for (path, value) in
        [("norm.gamma", 1.0), ("norm.beta", 0.0), ("batch_norm.gamma", 1.0), ("activation.alpha", 0.25), ("own", 0.1)]
    {
        assert!(of(&values, path).iter().all(|found| *found == value), "{path}");
    }
    let xavier = drawn(Initialisation::Xavier, 3);
    let largest = of(&xavier, "line.weight").iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let bound = (6.0_f32 / 230.0).sqrt();
    assert!((0.99 * bound..=bound).contains(&largest), "{largest} of {bound}: fans of 30 and 200");
    assert!(of(&xavier, "line.bias").iter().all(|value| *value == 0.0));
}

#[derive(Module, Debug)]
struct Own {
    linear: Linear,
    inner: Vec<Inner>,
}

#[derive(Module, Debug)]
struct Inner {
    positions: Param<Tensor<1>>,
}

#[test]
fn a_parameter_that_no_rule_draws_is_refused_with_its_path() {
    let device = Device::flex();
    let own = |positions| Own { linear: LinearConfig::new(3, 2).init(&device), inner: vec![Inner { positions }] };
    let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
    for positions in
        [normal.init([5], &device), normal.init([1], &device), Param::from_data([0.5_f32, f32::NAN], &device)]
    {
        let refused = initialise(own(positions), Initialisation::Uniform, 1).unwrap_err();
        let expected = UndrawnParameter { path: "inner.0.positions".to_owned(), layer: "Inner".to_owned() };
        assert_eq!(refused, expected);
        assert!(refused.to_string().contains("inner.0.positions of Inner") && !refused.to_string().contains('\n'));
    }
    for positions in [Initializer::Zeros.init([5], &device), Initializer::Ones.init([1], &device)] {
        initialise(own(positions), Initialisation::Uniform, 1).unwrap();
    }
}
