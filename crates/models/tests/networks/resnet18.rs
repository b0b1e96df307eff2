//! ResNet18 is torchvision's: its weights load, and give its logits and gradients (torch 2.15, float64).

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use gradspectra_models::{Classifier, ResNet18, ResNet18Config, Trace, cross_entropy, load_checkpoint};
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn numbers(expected: &SafeTensors, name: &str) -> Vec<f32> {
    let tensor = expected.tensor(name).unwrap();
    tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn assert_close(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let error = norm(&mut ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs));
    let relative = error / norm(&mut theirs.iter().copied());
    assert!(relative < 1e-5, "{name}: {relative:.1e}");
}

fn torchvisions() -> ResNet18 {
    let model = ResNet18Config::new().with_width(4).init(&Device::flex().autodiff());
    load_checkpoint(model, &fixture("resnet18.safetensors")).unwrap()
}

#[test]
fn logits_in_evaluation_are_torchvisions() {
    let bytes = std::fs::read(fixture("resnet18-expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let inputs = TensorData::new(numbers(&expected, "inputs"), [4, 3 * 32 * 32]);
    let logits = torchvisions().valid().logits(Tensor::from_data(inputs, &Device::flex()), &mut Trace::off());
    assert_close("logits", &logits.into_data().try_to_vec::<f32>().unwrap(), &numbers(&expected, "evaluated"));
}

#[test]
fn gradients_in_training_are_torchvisions() {
    let bytes = std::fs::read(fixture("resnet18-expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let (model, device) = (torchvisions(), Device::flex().autodiff());
    let inputs = TensorData::new(numbers(&expected, "inputs"), [4, 3 * 32 * 32]);
    let labels: Vec<i32> = numbers(&expected, "labels").into_iter().map(|label| label as i32).collect();
    let labels: Tensor<1, Int> = Tensor::from_data(TensorData::new(labels, [4]), &device);
    let logits = model.logits(Tensor::from_data(inputs, &device), &mut Trace::off());
    let gradients = (cross_entropy(logits, labels).sum() / 4.0).backward();
    let mut comparison = Comparison { expected: &expected, gradients: &gradients, path: Vec::new(), compared: 0 };
    model.visit(&mut comparison);
    let names = expected.names();
    assert_eq!(comparison.compared, names.iter().filter(|name| name.starts_with("gradient.")).count());
}

struct Comparison<'a> {
    expected: &'a SafeTensors<'a>,
    gradients: &'a Gradients,
    path: Vec<String>,
    compared: usize,
}

impl ModuleVisitor for Comparison<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad(self.gradients) else { return };
        let path = self.path.join(".").replace("gamma", "weight").replace("beta", "bias");
        let gradient = if path == "fc.weight" { gradient.transpose() } else { gradient };
        let theirs = numbers(self.expected, &format!("gradient.{path}"));
        assert_close(&path, &gradient.into_data().try_to_vec::<f32>().unwrap(), &theirs);
        self.compared += 1;
    }
}
