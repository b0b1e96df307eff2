//! One set of checks for every backend, held against flex and run over the devices that exist.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use burn::tensor::{Device, Tensor};
use gradspectra::Backend;
use gradspectra::analysis::Spectrum;
use gradspectra::capture::{
    ExampleFactors, GradientHistory, Gram, MinibatchIndices, ParameterLayout, Precision, direct_history,
};
use gradspectra::data::{DataRoot, Examples, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split};
use gradspectra::models::{
    Classifier, FcnConfig, GpuMemory, Initialisation, LabelledInputs, LeNet, LeNetConfig, Training, TrainingEvent,
    TrainingState, initialise, product, train,
};

/// Relative agreement of eigenvalues.
const SPECTRUM: f64 = 1e-3;
/// Relative agreement of gradients.
const GRADIENTS: f64 = 1e-5;
/// Significant bits of f32.
const F32: i32 = 24;

/// Flex and the other devices that exist; says which do not, and why.
static DEVICES: LazyLock<Vec<(Backend, Device)>> = LazyLock::new(|| {
    let existing = |backend: Backend| match gradspectra::device(backend, None) {
        Ok(device) => Some((backend, device)),
        Err(reason) => {
            tell(&format!("{} is skipped: {reason}", backend.name()));
            None
        }
    };
    [Backend::Flex, Backend::Wgpu, Backend::Cuda].into_iter().filter_map(existing).collect()
});

static MNIST: LazyLock<Examples> = LazyLock::new(|| {
    let root = DataRoot::Given(common::root().join("datasets"));
    Mnist {}.load(Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ()).unwrap().examples
});

/// Prints a line past the test harness.
fn tell(line: &str) {
    let mut errors = std::io::stderr();
    writeln!(errors, "{line}").unwrap();
}

/// Held by a check while it computes, so that what it sees of a device is its own.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accelerators() -> impl Iterator<Item = (&'static str, Device)> {
    DEVICES.iter().skip(1).map(|(backend, device)| (backend.name(), device.clone()))
}

/// The first `count` images of MNIST.
fn examples(count: usize) -> LabelledInputs<'static> {
    LabelledInputs::new(&MNIST.inputs()[..count * 784], &MNIST.labels()[..count], 784)
}

fn lenet(device: &Device) -> LeNet {
    initialise(LeNetConfig::mnist().init(device), Initialisation::Uniform, 5).unwrap()
}

fn indices(examples: usize, batch: usize, iterations: usize) -> Vec<u32> {
    Minibatches::seeded(examples, batch, iterations, Sampling::ShuffledEpochs, 3).unwrap().materialise()
}

fn factors(device: &Device, examples: LabelledInputs, minibatches: MinibatchIndices) -> ExampleFactors {
    let device = device.clone().autodiff();
    ExampleFactors::capture(&lenet(&device), examples, &minibatches.examples(), &device, |_| ()).unwrap()
}

fn assert_relative(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    let error = |index: usize| (ours[index] / theirs[index] - 1.0).abs();
    let worst = (0..ours.len()).max_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap();
    tell(&format!("{what}: largest relative difference {:.1e}", error(worst)));
    assert!(error(worst) < tolerance, "{what} {worst}: {} is not {}", ours[worst], theirs[worst]);
}

fn assert_same_gradients(what: &str, ours: &GradientHistory, theirs: &GradientHistory) {
    let difference = f64::from((ours.gradients() - theirs.gradients()).norm_l2());
    let relative = difference / f64::from(theirs.gradients().norm_l2());
    tell(&format!("{what}: relative difference {relative:.1e}"));
    assert!(relative < GRADIENTS, "{what}: {relative}");
}

fn assert_same_spectra(what: &str, ours: &Gram, theirs: &Gram, top: usize) {
    let moments = [ours, theirs].map(|gram| gram.second_moment().unwrap());
    for (kind, ours, theirs) in [
        ("covariance", ours.covariance(), theirs.covariance()),
        ("second moment", moments[0].as_ref(), moments[1].as_ref()),
    ] {
        let [ours, theirs] = [ours, theirs].map(|matrix| Spectrum::of_gram(matrix).unwrap());
        let what = format!("{what}, {kind}, top {top}");
        assert_relative(&what, &ours.eigenvalues()[..top], &theirs.eigenvalues()[..top], SPECTRUM);
    }
}

