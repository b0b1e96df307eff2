//! Gradients, both ways, against PyTorch in float64.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gradspectra_analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra_capture::{ExampleFactors, GradientHistory, Gram, MinibatchIndices, direct_history};
use gradspectra_data::{DataRoot, DataSet, Examples, LoadOptions, Split, load};
use gradspectra_models::{
    BatchNormPlacement, Classifier, FcnConfig, LabelledInputs, LeNet, LeNetConfig, load_checkpoint,
};
use serde_json::Value;

/// Relative agreement of eigenvalues, and absolute of s and d_ks.
const SPECTRUM: f64 = 1e-3;
/// Relative agreement of gradient norms.
const NORM: f64 = 1e-4;
/// The same where BatchNorm divides by the deviation of almost constant pixels: f32 inputs alone move a norm by 1.02e-4,
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
        let root = DataRoot::new(Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"))).unwrap();
        let loaded = load(DataSet::Mnist, Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ()).unwrap();
        let indices = npy::<i64>(&folder.join("minibatches.npy")).into_iter().map(|index| index as u32).collect();
        let batch = case["B"].as_u64().unwrap() as usize;
        Self { folder, case, model, examples: loaded.examples, indices, batch }
    }

    fn examples(&self) -> LabelledInputs<'_> {
        LabelledInputs::new(self.examples.inputs(), self.examples.labels(), 784)
    }

    fn minibatches(&self, iterations: usize) -> MinibatchIndices<'_> {
        MinibatchIndices::new(&self.indices[..iterations * self.batch], self.batch, self.examples.len()).unwrap()
    }

    fn factors(&self, minibatches: MinibatchIndices) -> ExampleFactors {
        let device = Device::flex().autodiff();
        let factors =
            ExampleFactors::capture(&self.model, self.examples(), &minibatches.examples(), &device, |_| ()).unwrap();
        factors.expect("LeNet goes through the trace")
    }

    fn direct(&self, minibatches: MinibatchIndices) -> GradientHistory {
        direct_history(&self.model, self.examples(), minibatches, &Device::flex().autodiff(), |_| ()).unwrap()
    }

    fn assert_agrees(&self, gram: &Gram, norm: f64) {
        let norms = npy::<f64>(&self.folder.join("gradient-norms.npy"));
        assert_relative("gradient norm", &gram.norms(), &norms, norm);
        for (kind, matrix) in [("covariance", gram.covariance()), ("second-moment", gram.second_moment())] {
            let expected = &self.case[kind];
            let k = self.case["K"].as_u64().unwrap() as usize;
            let spectrum = Spectrum::of_gram(&matrix).unwrap();
            let eigenvalues = npy::<f64>(&self.folder.join(format!("eigenvalues-{kind}.npy")));
            assert_relative(kind, &spectrum.eigenvalues()[..k], &eigenvalues[..k], SPECTRUM);
            let fit = PowerLawFit::top(spectrum.eigenvalues(), k).unwrap();
            assert!((fit.s() - expected["s"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: s = {}", fit.s());
            let d_ks = KsTest::of(&fit).d_ks;
            assert!((d_ks - expected["ks_two_sided"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: d_ks = {d_ks}");
        }
    }
}

fn npy<T: npyz::Deserialize>(path: &Path) -> Vec<T> {
    npyz::NpyFile::new(&std::fs::read(path).unwrap()[..]).unwrap().into_vec().unwrap()
}

fn assert_relative(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
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
    case.assert_agrees(&factors.gram(minibatches), NORM);
    case.assert_agrees(&factors.history(minibatches).gram(), NORM);
}

#[test]
fn minibatches_agree_with_pytorch() {
    let case = Case::lenet("lenet-b10");
    let minibatches = case.minibatches(1200);
    case.assert_agrees(&case.factors(minibatches).gram(minibatches), NORM);
}

#[test]
fn both_ways_agree() {
    for name in ["lenet-b1", "lenet-b10"] {
        let case = Case::lenet(name);
        let minibatches = case.minibatches(20);
        let direct = case.direct(minibatches);
        let factored = case.factors(minibatches).history(minibatches);
        assert_eq!(direct.layout(), factored.layout());
        let difference = (direct.gradients() - factored.gradients()).norm_l2();
        assert!(f64::from(difference) < BOTH_WAYS * f64::from(direct.gradients().norm_l2()), "{name}: {difference}");
    }
}

#[test]
fn clipping_bounds_every_norm_and_leaves_small_gradients() {
    let case = Case::lenet("lenet-b10");
    let minibatches = case.minibatches(40);
    let gram = case.factors(minibatches).gram(minibatches);
    let norms = gram.norms();
    let threshold = norms[7];
    let expected: Vec<f64> = norms.iter().map(|norm| norm.min(threshold)).collect();
    assert_relative("clipped norm", &gram.clipped(threshold).norms(), &expected, 1e-9);
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
        case.assert_agrees(&history.gram(), NORM_OF_BATCH_STATISTICS);
        let (device, used) = (Device::flex().autodiff(), minibatches.examples());
        let factors = ExampleFactors::capture(&case.model, case.examples(), &used, &device, |_| ()).unwrap();
        assert!(factors.is_none(), "BatchNorm does not go through the trace");
    }
}
