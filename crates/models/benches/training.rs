//! Training LeNet and tracing it, on images of noise: 60 steps of 128 examples, and a chunk of 500.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Device;
use divan::counter::ItemsCount;
use gradspectra_models::{
    Examples, Initialisation, LabelledInputs, LeNet, LeNetConfig, Model, Trace, Training, TrainingState, initialise,
    train,
};
use rand::RngExt;

const FEATURES: usize = 28 * 28;

fn main() {
    divan::main();
}

fn noise(examples: usize) -> (Vec<f32>, Vec<u32>) {
    let mut generator = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    let inputs = (0..examples * FEATURES).map(|_| generator.random::<f32>() - 0.5).collect();
    (inputs, (0..examples).map(|_| generator.random_range(0..10)).collect())
}

fn lenet(device: &Device) -> LeNet {
    initialise(LeNetConfig::mnist().init(device), Initialisation::Uniform, 7).expect("its layers are known")
}

#[divan::bench(sample_count = 10)]
fn sixty_steps(bencher: divan::Bencher) {
    let examples = 60 * 128;
    let (inputs, labels) = noise(examples);
    let device = Device::flex().autodiff();
    let training = Training { epochs: 1, learning_rate: 0.01, ..Training::mnist() };
    bencher.counter(ItemsCount::new(examples)).with_inputs(|| lenet(&device)).bench_values(|model| {
        let mut examples = LabelledInputs::new(&inputs, &labels, FEATURES);
        let order = |_| (0..labels.len() as u32).collect();
        train(TrainingState::new(model, &training), &training, &mut examples, &device, order, |_, _| {
            ControlFlow::Continue(())
        })
    });
}

#[divan::bench(sample_count = 20)]
fn traced_chunk(bencher: divan::Bencher) {
    let examples = 500;
    let (inputs, labels) = noise(examples);
    let device = Device::flex().autodiff();
    let model = lenet(&device).no_grad();
    let indices: Vec<u32> = (0..examples as u32).collect();
    bencher.counter(ItemsCount::new(examples)).bench(|| {
        let batch = Examples::batch(&LabelledInputs::new(&inputs, &labels, FEATURES), &indices, &device);
        let mut trace = Trace::recording();
        let loss = model.losses(batch, &mut trace).sum();
        trace.resolve(loss.backward()).expect("every layer reaches the loss")
    });
}
