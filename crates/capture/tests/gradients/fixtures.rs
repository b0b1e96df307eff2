//! Gradients, both ways, against PyTorch in float64.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gradspectra_analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra_capture::{
    CaptureError, ExampleFactors, GradientHistory, Gram, GramBuilder, MinibatchIndices, NotFactored, Precision,
    direct_history,
};
use gradspectra_data::{DataRoot, Examples, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split};
use gradspectra_models::{
    BatchNormPlacement, Classifier, FcnConfig, Initialisation, LabelledInputs, LeNet, LeNetConfig, initialise,
    load_checkpoint,
};
use serde_json::Value;

/// Relative agreement of eigenvalues, and absolute of s and d_ks.
pub(crate) const SPECTRUM: f64 = 1e-3;
/// Relative agreement of gradient norms.
pub(crate) const NORM: f64 = 1e-4;
/// The tolerance where BatchNorm divides by the deviation of almost constant pixels: f32 inputs alone move a norm by 1.02e-4,
/// in PyTorch as here.
const NORM_OF_BATCH_STATISTICS: f64 = 2e-4;
/// Relative agreement of both ways.
const BOTH_WAYS: f64 = 1e-5;

struct Case<M> {
    folder: PathBuf,
    case: Value,
    model: M,
    examples: Examples,
    indices: Vec<u32>,
    batch: usize,
}

impl Case<LeNet> {
    fn lenet(name: &str) -> Self {
        Self::read(name, |device| LeNetConfig::mnist().init(device))
    }
}

