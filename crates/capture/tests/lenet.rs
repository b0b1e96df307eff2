//! LeNet's gradients, both ways, against PyTorch in float64.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gradspectra_analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra_capture::{ExampleFactors, Gram, MinibatchIndices, direct_history};
use gradspectra_data::{DataRoot, DataSet, Examples, LoadOptions, Split, load};
use gradspectra_models::{LabelledInputs, LeNet, LeNetConfig, load_checkpoint};
use serde_json::Value;

/// Relative agreement of eigenvalues, and absolute of s and d_ks.
const SPECTRUM: f64 = 1e-3;
/// Relative agreement of gradient norms.
const NORM: f64 = 1e-4;
/// Relative agreement of both ways.
const BOTH_WAYS: f64 = 1e-5;

struct Case {
    folder: PathBuf,
    case: Value,
    model: LeNet,
    examples: Examples,
    indices: Vec<u32>,
    batch: usize,
}

impl Case {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let case: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let device = Device::flex().autodiff();
        let model = load_checkpoint(LeNetConfig::mnist().init(&device), &folder.join("weights.safetensors")).unwrap();
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

    fn assert_agrees(&self, gram: &Gram) {
        let norms = npy::<f64>(&self.folder.join("gradient-norms.npy"));
        assert_relative("gradient norm", &gram.norms(), &norms, NORM);
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
    let case = Case::read("lenet-b1");
    let minibatches = case.minibatches(2000);
    let factors = case.factors(minibatches);
    case.assert_agrees(&factors.gram(minibatches));
    case.assert_agrees(&factors.history(minibatches).gram());
}

#[test]
fn minibatches_agree_with_pytorch() {
    let case = Case::read("lenet-b10");
    let minibatches = case.minibatches(1200);
    case.assert_agrees(&case.factors(minibatches).gram(minibatches));
}

#[test]
fn both_ways_agree() {
    for name in ["lenet-b1", "lenet-b10"] {
        let case = Case::read(name);
        let minibatches = case.minibatches(20);
        let device = Device::flex().autodiff();
        let direct = direct_history(&case.model, case.examples(), minibatches, &device, |_| ()).unwrap();
        let factored = case.factors(minibatches).history(minibatches);
        assert_eq!(direct.layout(), factored.layout());
        let difference = (direct.gradients() - factored.gradients()).norm_l2();
        assert!(f64::from(difference) < BOTH_WAYS * f64::from(direct.gradients().norm_l2()), "{name}: {difference}");
    }
}

#[test]
fn clipping_bounds_every_norm_and_leaves_small_gradients() {
    let case = Case::read("lenet-b10");
    let minibatches = case.minibatches(40);
    let gram = case.factors(minibatches).gram(minibatches);
    let norms = gram.norms();
    let threshold = norms[7];
    let expected: Vec<f64> = norms.iter().map(|norm| norm.min(threshold)).collect();
    assert_relative("clipped norm", &gram.clipped(threshold).norms(), &expected, 1e-9);
}
