//! A training that goes on after a break is the one without.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use gradspectra_models::{
    Architecture, BatchNormPlacement, Classifier, Decay, EpochReport, Examples, Facts, FcnConfig, Initialisation,
    LabelledInputs, MlpSettings, Optimiser, Regression, ResNet18Config, Training, TrainingError, TrainingEvent,
    TrainingState, initialise, load_checkpoint, save_checkpoint, train,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::TensorView;

const EPOCHS: usize = 4;

/// Trains on 20 random examples, where `broken` on from the files of the state after every epoch; returns the bytes of
/// the weights.
fn trained<M: Classifier>(build: &impl Fn() -> M, features: usize, training: &Training, broken: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [weights, optimiser] = ["weights.safetensors", "optimiser.bpk"].map(|name| folder.path().join(name));
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let inputs: Vec<f32> = (0..20 * features).map(|_| generator.random_range(-1.0..1.0)).collect();
    let labels: Vec<u32> = (0..20).map(|_| generator.random_range(0..10)).collect();
    let mut examples = LabelledInputs::new(&inputs, &labels, features);
    let device = Device::flex().autodiff();
    let order = |epoch: usize| (0..20).map(|index| (index * 7 + epoch as u32) % 20).collect();
    let mut state = TrainingState::new(build(), training);
    loop {
        let last = train(state, training, &mut examples, &device, order, |state, event| match event {
            TrainingEvent::Epoch(report) if broken && report.epoch < training.epochs => {
                save_checkpoint(state.model(), &weights).unwrap();
                std::fs::write(&optimiser, state.optimiser_bytes(&optimiser).unwrap()).unwrap();
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        match last {
            Ok(model) => {
                save_checkpoint(&model, &weights).unwrap();
                return std::fs::read(&weights).unwrap();
            }
            Err(TrainingError::Interrupted { epoch }) => {
                let epochs = (1..=epoch).map(|epoch| EpochReport { epoch, loss: 0.0 }).collect();
                state = TrainingState::load(build(), training, &weights, &optimiser, epochs).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn assert_goes_on<M: Classifier>(build: impl Fn() -> M, features: usize, optimisers: &[Optimiser]) {
    let build = || initialise(build(), Initialisation::Uniform, 11).unwrap();
    for &optimiser in optimisers {
        let mut training = Training { epochs: EPOCHS, batch: 8, optimiser, learning_rate: 0.01, ..Training::mnist() };
        if optimiser == Optimiser::AdamW {
            (training.milestones, training.decay, training.warm_up) = (Vec::new(), Some(Decay::Cosine), 4);
            training.gradient_clipping = Some(0.3);
        }
        let whole = trained(&build, features, &training, false);
        assert!(whole == trained(&build, features, &training, true), "{optimiser:?}");
        let shorter = Training { epochs: EPOCHS - 1, ..training };
        assert!(whole != trained(&build, features, &shorter, false), "the last epoch changes nothing");
    }
}

#[test]
fn a_network_with_batch_statistics_goes_on() {
    let config = FcnConfig::new(12).with_width(9).with_batch_norm(BatchNormPlacement::BeforeLinear);
    assert_goes_on(
        || config.init(&Device::flex().autodiff()),
        12,
        &[Optimiser::Sgd, Optimiser::Momentum, Optimiser::Adam, Optimiser::AdamW],
    );
}

#[test]
fn resnet18_goes_on() {
    let build = || ResNet18Config::new().with_width(4).init(&Device::flex().autodiff());
    assert_goes_on(build, 3 * 32 * 32, &[Optimiser::Momentum]);
}

/// Four inputs of three numbers with two targets each.
struct Numbers;

impl Examples for Numbers {
    type Batch = Regression;

    fn len(&self) -> usize {
        4
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Regression {
        assert_eq!(indices, [0, 1, 2, 3]);
        let inputs = vec![1.0_f32, -2.0, 0.5, 0.3, 0.7, -1.2, 2.0, 1.0, -0.5, -1.5, 0.4, 0.9];
        let targets = vec![1.0_f32, 0.0, -0.5, 2.0, 0.7, -1.0, 0.2, 0.4];
        Regression {
            inputs: Tensor::from_data(TensorData::new(inputs, [4, 3]), device),
            targets: Tensor::from_data(TensorData::new(targets, [4, 2]), device),
        }
    }
}

/// Expected: PyTorch in float64, `torch.optim.AdamW(lr=0.05, weight_decay=0.1)` after `clip_grad_norm_(0.5)`, the rates of
/// nanoGPT's `get_lr` with 3 steps of warm-up and a least rate of 0.002.
#[test]
fn ten_steps_of_adamw_with_warm_up_cosine_and_clipping_are_pytorchs() {
    let device = Device::flex().autodiff();
    let facts = Facts { input_shape: vec![3], targets: 2, examples: 4 };
    let model = MlpSettings { hidden_layers: 0, ..MlpSettings::default() }.build(&facts, &device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights.safetensors");
    // PyTorch's layout, [out, in].
    let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
    let [weight, bias] = [bytes(&[0.5, 0.2, -0.6, -0.3, 0.8, 0.1]), bytes(&[0.1, -0.2])];
    let tensor = |shape: &[usize], bytes| TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap();
    let views = [("fc1.weight", tensor(&[2, 3], &weight)), ("fc1.bias", tensor(&[2], &bias))];
    std::fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    let model = load_checkpoint(model, &weights).unwrap();
    let training = Training {
        epochs: 10,
        batch: 4,
        optimiser: Optimiser::AdamW,
        learning_rate: 0.05,
        weight_decay: 0.1,
        milestones: Vec::new(),
        warm_up: 3,
        decay: Some(Decay::Cosine),
        least_learning_rate: Some(0.002),
        gradient_clipping: Some(0.5),
        ..Training::mnist()
    };
    let state = TrainingState::new(model, &training);
    let order = |_| (0..4).collect();
    let model = train(state, &training, &mut Numbers, &device, order, |_, _| ControlFlow::Continue(())).unwrap();
    save_checkpoint(&model, &weights).unwrap();
    let bytes = std::fs::read(&weights).unwrap();
    let saved = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| -> Vec<f32> {
        saved.tensor(name).unwrap().data().as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
    };
    let expected = [0.214_564, -0.082_444, -0.305_472, -0.171_658, 0.498_317, -0.175_813];
    for (found, expected) in values("fc1.weight").iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
    for (found, expected) in values("fc1.bias").iter().zip([0.217_667, 0.082_100]) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}