impl<M: Classifier> Case<M> {
    fn read(name: &str, init: impl Fn(&Device) -> M) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let case: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let device = Device::flex().autodiff();
        let model = load_checkpoint(init(&device), &folder.join("weights.safetensors")).unwrap();
        let indices = npy::<i64>(&folder.join("minibatches.npy")).into_iter().map(|index| index as u32).collect();
        let batch = case["B"].as_u64().unwrap() as usize;
        Self { folder, case, model, examples: mnist(), indices, batch }
    }

    fn examples(&self) -> LabelledInputs<'_> {
        LabelledInputs::new(self.examples.inputs(), self.examples.labels(), 784)
    }

    fn minibatches(&self, iterations: usize) -> MinibatchIndices<'_> {
        MinibatchIndices::new(&self.indices[..iterations * self.batch], self.batch, self.examples.len()).unwrap()
    }

    fn factors(&self, minibatches: MinibatchIndices) -> ExampleFactors {
        let device = Device::flex().autodiff();
        ExampleFactors::capture(&self.model, self.examples(), &minibatches.examples(), &device, |_| ()).unwrap()
    }

    fn direct(&self, minibatches: MinibatchIndices) -> GradientHistory {
        direct_history(&self.model, self.examples(), minibatches, &Device::flex().autodiff(), |_| ()).unwrap()
    }

    fn assert_agrees(&self, gram: &Gram, norm: f64) {
        let norms = npy::<f64>(&self.folder.join("gradient-norms.npy"));
        assert_relative("gradient norm", &gram.norms(), &norms, norm);
        for (kind, matrix) in
            [("covariance", gram.covariance()), ("second-moment", gram.second_moment().unwrap().as_ref())]
        {
            let expected = &self.case[kind];
            let k = self.case["K"].as_u64().unwrap() as usize;
            let spectrum = Spectrum::of_gram(matrix).unwrap();
            let eigenvalues = npy::<f64>(&self.folder.join(format!("eigenvalues-{kind}.npy")));
            assert_relative(kind, &spectrum.eigenvalues()[..k], &eigenvalues[..k], SPECTRUM);
            let fit = PowerLawFit::top(spectrum.eigenvalues(), k).unwrap();
            assert!((fit.s() - expected["s"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: s = {}", fit.s());
            let d_ks = KsTest::of(&fit).d_ks;
            assert!((d_ks - expected["ks_two_sided"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: d_ks = {d_ks}");
        }
    }
}

fn mnist() -> Examples {
    let root = DataRoot::Given(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"));
    Mnist {}.load(Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ()).unwrap().examples
}

pub(crate) fn npy<T: npyz::Deserialize>(path: &Path) -> Vec<T> {
    npyz::NpyFile::new(&std::fs::read(path).unwrap()[..]).unwrap().into_vec().unwrap()
}

pub(crate) fn assert_relative(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    let error = |index: usize| (ours[index] / theirs[index] - 1.0).abs();
    let worst = (0..ours.len()).max_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap();
    println!("{what}: largest relative error {:.2e} at {worst}", error(worst));
    assert!(error(worst) < tolerance, "{what} {worst}: {} is not {}", ours[worst], theirs[worst]);
}

#[test]
fn single_examples_agree_with_pytorch() {
    let case = Case::lenet("lenet-b1");
    let minibatches = case.minibatches(2000);
    let factors = case.factors(minibatches);
    for precision in [Precision::Single, Precision::Double] {
        case.assert_agrees(&factors.gram(minibatches, precision).unwrap(), NORM);
        case.assert_agrees(&factors.history(minibatches).unwrap().gram(precision).unwrap(), NORM);
    }
}

#[test]
fn minibatches_agree_with_pytorch() {
    let case = Case::lenet("lenet-b10");
    let minibatches = case.minibatches(1200);
    case.assert_agrees(&case.factors(minibatches).gram(minibatches, Precision::Single).unwrap(), NORM);
}

#[test]
fn both_ways_agree() {
    for name in ["lenet-b1", "lenet-b10"] {
        let case = Case::lenet(name);
        let minibatches = case.minibatches(20);
        let direct = case.direct(minibatches);
        let factored = case.factors(minibatches).history(minibatches).unwrap();
        assert_eq!(direct.layout(), factored.layout());
        let difference = (direct.gradients() - factored.gradients()).norm_l2();
        assert!(f64::from(difference) < BOTH_WAYS * f64::from(direct.gradients().norm_l2()), "{name}: {difference}");
    }
}

#[test]
fn both_ways_agree_on_every_model_without_batch_statistics() {
    let device = Device::flex().autodiff();
    let mnist = mnist();
    let image_free = FcnConfig::new(784).with_batch_norm(BatchNormPlacement::None);
    for batch in [1, 7, 300] {
        assert_both_ways_agree(LeNetConfig::mnist().with_padded(true).init(&device), &mnist, batch);
        assert_both_ways_agree(image_free.clone().with_hidden_layers(2).init(&device), &mnist, batch);
        assert_both_ways_agree(FcnConfig::lnn(784).init(&device), &mnist, batch);
    }
}

fn assert_both_ways_agree<M: Classifier>(model: M, mnist: &Examples, batch: usize) {
    let device = Device::flex().autodiff();
    let model = initialise(model, Initialisation::Uniform, 5).unwrap();
    let examples = LabelledInputs::new(mnist.inputs(), mnist.labels(), 784);
    let indices = Minibatches::seeded(mnist.len(), batch, 6, Sampling::ShuffledEpochs, 3).unwrap().materialise();
    let minibatches = MinibatchIndices::new(&indices, batch, mnist.len()).unwrap();
    let direct = direct_history(&model, examples, minibatches, &device, |_| ()).unwrap();
    let factors = ExampleFactors::capture(&model, examples, &minibatches.examples(), &device, |_| ()).unwrap();
    let factored = factors.history(minibatches).unwrap();
    let difference = f64::from((direct.gradients() - factored.gradients()).norm_l2());
    assert!(difference < BOTH_WAYS * f64::from(direct.gradients().norm_l2()), "B = {batch}: {difference}");
    let gram = factors.gram(minibatches, Precision::Single).unwrap().second_moment().unwrap();
    let dense = direct.gram(Precision::Single).unwrap().second_moment().unwrap();
    for t in 0..minibatches.iterations() {
        assert!((gram.entry(t, t) / dense.entry(t, t) - 1.0).abs() < BOTH_WAYS, "B = {batch}, norm {t}");
    }
}

/// G's spectra from products in f32, block by block, against all in f64.
fn assert_f32_suffices(gradients: &faer::Mat<f32>, k: usize) {
    let (parameters, iterations) = gradients.shape();
    let mut single = GramBuilder::new(iterations, Precision::Single).unwrap();
    for start in (0..parameters).step_by(100) {
        single.add(gradients.subrows(start, 100.min(parameters - start)).to_owned());
    }
    let mut double = GramBuilder::new(iterations, Precision::Double).unwrap();
    double.add_f64(faer::Mat::from_fn(parameters, iterations, |row, t| f64::from(gradients[(row, t)])));
    let (single, double) = (single.finish().unwrap(), double.finish().unwrap());
    let moments = [&single, &double].map(|gram| gram.second_moment().unwrap());
    for (single, double) in [(single.covariance(), double.covariance()), (moments[0].as_ref(), moments[1].as_ref())] {
        let (single, double) = (Spectrum::of_gram(single).unwrap(), Spectrum::of_gram(double).unwrap());
        assert_relative("eigenvalue", &single.eigenvalues()[..k], &double.eigenvalues()[..k], SPECTRUM);
    }
}

#[test]
fn a_mean_a_thousand_times_the_noise_does_not_drown_the_spectrum() {
    const ITERATIONS: usize = 40;
    let noise = |row: usize, t: usize| {
        let hash = (row as u64 * 1_000_003 + t as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (hash as f64 / f64::from(1 << 24) - 0.5) * 10f64.powf(-1.5 * t as f64 / ITERATIONS as f64)
    };
    let entry = |row: usize, t: usize| (1e3 * ((row as f64).cos() + 2.0) + noise(row, t)) as f32;
    assert_f32_suffices(&faer::Mat::from_fn(300, ITERATIONS, entry), ITERATIONS - 1);
}

#[test]
fn large_minibatches_are_as_exact_as_small_ones() {
    let device = Device::flex().autodiff();
    let mnist = mnist();
    let model = initialise(LeNetConfig::mnist().init(&device), Initialisation::Uniform, 5).unwrap();
    let examples = LabelledInputs::new(mnist.inputs(), mnist.labels(), 784);
    let indices = Minibatches::seeded(mnist.len(), 10_000, 200, Sampling::ShuffledEpochs, 3).unwrap().materialise();
    let minibatches = MinibatchIndices::new(&indices, 10_000, mnist.len()).unwrap();
    let factors = ExampleFactors::capture(&model, examples, &minibatches.examples(), &device, |_| ()).unwrap();
    let history = factors.history(minibatches).unwrap();
    assert_f32_suffices(history.gradients(), 100);
}

#[test]
fn clipping_bounds_every_norm_and_leaves_small_gradients() {
    let case = Case::lenet("lenet-b10");
    let minibatches = case.minibatches(40);
    let gram = case.factors(minibatches).gram(minibatches, Precision::Single).unwrap();
    let norms = gram.norms();
    let threshold = norms[7];
    let expected: Vec<f64> = norms.iter().map(|norm| norm.min(threshold)).collect();
    assert_relative("clipped norm", &gram.clipped(threshold).unwrap().norms(), &expected, 1e-9);
}

#[test]
fn batch_statistics_agree_with_pytorch() {
    let first = FcnConfig::new(784);
    let between = first.clone().with_hidden_layers(2).with_batch_norm(BatchNormPlacement::AfterLinear);
    for (name, config, parameters) in
        [("fcn-batchnorm-first-b10", first, 57_368), ("fcn-batchnorm-b10", between, 60_910)]
    {
        let case = Case::read(name, |device| config.init(device));
        let minibatches = case.minibatches(800);
        let history = case.direct(minibatches);
        assert_eq!(history.layout().parameters(), parameters);
        case.assert_agrees(&history.gram(Precision::Single).unwrap(), NORM_OF_BATCH_STATISTICS);
        let (device, used) = (Device::flex().autodiff(), minibatches.examples());
        let factors = ExampleFactors::capture(&case.model, case.examples(), &used, &device, |_| ());
        let expected = NotFactored::Untraced { path: "norm1.gamma".to_owned() };
        assert_eq!(factors.err(), Some(CaptureError::NotFactored(expected)), "BatchNorm does not go through the trace");
    }
}
