//! Every kind of layer: gradients by factors as by a backward pass each, over shapes, lengths, groups and strides.

use burn::module::{Module, ModuleDisplay, Param};
use burn::nn::conv::{Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig,
    Linear, LinearConfig, PaddingConfig1d, PaddingConfig2d, RmsNormConfig,
};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_capture::{ExampleFactors, MinibatchIndices, ParameterLayout, PlainWay, Precision, direct_history};
use gradspectra_models::{Classifier, Examples, LabelledInputs, Model, Trace, TracedLayer, attention};

mod refused;

/// Relative agreement of both ways.
const BOTH_WAYS: f64 = 2e-5;
const EXAMPLES: usize = 11;
const CLASSES: usize = 3;

fn device() -> Device {
    Device::flex().autodiff()
}

fn number(index: usize) -> f32 {
    ((index * 2_654_435_761) % 1009) as f32 / 500.0 - 1.0
}

fn inputs(features: usize) -> Vec<f32> {
    (0..EXAMPLES * features).map(number).collect()
}

fn labels() -> Vec<u32> {
    (0..EXAMPLES).map(|example| (example * 7 % CLASSES) as u32).collect()
}

/// How G of minibatches by factors differs from that of backward passes, relative to it, and the same of Gram matrices.
fn assert_both_ways_agree<M: Model>(
    what: &str,
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
) -> Vec<PlainWay> {
    let mut ways = Vec::new();
    for batch in [1, 4] {
        let indices: Vec<u32> = (0..6 * batch as u32).map(|index| index * 5 % EXAMPLES as u32).collect();
        let minibatches = MinibatchIndices::new(&indices, batch, EXAMPLES).unwrap();
        let direct = direct_history(model, examples, minibatches, &device(), |_| ()).unwrap();
        let captured = ExampleFactors::capture(model, examples, &minibatches.examples(), &device(), |_| ());
        let factors = captured.unwrap_or_else(|error| panic!("{what}: {error}"));
        ways = factors.layers().iter().map(|layer| layer.way).collect();
        let covered: usize = factors.layers().iter().map(|layer| layer.parameters()).sum();
        assert_eq!(covered, ParameterLayout::of(model).parameters(), "{what}");
        let factored = factors.history(minibatches).unwrap();
        let difference = f64::from((direct.gradients() - factored.gradients()).norm_l2());
        let norm = f64::from(direct.gradients().norm_l2());
        assert!(difference < BOTH_WAYS * norm, "{what}, B = {batch}: {difference} of {norm}");
        let exact = direct.gram(Precision::Double).unwrap().second_moment().unwrap();
        for precision in [Precision::Single, Precision::Double] {
            let gram = factors.gram(minibatches, precision).unwrap();
            let mean = direct.gram(Precision::Double).unwrap().mean_gradient_norm();
            assert!((gram.mean_gradient_norm() / mean - 1.0).abs() < BOTH_WAYS, "{what}, B = {batch}: the mean");
            let moment = gram.second_moment().unwrap();
            let largest = (0..6).map(|t| exact.entry(t, t)).fold(0.0, f64::max);
            for j in 0..6 {
                for i in j..6 {
                    let [found, expected] = [moment.entry(i, j), exact.entry(i, j)];
                    let difference = (found - expected).abs() / largest;
                    assert!(difference < BOTH_WAYS, "{what}, B = {batch}, {precision:?} {i}, {j}: {found}, {expected}");
                }
            }
        }
    }
    ways
}

