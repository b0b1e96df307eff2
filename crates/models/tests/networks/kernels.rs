//! The CPU's kernels against Burn's own operations, and against themselves on other numbers of threads.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use gradspectra_models::{
    Factors, Initialisation, LabelledInputs, LeNetConfig, TracedLayer, Training, TrainingState, initialise, pool_relu,
    train,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TOLERANCE: f64 = 1e-5;

fn noise<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| generator.random::<f32>() - 0.4).collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
}

#[track_caller]
fn assert_close<const D: usize>(ours: Tensor<D>, burns: Tensor<D>, what: &str) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let [ours, burns] = [ours, burns].map(|tensor| tensor.into_data().try_to_vec::<f32>().unwrap());
    let scale = burns.iter().fold(0.0f64, |scale, value| scale.max(value.abs() as f64));
    for (index, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
        let distance = (*ours as f64 - *burns as f64).abs();
        assert!(distance <= TOLERANCE * scale, "{what}[{index}]: {ours} and {burns}");
    }
}

/// Convolutions of one input shape `[examples, in, height, width]` each.
fn convolutions(device: &Device) -> Vec<(Conv2d, [usize; 4])> {
    let explicit = |top, left, bottom, right| PaddingConfig2d::Explicit(top, left, bottom, right);
    let configs = [
        (Conv2dConfig::new([1, 6], [5, 5]), [19, 1, 28, 28]),
        (Conv2dConfig::new([6, 16], [5, 5]), [19, 6, 12, 12]),
        (Conv2dConfig::new([1, 6], [5, 5]).with_padding(explicit(2, 2, 2, 2)), [3, 1, 28, 28]),
        (Conv2dConfig::new([3, 7], [3, 2]).with_padding(explicit(1, 2, 0, 1)), [9, 3, 7, 11]),
        (Conv2dConfig::new([2, 5], [3, 3]).with_stride([2, 3]), [8, 2, 11, 13]),
        (Conv2dConfig::new([4, 17], [3, 3]).with_stride([2, 2]).with_padding(explicit(1, 1, 1, 1)), [5, 4, 9, 8]),
        (Conv2dConfig::new([2, 33], [2, 3]).with_dilation([2, 2]).with_bias(false), [4, 2, 9, 10]),
        (Conv2dConfig::new([3, 8], [3, 3]).with_padding(PaddingConfig2d::Same), [4, 3, 8, 8]),
        (Conv2dConfig::new([3, 8], [3, 3]).with_padding(PaddingConfig2d::Same).with_dilation([2, 1]), [4, 3, 8, 9]),
        (Conv2dConfig::new([4, 6], [3, 3]).with_groups(2), [4, 4, 8, 8]),
        (Conv2dConfig::new([5, 1], [1, 1]), [1, 5, 1, 1]),
    ];
    let layers = configs.into_iter().enumerate().map(|(seed, (config, input))| {
        (initialise(config.init(device), Initialisation::Uniform, seed as u64).unwrap(), input)
    });
    layers.collect()
}

#[test]
fn convolutions_and_their_derivatives_are_burns() {
    let device = Device::flex().autodiff();
    for (layer, shape) in convolutions(&device) {
        let input = noise(shape, 1, &device).require_grad();
        let run = |output: Tensor<4>| {
            let delta = noise(output.dims(), 2, &device);
            let mut gradients = (output.clone() * delta).sum().backward();
            let bias = layer.bias.as_ref().map(|bias| bias.val().grad_remove(&mut gradients).unwrap());
            let weight = layer.weight.val().grad_remove(&mut gradients).unwrap();
            (output.inner(), input.grad_remove(&mut gradients).unwrap(), weight, bias)
        };
        let ours = run(TracedLayer::forward(&layer, input.clone()));
        let burns = run(Conv2d::forward(&layer, input.clone()));
        assert_close(ours.0, burns.0, &format!("output of {shape:?}"));
        assert_close(ours.1, burns.1, &format!("derivative at the input of {shape:?}"));
        assert_close(ours.2, burns.2, &format!("derivative at the weight for {shape:?}"));
        assert_eq!(ours.3.is_some(), burns.3.is_some());
        if let (Some(ours), Some(burns)) = (ours.3, burns.3) {
            assert_close(ours, burns, &format!("derivative at the bias for {shape:?}"));
        }
    }
}

