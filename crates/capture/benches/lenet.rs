//! LeNet's gradients on MNIST at T = 5000: from the examples' factors, and by one backward pass an iteration.
//!
//! `direct` takes 50 iterations; 5000 take a hundred times as long.
#![allow(missing_docs, reason = "divan's macro makes items")]

use std::path::Path;
use std::sync::LazyLock;

use burn::tensor::Device;
use divan::Bencher;
use gradspectra_capture::{ExampleFactors, MinibatchIndices, Precision, direct_history};
use gradspectra_data::{DataRoot, Examples, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split};
use gradspectra_models::{Initialisation, LabelledInputs, LeNet, LeNetConfig, initialise};

const ITERATIONS: usize = 5000;
const DIRECT_ITERATIONS: usize = 50;
const BATCHES: [usize; 5] = [1, 10, 100, 1000, 10_000];

static MNIST: LazyLock<Examples> = LazyLock::new(|| {
    let root = DataRoot::Given(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"));
    let loaded = Mnist {}.load(Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ());
    loaded.expect("MNIST is in the clone").examples
});

fn main() {
    divan::main();
}

fn examples() -> LabelledInputs<'static> {
    LabelledInputs::new(MNIST.inputs(), MNIST.labels(), 784)
}

fn model(device: &Device) -> LeNet {
    initialise(LeNetConfig::mnist().init(device), Initialisation::Uniform, 1).expect("its layers are known")
}

fn indices(batch: usize, iterations: usize) -> Vec<u32> {
    let minibatches = Minibatches::seeded(MNIST.len(), batch, iterations, Sampling::ShuffledEpochs, 1);
    minibatches.expect("valid sizes").materialise()
}

fn minibatches(indices: &[u32], batch: usize) -> MinibatchIndices<'_> {
    MinibatchIndices::new(indices, batch, MNIST.len()).expect("valid indices")
}

/// Gradients and Gram matrix at B = 1, from images to matrix.
#[divan::bench(sample_count = 5)]
fn single_examples(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let (model, indices) = (model(&device), indices(1, ITERATIONS));
    let minibatches = minibatches(&indices, 1);
    bencher.bench_local(|| {
        let used = minibatches.examples();
        let factors = ExampleFactors::capture(&model, examples(), &used, &device, |_| ()).expect("finite gradients");
        factors.gram(minibatches, Precision::Single)
    });
}

/// The pass over all 60,000 examples that every batch size shares.
#[divan::bench(sample_count = 2)]
fn all_examples(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let used: Vec<u32> = (0..MNIST.len() as u32).collect();
    bencher.bench_local(|| ExampleFactors::capture(&model, examples(), &used, &device, |_| ()));
}

/// The Gram matrix from factors at hand.
#[divan::bench(args = BATCHES, sample_count = 1)]
fn gram(bencher: Bencher, batch: usize) {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let used: Vec<u32> = (0..MNIST.len() as u32).collect();
    let factors = ExampleFactors::capture(&model, examples(), &used, &device, |_| ()).expect("finite gradients");
    let indices = indices(batch, ITERATIONS);
    bencher.bench_local(|| factors.gram(minibatches(&indices, batch), Precision::Single));
}

/// G by one backward pass an iteration, of 50 iterations.
#[divan::bench(args = BATCHES, sample_count = 1)]
fn direct(bencher: Bencher, batch: usize) {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let indices = indices(batch, DIRECT_ITERATIONS);
    bencher.bench_local(|| direct_history(&model, examples(), minibatches(&indices, batch), &device, |_| ()));
}
