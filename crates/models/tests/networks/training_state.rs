//! A training that goes on after a break is the one without.

use std::ops::ControlFlow;

use burn::tensor::Device;
use gradspectra_models::{
    BatchNormPlacement, Classifier, EpochReport, FcnConfig, Initialisation, LabelledInputs, Optimiser, ResNet18Config,
    Training, TrainingError, TrainingEvent, TrainingState, initialise, save_checkpoint, train,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
        let training = Training { epochs: EPOCHS, batch: 8, optimiser, learning_rate: 0.01, ..Training::mnist() };
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
        &[Optimiser::Sgd, Optimiser::Momentum, Optimiser::Adam],
    );
}

#[test]
fn resnet18_goes_on() {
    let build = || ResNet18Config::new().with_width(4).init(&Device::flex().autodiff());
    assert_goes_on(build, 3 * 32 * 32, &[Optimiser::Momentum]);
}