#[test]
fn the_gradients_of_examples_sum_to_the_batchs() {
    let device = Device::flex().autodiff();
    for (layer, shape) in convolutions(&device).into_iter().filter(|(layer, _)| layer.groups == 1) {
        let input = noise(shape, 1, &device);
        let output = Conv2d::forward(&layer, input.clone());
        let delta = noise(output.dims(), 2, &device);
        let gradients = (output * delta.clone()).sum().backward();
        let flat = |tensor: Tensor<1>| tensor.grad(&gradients).unwrap();
        let weight = layer.weight.val().grad(&gradients).unwrap().flatten::<1>(0, 3);
        let expected = match &layer.bias {
            Some(bias) => Tensor::cat(vec![weight, flat(bias.val())], 0),
            None => weight,
        };
        let Factors::Explicit(ours) = layer.valid().factors(input.inner(), delta.inner()) else {
            panic!("a convolution's gradients are explicit")
        };
        assert_close(ours.sum_dim(0).flatten(0, 1), expected, &format!("gradients for {shape:?}"));
    }
}

#[test]
fn pooling_is_burns_even_where_entries_tie() {
    let device = Device::flex().autodiff();
    let burns: MaxPool2d = MaxPool2dConfig::new([2, 2]).init();
    for shape in [[19, 6, 24, 24], [3, 16, 8, 8], [2, 3, 7, 9], [1, 1, 2, 2]] {
        let input = (noise(shape, 3, &device) * 4.0).round().require_grad();
        let run = |output: Tensor<4>| {
            let delta = noise(output.dims(), 4, &device);
            let gradients = (output.clone() * delta).sum().backward();
            (output.inner(), input.grad(&gradients).unwrap())
        };
        let ours = run(pool_relu(input.clone()));
        let burns = run(burns.forward(relu(input.clone())));
        assert_close(ours.0, burns.0, &format!("pooled {shape:?}"));
        assert_close(ours.1, burns.1, &format!("derivative at {shape:?}"));
    }
}

#[test]
fn pooling_keeps_nan() {
    let input = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [2.0, 0.0]]]], &Device::flex());
    assert!(pool_relu(input).into_scalar::<f32>().is_nan());
}

#[test]
fn threads_leave_training_as_it_is() {
    let inputs: Vec<f32> = noise([300, 784], 5, &Device::flex()).into_data().try_to_vec().unwrap();
    let labels: Vec<u32> = (0..300).map(|index| index % 10).collect();
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let device = Device::flex().autodiff();
            let model = initialise(LeNetConfig::mnist().init(&device), Initialisation::Uniform, 7).unwrap();
            let training = Training { epochs: 2, ..Training::mnist() };
            let mut examples = LabelledInputs::new(&inputs, &labels, 784);
            let order = |_| (0..labels.len() as u32).collect();
            let model =
                train(TrainingState::new(model, &training), &training, &mut examples, &device, order, |_, _| {
                    ControlFlow::Continue(())
                })
                .unwrap();
            let mut weights = Weights::default();
            model.visit(&mut weights);
            weights.0
        })
    };
    let one = trained(1);
    assert_eq!(one.len(), 44_426);
    assert!(one == trained(2), "weights differ between 1 and 2 threads");
    assert!(one == trained(3), "weights differ between 1 and 3 threads");
}

#[derive(Default)]
struct Weights(Vec<f32>);

impl burn::module::ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, parameter: &burn::module::Param<Tensor<D>>) {
        self.0.extend(parameter.val().into_data().try_to_vec::<f32>().unwrap());
    }
}