/// A layer on inputs of some sides, then tanh and a head.
macro_rules! probe {
    ($name:ident, $rank:literal) => {
        #[derive(Module, Debug)]
        struct $name<L: Module> {
            layer: L,
            head: Linear,
            #[module(skip)]
            sides: [usize; $rank],
        }

        impl<L: TracedLayer<$rank, $rank> + ModuleDisplay> $name<L> {
            fn check(what: &str, layer: L, sides: [usize; $rank]) -> Vec<PlainWay> {
                let one = Tensor::<$rank>::zeros(sides, &device());
                let outputs = layer.forward(one).shape().num_elements();
                let model = Self { layer, head: LinearConfig::new(outputs, CLASSES).init(&device()), sides };
                let features = sides.iter().product();
                let (inputs, labels) = (inputs(features), labels());
                assert_both_ways_agree(
                    &format!("{what} {sides:?}"),
                    &model,
                    LabelledInputs::new(&inputs, &labels, features),
                )
            }
        }

        impl<L: TracedLayer<$rank, $rank> + ModuleDisplay> Classifier for $name<L> {
            fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
                let mut sides = self.sides;
                sides[0] = inputs.dims()[0];
                let x: Tensor<$rank> = trace.layer("layer", &self.layer, inputs.reshape(sides));
                trace.layer("head", &self.head, tanh(x).reshape([sides[0] as i32, -1]))
            }
        }
    };
}

probe!(Rows, 2);
probe!(Sequences, 3);
probe!(Images, 4);

#[test]
fn linear_layers_over_sequences_go_by_every_way() {
    let mut ways = Vec::new();
    for (length, inputs, outputs) in [(1, 5, 4), (2, 9, 11), (3, 40, 50), (7, 5, 4), (16, 30, 20), (8, 200, 60)] {
        for bias in [false, true] {
            let layer = LinearConfig::new(inputs, outputs).with_bias(bias).init(&device());
            ways.extend(Sequences::check(&format!("Linear {bias}"), layer, [1, length, inputs]));
        }
    }
    ways.extend(Images::check("Linear", LinearConfig::new(3, 12).init(&device()), [1, 2, 2, 3]));
    ways.extend(Rows::check("Linear", LinearConfig::new(6, 4).init(&device()), [1, 6]));
    for way in [
        PlainWay::Outer { deltas: 4 },
        PlainWay::Pairs { positions: 3 },
        PlainWay::Blocks { positions: 8 },
        PlainWay::Blocks { positions: 1 },
    ] {
        assert!(ways.contains(&way), "{way:?} in {ways:?}");
    }
}

/// Scales, shifts and statistics other than those that layers begin with.
fn varied<L: Module>(layer: L) -> L {
    struct Varied(usize);
    impl burn::module::ModuleMapper for Varied {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            let seed = self.0;
            param.map(|tensor| {
                let sides = tensor.dims();
                let values: Vec<f32> = (0..tensor.shape().num_elements())
                    .map(|index| 1.2 + 0.7 * number(index * 13 + seed * 101))
                    .collect();
                let active = tensor.is_require_grad();
                Tensor::from_data(TensorData::new(values, sides), &tensor.device()).set_require_grad(active)
            })
        }
    }
    layer.map(&mut Varied(0))
}

#[test]
fn normalisations_of_every_kind_agree_both_ways() {
    let device = device();
    for bias in [true, false] {
        let layer = || varied(LayerNormConfig::new(6).with_bias(bias).init(&device));
        Rows::check("LayerNorm", layer(), [1, 6]);
        Sequences::check("LayerNorm", layer(), [1, 5, 6]);
        Images::check("LayerNorm", layer(), [1, 2, 3, 6]);
    }
    Sequences::check("RmsNorm", varied(RmsNormConfig::new(6).init(&device)), [1, 5, 6]);
    Images::check("GroupNorm", varied(GroupNormConfig::new(2, 6).init(&device)), [1, 6, 4, 3]);
    Sequences::check("GroupNorm", varied(GroupNormConfig::new(3, 6).init(&device)), [1, 6, 4]);
    Images::check("InstanceNorm", varied(InstanceNormConfig::new(5).init(&device)), [1, 5, 4, 3]);
    Images::check("BatchNorm", evaluated(6), [1, 6, 4, 3]);
    Rows::check("BatchNorm", evaluated(6), [1, 6]);
}

/// BatchNorm in evaluation mode.
fn evaluated(channels: usize) -> BatchNorm {
    let mut norm = varied(BatchNormConfig::new(channels).init(&device()));
    norm.training = Param::from_bool(false);
    norm
}

