//! Networks of today, by factors and directly, against PyTorch in float64.

use std::path::PathBuf;

use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra_capture::{ExampleFactors, Gram, MinibatchIndices, ParameterLayout, Precision, direct_history};
use gradspectra_models::{
    Activation, Architecture, BatchNormMode, Examples, Facts, GptSettings, LabelledInputs, MlpSettings, Model,
    Regression, ResNet18GroupNormSettings, ResNet18Settings, Sequences, VitSettings, load_checkpoint,
};
use serde_json::Value;

use crate::fixtures::{NORM, SPECTRUM, assert_relative, npy};

struct Case {
    folder: PathBuf,
    expected: Value,
    indices: Vec<u32>,
    batch: usize,
}

impl Case {
    fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/beyond").join(name);
        let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let indices = npy::<i64>(&folder.join("minibatches.npy")).into_iter().map(|index| index as u32).collect();
        let batch = expected["B"].as_u64().unwrap() as usize;
        Self { folder, expected, indices, batch }
    }

    fn number(&self, name: &str) -> usize {
        self.expected[name].as_u64().unwrap() as usize
    }

    /// The images as the networks were given them, and the classes.
    fn images(&self) -> (Vec<f32>, Vec<u32>) {
        let inputs = npy::<f32>(&self.folder.join("../cifar-300.npy"));
        (inputs, npy::<i64>(&self.folder.join("targets.npy")).into_iter().map(|class| class as u32).collect())
    }

    fn check<A: Architecture>(&self, settings: &A, facts: Facts, examples: impl Examples<Batch = Batch<A>> + Copy) {
        let device = Device::flex().autodiff();
        let model = settings.build(&facts, &device).unwrap();
        let model = load_checkpoint(model, &self.folder.join("weights.safetensors")).unwrap();
        let layout = ParameterLayout::of(&model);
        assert_eq!(layout.parameters(), self.number("parameters"));
        let minibatches = MinibatchIndices::new(&self.indices, self.batch, examples.len()).unwrap();
        let used = minibatches.examples();
        let factors = ExampleFactors::capture(&model, examples, &used, &device, |_| ()).unwrap();
        for precision in [Precision::Single, Precision::Double] {
            self.assert_agrees(&factors.gram(minibatches, precision).unwrap());
        }
        let some = MinibatchIndices::new(&self.indices[..20 * self.batch], self.batch, examples.len()).unwrap();
        let direct = direct_history(&model, examples, some, &device, |_| ()).unwrap();
        let difference = (direct.gradients() - factors.history(some).unwrap().gradients()).norm_l2();
        assert!(difference < 1e-5 * direct.gradients().norm_l2(), "both ways: {difference}");
        if self.batch == 1 {
            self.assert_layers_agree(&factors, &layout, minibatches);
        }
    }

    fn assert_agrees(&self, gram: &Gram) {
        let norms = npy::<f64>(&self.folder.join("gradient-norms.npy"));
        assert_relative("gradient norm", &gram.norms(), &norms, NORM);
        let k = self.number("K");
        for (kind, matrix) in
            [("covariance", gram.covariance()), ("second-moment", gram.second_moment().unwrap().as_ref())]
        {
            let expected = &self.expected[kind];
            let spectrum = Spectrum::of_gram(matrix).unwrap();
            let eigenvalues = npy::<f64>(&self.folder.join(format!("eigenvalues-{kind}.npy")));
            let floor = 64.0 * gram.error() / gram.iterations() as f64;
            let resolved = eigenvalues.iter().take_while(|value| **value > floor.max(1e-9 * eigenvalues[0])).count();
            assert_relative(kind, &spectrum.eigenvalues()[..resolved], &eigenvalues[..resolved], SPECTRUM);
            if resolved < k && gram.precision() == Precision::Single {
                continue;
            }
            assert!(resolved >= k, "{kind}: {resolved}");
            let fit = PowerLawFit::top(spectrum.eigenvalues(), k).unwrap();
            assert!((fit.s() - expected["s"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: s = {}", fit.s());
            let d_ks = KsTest::of(&fit).d_ks;
            assert!((d_ks - expected["ks_two_sided"].as_f64().unwrap()).abs() < SPECTRUM, "{kind}: d_ks = {d_ks}");
        }
    }

    /// The largest eigenvalues and the trace of the covariance of each layer alone.
    fn assert_layers_agree(&self, factors: &ExampleFactors, layout: &ParameterLayout, minibatches: MinibatchIndices) {
        let layers = self.expected["layers"].as_object().unwrap();
        assert!(layers.len() > 3);
        for (path, expected) in layers {
            let own = layout.slots().iter().filter(|slot| {
                &slot.path == path || slot.path.rsplit_once('.').is_some_and(|(layer, _)| layer == path)
            });
            let own: Vec<_> = own.map(|slot| slot.range.clone()).collect();
            let range = own[0].start..own[own.len() - 1].end;
            let zeros = Gram::zeros(minibatches.iterations(), Precision::Single).unwrap();
            let gram = factors.add_layers(zeros, minibatches, range).unwrap().centred();
            let spectrum = Spectrum::of_gram(gram.covariance()).unwrap();
            let top: Vec<f64> =
                expected["covariance_top5"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            assert_relative(path, &spectrum.eigenvalues()[..top.len()], &top, SPECTRUM);
            let trace = spectrum.eigenvalues().iter().sum::<f64>() / expected["covariance_trace"].as_f64().unwrap();
            assert!((trace - 1.0).abs() < SPECTRUM, "{path}: the trace is off by {trace}");
        }
    }
}

type Batch<A> = <<A as Architecture>::Model as Model>::Batch;

struct Tokens {
    inputs: Vec<i64>,
    targets: Vec<i64>,
    length: usize,
}

impl Examples for Tokens {
    type Batch = Sequences;

    fn len(&self) -> usize {
        self.inputs.len() / self.length
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Sequences {
        let rows = |values: &[i64]| -> Tensor<2, Int> {
            let rows = indices.iter().flat_map(|&index| &values[index as usize * self.length..][..self.length]);
            Tensor::from_data(TensorData::new(rows.copied().collect::<Vec<_>>(), [indices.len(), self.length]), device)
        };
        Sequences { inputs: rows(&self.inputs), targets: rows(&self.targets) }
    }
}

fn gpt(name: &str, tied: bool) {
    let case = Case::read(name);
    let [inputs, targets] = ["inputs.npy", "targets.npy"].map(|file| npy::<i64>(&case.folder.join(file)));
    let length = inputs.len() / case.number("examples");
    let examples = Tokens { inputs, targets, length };
    let settings = GptSettings { layers: 2, heads: 2, width: 16, tied, ..GptSettings::default() };
    case.check(&settings, Facts { input_shape: vec![length], targets: 59, examples: examples.len() }, &examples);
}

#[test]
fn a_gpt_with_a_tied_head_agrees_with_pytorch() {
    gpt("gpt-tied-b1", true);
}

#[test]
fn minibatches_of_a_gpt_with_a_head_of_its_own_agree_with_pytorch() {
    gpt("gpt-untied-b4", false);
}

fn images<A: Architecture>(name: &str, settings: &A)
where
    A::Model: Model<Batch = gradspectra_models::Labelled>,
{
    let case = Case::read(name);
    let (inputs, labels) = case.images();
    let examples = LabelledInputs::new(&inputs, &labels, 3 * 32 * 32);
    case.check(settings, Facts { input_shape: vec![3, 32, 32], targets: 10, examples: labels.len() }, examples);
}

#[test]
fn a_vision_transformer_agrees_with_pytorch() {
    images("vit-b1", &VitSettings { patch: 8, layers: 2, heads: 2, width: 16 });
}

#[test]
fn resnet18_with_group_norm_agrees_with_pytorch() {
    images("resnet18-groupnorm-b1", &ResNet18GroupNormSettings { width: 8, groups: 4 });
}

#[test]
fn resnet18_by_its_running_statistics_agrees_with_pytorch() {
    images("resnet18-batchnorm-eval-b3", &ResNet18Settings { width: 8, batch_norm: BatchNormMode::Evaluation });
}

struct Numbers {
    inputs: Vec<f32>,
    targets: Vec<f32>,
    sides: [usize; 2],
}

impl Examples for Numbers {
    type Batch = Regression;

    fn len(&self) -> usize {
        self.inputs.len() / self.sides[0]
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Regression {
        let rows = |values: &[f32], width: usize| -> Tensor<2> {
            let rows = indices.iter().flat_map(|&index| &values[index as usize * width..][..width]);
            Tensor::from_data(TensorData::new(rows.copied().collect::<Vec<_>>(), [indices.len(), width]), device)
        };
        Regression { inputs: rows(&self.inputs, self.sides[0]), targets: rows(&self.targets, self.sides[1]) }
    }
}

#[test]
fn a_regression_agrees_with_pytorch() {
    let case = Case::read("mlp-regression-b5");
    let [inputs, targets] = ["inputs.npy", "targets.npy"].map(|file| npy::<f32>(&case.folder.join(file)));
    let examples = Numbers { inputs, targets, sides: [12, 3] };
    let settings = MlpSettings { width: 40, hidden_layers: 2, activation: Activation::Tanh };
    case.check(&settings, Facts { input_shape: vec![12], targets: 3, examples: examples.len() }, &examples);
}

#[test]
fn tokens_that_are_unknown_and_examples_without_a_target_are_refused_by_number() {
    let device = Device::flex().autodiff();
    let settings = GptSettings { layers: 1, heads: 1, width: 4, ..GptSettings::default() };
    let model = settings.build(&Facts { input_shape: vec![2], targets: 5, examples: 3 }, &device).unwrap();
    let targets = vec![1, -1, 2, 3, 4, 0];
    for (inputs, targets, expected) in [
        (vec![0, 1, 2, 5, 4, 0], targets.clone(), "example 1 has token 5, and the model knows 5"),
        (vec![0, 1, 2, -1, 4, 0], targets.clone(), "example 1 has token -1, and the model knows 5"),
        (vec![0; 6], vec![0, 1, 2, 3, 9, 0], "example 2 has token 9, and the model knows 5"),
        (vec![0; 6], vec![0, 1, 2, 3, -1, -1], "example 2 has no token whose follower is to be predicted"),
    ] {
        let examples = Tokens { inputs, targets, length: 2 };
        let error = ExampleFactors::capture(&model, &examples, &[0, 1, 2], &device, |_| ()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let examples = Tokens { inputs: vec![0, 1, 2, 3, 4, 0], targets, length: 2 };
    assert!(ExampleFactors::capture(&model, &examples, &[0, 1, 2], &device, |_| ()).is_ok());
}