/// How many significant bits of f32 a product keeps: 24 in full, 11 in TF32.
fn significant_bits(device: &Device, multiply: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>) -> i32 {
    let keeps = |bits: i32| {
        let number = 1.0 + 0.5f32.powi(bits - 1);
        let numbers = Tensor::<2>::full([64, 64], number, device);
        let products = multiply(numbers, Tensor::eye(64, device)).into_data().try_to_vec::<f32>().unwrap();
        products.iter().all(|&product| product == number)
    };
    (2..=F32).take_while(|&bits| keeps(bits)).last().unwrap_or(1)
}

#[test]
fn products_keep_every_bit() {
    let _turn = turn();
    for (backend, device) in &*DEVICES {
        let (ours, burns) = (significant_bits(device, product), significant_bits(device, Tensor::matmul));
        tell(&format!("{}: products keep {ours} bits, those of Burn's matmul {burns}", backend.name()));
        assert_eq!(ours, F32, "{}: f32 has {F32} bits, TF32 11", backend.name());
    }
}

#[test]
fn a_gpu_tells_its_memory() {
    for (name, device) in accelerators() {
        let memory = GpuMemory::of(&device);
        tell(&format!("{name}: {memory:?}, {} numbers a buffer", memory.buffer_numbers()));
        assert!(memory.total >= 1 << 28 && memory.buffer <= memory.total, "{name}: {memory:?}");
        let numbers = Tensor::<1>::ones([memory.buffer_numbers()], &device);
        assert_eq!(numbers.slice(0..1).into_data().try_to_vec::<f32>().unwrap(), [1.0], "{name}");
    }
}

#[test]
fn gradients_agree_with_flex() {
    let _turn = turn();
    const BATCH: usize = 7;
    let (examples, indices) = (examples(500), indices(500, BATCH, 30));
    let minibatches = MinibatchIndices::new(&indices, BATCH, 500).unwrap();
    let flex = Device::flex();
    for (name, device) in accelerators() {
        let histories =
            [&device, &flex].map(|device| factors(device, examples, minibatches).history(minibatches).unwrap());
        assert_same_gradients(&format!("{name}, factored, LeNet"), &histories[0], &histories[1]);
        assert_same_direct(&format!("{name}, direct, LeNet"), &device, minibatches, lenet);
        let fcn = |device: &Device| initialise(FcnConfig::new(784).init(device), Initialisation::Uniform, 5).unwrap();
        assert_same_direct(&format!("{name}, direct, FCN with BatchNorm"), &device, minibatches, fcn);
    }
}

fn assert_same_direct<M: Classifier>(
    what: &str,
    device: &Device,
    minibatches: MinibatchIndices,
    model: impl Fn(&Device) -> M,
) {
    let histories = [device, &Device::flex()].map(|device| {
        let device = device.clone().autodiff();
        direct_history(&model(&device), examples(500), minibatches, &device, |_| ()).unwrap()
    });
    assert_same_gradients(what, &histories[0], &histories[1]);
    assert_same_spectra(
        what,
        &histories[0].gram_on(device).unwrap(),
        &histories[1].gram(Precision::Single).unwrap(),
        20,
    );
}

#[test]
fn gram_matrices_agree_with_flex_at_every_batch_size() {
    let _turn = turn();
    const EXAMPLES: usize = 3000;
    for (name, device) in accelerators() {
        let all: Vec<u32> = (0..EXAMPLES as u32).collect();
        let all = MinibatchIndices::new(&all, 1, EXAMPLES).unwrap();
        let [ours, theirs] = [&device, &Device::flex()].map(|device| factors(device, examples(EXAMPLES), all));
        for (batch, iterations, top) in [(1, 2500, 1000), (10, 300, 200), (100, 150, 100), (1000, 150, 100)] {
            let indices = indices(EXAMPLES, batch, iterations);
            let minibatches = MinibatchIndices::new(&indices, batch, EXAMPLES).unwrap();
            let what = format!("{name}, B = {batch}");
            let [ours, theirs] = [&ours, &theirs].map(|factors| factors.gram(minibatches, Precision::Single).unwrap());
            assert_same_spectra(&what, &ours, &theirs, top);
        }
    }
}