#[test]
fn convolutions_of_every_kind_agree_both_ways() {
    let device = device();
    let mut ways = Vec::new();
    for (channels, groups, kernel, stride, dilation, side) in [
        ([3, 4], 1, [3, 3], [1, 1], [1, 1], [7, 6]),
        ([3, 4], 1, [3, 2], [2, 1], [1, 2], [8, 7]),
        ([4, 4], 4, [3, 3], [1, 1], [2, 2], [7, 7]),
        ([4, 8], 4, [3, 3], [2, 2], [1, 1], [6, 6]),
        ([6, 12], 3, [2, 3], [1, 2], [1, 1], [5, 6]),
        ([3, 5], 1, [1, 1], [1, 1], [1, 1], [4, 4]),
        ([24, 30], 1, [3, 3], [2, 2], [1, 1], [4, 4]),
        ([40, 300], 1, [3, 3], [1, 1], [1, 1], [3, 3]),
    ] {
        for padding in [PaddingConfig2d::Valid, PaddingConfig2d::Explicit(1, 1, 1, 1), PaddingConfig2d::Same] {
            if matches!(padding, PaddingConfig2d::Same) && (stride != [1, 1] || dilation != [1, 1]) {
                continue;
            }
            for bias in [true, false] {
                let config = Conv2dConfig::new(channels, kernel)
                    .with_groups(groups)
                    .with_stride(stride)
                    .with_dilation(dilation)
                    .with_padding(padding.clone())
                    .with_bias(bias);
                let what = format!("{config}");
                ways.extend(Images::check(&what, config.init(&device), [1, channels[0], side[0], side[1]]));
            }
        }
    }
    assert!(ways.iter().any(|way| matches!(way, PlainWay::Pairs { .. })), "{ways:?}");
    for (groups, stride, dilation, padding) in [
        (1, 1, 1, PaddingConfig1d::Valid),
        (2, 2, 1, PaddingConfig1d::Explicit(1, 2)),
        (4, 1, 2, PaddingConfig1d::Explicit(2, 2)),
        (1, 1, 1, PaddingConfig1d::Same),
    ] {
        let config = Conv1dConfig::new(4, 8, 3)
            .with_groups(groups)
            .with_stride(stride)
            .with_dilation(dilation)
            .with_padding(padding);
        Sequences::check(&format!("{config}"), config.init(&device), [1, 4, 9]);
    }
}

#[test]
fn transposed_convolutions_agree_both_ways() {
    let device = device();
    for (groups, kernel, stride, dilation, padding, out) in [
        (1, [3, 3], [1, 1], [1, 1], [0, 0], [0, 0]),
        (1, [3, 2], [2, 2], [1, 1], [1, 0], [1, 0]),
        (2, [3, 3], [2, 1], [1, 2], [1, 1], [0, 0]),
        (1, [2, 2], [3, 3], [1, 1], [0, 0], [2, 2]),
    ] {
        let config = ConvTranspose2dConfig::new([4, 6], kernel)
            .with_groups(groups)
            .with_stride(stride)
            .with_dilation(dilation)
            .with_padding(padding)
            .with_padding_out(out);
        Images::check(&format!("{config}"), config.init(&device), [1, 4, 4, 3]);
    }
    let config = ConvTranspose1dConfig::new([4, 6], 3).with_stride(2).with_padding(1).with_groups(2);
    Sequences::check(&format!("{config}"), config.init(&device), [1, 4, 5]);
}

/// Sequences of tokens, of which some come twice, with the classes that their sums have.
#[derive(Debug, Clone)]
struct Tokens {
    length: usize,
    rows: usize,
}

impl Tokens {
    fn token(&self, example: usize, position: usize) -> i64 {
        ((example * 31 + position * position * 7) % self.rows) as i64
    }
}

impl Examples for Tokens {
    type Batch = Tensor<2, Int>;

    fn len(&self) -> usize {
        EXAMPLES
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Tensor<2, Int> {
        let tokens = indices.iter().flat_map(|&index| (0..self.length).map(move |at| self.token(index as usize, at)));
        Tensor::from_data(TensorData::new(tokens.collect::<Vec<i64>>(), [indices.len(), self.length]), device)
    }
}

/// Where positions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Positions {
    /// One row a position and example.
    Each,
    /// One row a position for all examples.
    Broadcast,
    /// A bare parameter.
    Parameter,
}

