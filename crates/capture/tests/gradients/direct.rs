//! What cannot be captured.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use gradspectra_capture::{CaptureError, ExampleFactors, MinibatchIndices, ParameterLayout, direct_history};
use gradspectra_models::{BatchNormPlacement, Classifier, FcnConfig, LabelledInputs, Trace};

#[derive(Module, Debug)]
struct Idle {
    used: Linear,
    idle: Linear,
}

impl Classifier for Idle {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        trace.layer("used", &self.used, inputs)
    }
}

fn capture(inputs: &[f32]) -> CaptureError {
    let device = Device::flex().autodiff();
    let linear = || LinearConfig::new(2, 3).init(&device);
    let model = Idle { used: linear(), idle: linear() };
    let examples = LabelledInputs::new(inputs, &[0, 2], 2);
    let minibatches = MinibatchIndices::new(&[0, 1], 1, 2).expect("valid indices");
    direct_history(&model, examples, minibatches, &device, |_| ()).expect_err("a layer takes no part in the loss")
}

#[test]
fn a_parameter_without_a_gradient_is_named() {
    assert_eq!(capture(&[1.0, 2.0, 3.0, 4.0]), CaptureError::NoGradient { path: "idle.weight".to_owned() });
}

#[test]
fn a_gradient_that_is_not_finite_is_named_before_it() {
    assert!(
        matches!(capture(&[f32::NAN, 2.0, 3.0, 4.0]), CaptureError::NotFinite { path, .. } if path == "used.weight")
    );
}

#[derive(Module, Debug)]
struct TwoHeads {
    used: Linear,
    unused: Linear,
}

impl Classifier for TwoHeads {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        trace.layer("unused", &self.unused, inputs.clone());
        trace.layer("used", &self.used, inputs)
    }
}

#[test]
fn a_traced_layer_that_does_not_reach_the_loss_is_named() {
    let device = Device::flex().autodiff();
    let linear = || LinearConfig::new(2, 3).init(&device);
    let model = TwoHeads { used: linear(), unused: linear() };
    let examples = LabelledInputs::new(&[1.0, 2.0, 3.0, 4.0], &[0, 2], 2);
    let error = ExampleFactors::capture(&model, examples, &[0, 1], &device, |_| ()).expect_err("unused");
    assert_eq!(error, CaptureError::NoGradient { path: "unused".to_owned() });
}

#[test]
fn frozen_parameters_are_listed_and_have_no_place_in_a_gradient() {
    let device = Device::flex().autodiff();
    let linear = || LinearConfig::new(2, 3).init(&device);
    let layout = ParameterLayout::of(&Idle { used: linear(), idle: linear().no_grad() });
    assert_eq!((layout.parameters(), layout.frozen()), (9, &["idle.weight", "idle.bias"].map(str::to_owned)[..]));
    let with_statistics = FcnConfig::new(2).with_batch_norm(BatchNormPlacement::AfterLinear).init(&device);
    assert_eq!(ParameterLayout::of(&with_statistics).frozen(), [""; 0], "running statistics are no parameters");
}