#[test]
fn training_agrees_with_flex() {
    let _turn = turn();
    let (examples, training) = (examples(1280), Training { epochs: 2, ..Training::mnist() });
    let order = |epoch| gradspectra::data::epoch_order(1280, 7, epoch as u64).unwrap();
    let trained = |device: &Device| {
        let device = device.clone().autodiff();
        let mut losses = Vec::new();
        let state = TrainingState::new(lenet(&device), &training);
        let model = train(state, &training, &mut { examples }, &device, order, |_, event| {
            if let TrainingEvent::Epoch(epoch) = event {
                losses.push(epoch.loss);
            }
            ControlFlow::Continue(())
        });
        let model = model.unwrap();
        (ParameterLayout::of(&model).values(&model), losses)
    };
    for (name, device) in accelerators() {
        let [(ours, losses), (theirs, expected)] = [&device, &Device::flex()].map(trained);
        assert_relative(&format!("{name}, training, losses"), &losses, &expected, 1e-3);
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>();
        let difference = norm(&mut ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs));
        let relative = (difference / norm(&mut theirs.into_iter())).sqrt();
        tell(&format!("{name}, training, parameters: relative difference {relative:.1e}"));
        assert!(relative < 1e-2, "{name}: {relative}");
    }
}

/// What is live after a quarter of the iterations is all that is live at the end, and not every quarter reserves more: a
/// device that lags behind holds a few buffers more now and then. `GRADSPECTRA_ITERATIONS` says how many.
#[test]
fn memory_does_not_grow_with_iterations() {
    let _turn = turn();
    let iterations = std::env::var("GRADSPECTRA_ITERATIONS").map_or(160, |count| count.parse().unwrap());
    let indices = indices(500, 10, iterations / 4);
    let minibatches = MinibatchIndices::new(&indices, 10, 500).unwrap();
    for (name, device) in accelerators() {
        let device = device.autodiff();
        let model = lenet(&device);
        let usage = [(); 4].map(|()| {
            direct_history(&model, examples(500), minibatches, &device, |_| ()).unwrap();
            device.sync().unwrap();
            device.memory_pool_usage().unwrap()
        });
        let live = usage.each_ref().map(|usage| usage.bytes_in_use);
        let reserved = usage.map(|usage| usage.bytes_reserved);
        tell(&format!("{name}: bytes live {live:?}, reserved {reserved:?} after quarters of {iterations} iterations"));
        assert!(live[3] <= live[0], "{name}: {live:?} bytes live");
        assert!(reserved.windows(2).any(|pair| pair[1] <= pair[0]), "{name}: {reserved:?} bytes reserved");
        assert!(reserved[3] as f64 <= 1.01 * reserved[0] as f64, "{name}: {reserved:?} bytes reserved");
    }
}

/// The eigenvalues of a row and its result, run by the program.
fn quick_row(folder: &Path, row: &str, backend: &str) -> (Vec<f64>, serde_json::Value) {
    let line =
        ["reproduce", "--table", "5", "--quick", "--quiet", "--rows", row, "--backend", backend, "--out", backend];
    common::succeed(folder, &line);
    let file = |ending: &str| std::fs::read(folder.join(backend).join("table-5").join(row).join(ending)).unwrap();
    let eigenvalues = npyz::NpyFile::new(&file("seed-1.eigenvalues.npy")[..]).unwrap().into_vec().unwrap();
    (eigenvalues, serde_json::from_slice(&file("seed-1.json")).unwrap())
}

#[test]
fn a_row_of_table_5_agrees_with_flex_and_names_its_device() {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in accelerators() {
        let (expected, flex) = quick_row(folder.path(), "random-b1", "flex");
        let (eigenvalues, result) = quick_row(folder.path(), "random-b1", name);
        assert_relative(&format!("{name}, random-b1, top 1000"), &eigenvalues[..1000], &expected[..1000], SPECTRUM);
        assert!(flex.get("device").is_none(), "flex has one device");
        let device = result.pointer("/device/name").unwrap().as_str().unwrap();
        tell(&format!("{name}: random-b1 ran on {device}"));
        assert!(!device.is_empty());
    }
}

#[test]
fn a_backend_without_a_device_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (backend, feature) in [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))] {
        let line = ["reproduce", "--table", "5", "--quick", "--quiet", "--rows", "random-b1", "--backend", backend];
        let output = common::program(folder.path())
            .args(line)
            .envs(["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "__EGL_VENDOR_LIBRARY_FILENAMES"].map(|name| (name, "/none")))
            .env("CUDA_VISIBLE_DEVICES", "")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let expected = if feature { "no device answers" } else { "build it in" };
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("--backend is {backend}; {expected}")), "{error}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
    }
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (backend, _) in &*DEVICES {
        let line = ["reproduce", "--table", "5", "--rows", "random-b1", "--device", "99", "--backend", backend.name()];
        let output = common::program(folder.path()).args(line).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("--device is 99") && error.contains("has device"), "{error}");
    }
}