/// A table that is looked up, multiplied with, or both.
#[derive(Module, Debug)]
struct Language {
    table: Embedding,
    positions: Embedding,
    gain: Param<Tensor<1>>,
    query: Linear,
    head: Option<Linear>,
    #[module(skip)]
    from: Positions,
}

impl Language {
    fn new(tokens: &Tokens, tied: bool, from: Positions) -> Self {
        let width = 6;
        let head = (!tied).then(|| LinearConfig::new(width, tokens.rows).with_bias(false).init(&device()));
        Self {
            table: EmbeddingConfig::new(tokens.rows, width).init(&device()),
            positions: EmbeddingConfig::new(tokens.length, width).init(&device()),
            gain: Param::from_tensor(Tensor::from_floats(&(0..width).map(number).collect::<Vec<f32>>()[..], &device())),
            query: LinearConfig::new(width, width).init(&device()),
            head,
            from,
        }
    }
}

impl Model for Language {
    type Batch = Tensor<2, Int>;

    fn losses(&self, tokens: Tensor<2, Int>, trace: &mut Trace) -> Tensor<1> {
        let [examples, length] = tokens.dims();
        let device = tokens.device();
        let x = trace.embedding("table", &self.table, tokens.clone());
        let count = Tensor::<1, Int>::arange(0..length as i64, &device).unsqueeze::<2>();
        let x = x + match self.from {
            Positions::Each => trace.embedding("positions", &self.positions, count.expand([examples, length])),
            Positions::Broadcast => trace.embedding("positions", &self.positions, count),
            Positions::Parameter => trace.parameter::<2, 3>("positions.weight", &self.positions.weight, examples),
        };
        let x = tanh(x) * trace.parameter::<1, 2>("gain", &self.gain, examples).unsqueeze_dim::<3>(1);
        // The layer goes through the trace twice.
        let x = tanh(trace.layer("query", &self.query, x));
        let x = trace.layer("query", &self.query, x);
        let heads = x.clone().reshape([examples, length, 2, 3]).swap_dims(1, 2);
        let attended =
            attention(heads.clone(), heads.clone(), heads, true).swap_dims(1, 2).reshape([examples, length, 6]);
        let logits = match &self.head {
            Some(head) => trace.layer("head", head, attended),
            None => trace.unembedding("table", &self.table, attended),
        };
        let chosen = logits.gather(2, tokens.unsqueeze_dim(2)).flatten::<2>(1, 2);
        chosen.square().mean_dim(1).flatten(0, 1)
    }
}

#[test]
fn tables_heads_positions_and_repeated_layers_agree_both_ways() {
    for (length, rows) in [(1, 5), (4, 3), (6, 40), (9, 300)] {
        let tokens = Tokens { length, rows };
        for tied in [false, true] {
            for from in [Positions::Each, Positions::Parameter] {
                let model = Language::new(&tokens, tied, from);
                let what = format!("{length} of {rows}, tied: {tied}, {from:?}");
                let ways = assert_both_ways_agree(&what, &model, &tokens);
                let matches = matches!(ways[0], PlainWay::Matches { .. });
                assert_eq!(matches, !tied && length * 7 < rows * 6, "{what}: {ways:?}");
            }
        }
    }
}

/// A layer's own bias, without its weight.
#[derive(Module, Debug)]
struct BiasAlone {
    bias: Param<Tensor<1>>,
    convolution: Conv2d,
}

impl Classifier for BiasAlone {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let x = self.convolution.forward(inputs.reshape([examples, 2, 3, 3])).flatten::<2>(1, 3);
        tanh(x) + trace.parameter::<1, 2>("bias", &self.bias, examples)
    }
}

#[test]
fn a_bias_alone_over_frozen_layers_agrees_both_ways() {
    let convolution = Conv2dConfig::new([2, CLASSES], [3, 3]).init(&device()).no_grad();
    let model = BiasAlone { bias: Param::from_tensor(Tensor::zeros([CLASSES], &device()).require_grad()), convolution };
    let (inputs, labels) = (inputs(18), labels());
    assert_both_ways_agree("a bias", &model, LabelledInputs::new(&inputs, &labels, 18));
}
