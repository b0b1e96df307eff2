//! Models and inputs of which a capture says what keeps it from being right.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, tanh};
use burn::tensor::{Device, Tensor};
use gradspectra_capture::{CaptureError, ExampleFactors, MinibatchIndices, NotFactored, direct_history};
use gradspectra_models::{Classifier, ExamplesError, Labelled, LabelledInputs, Model, Trace};

const EXAMPLES: usize = 12;
const FEATURES: usize = 6;

fn device() -> Device {
    Device::flex().autodiff()
}

fn linear(inputs: usize, outputs: usize) -> Linear {
    let device = device();
    let value = |index: usize| ((index * 37 % 19) as f32 - 9.0) / 20.0;
    let tensor = |count: usize| Tensor::<1>::from_floats(&(0..count).map(value).collect::<Vec<_>>()[..], &device);
    let mut linear = LinearConfig::new(inputs, outputs).init(&device);
    linear.weight = Param::from_tensor(tensor(inputs * outputs).reshape([inputs, outputs]));
    linear.bias = Some(Param::from_tensor(tensor(outputs)));
    linear
}

fn inputs() -> Vec<f32> {
    (0..EXAMPLES * FEATURES).map(|index| ((index * 29 % 23) as f32 - 11.0) / 8.0).collect()
}

fn capture<M: Classifier>(model: &M) -> Result<ExampleFactors, CaptureError> {
    let (inputs, labels) = (inputs(), [0, 1, 2].repeat(EXAMPLES / 3));
    let indices: Vec<u32> = (0..EXAMPLES as u32).collect();
    ExampleFactors::capture(model, LabelledInputs::new(&inputs, &labels, FEATURES), &indices, &device(), |_| ())
}

fn direct<M: Classifier>(model: &M, labels: &[u32], device: &Device) -> Result<f32, CaptureError> {
    let (inputs, indices) = (inputs(), [0, 3, 5, 7]);
    let examples = LabelledInputs::new(&inputs, labels, FEATURES);
    let minibatches = MinibatchIndices::new(&indices, 2, EXAMPLES)?;
    direct_history(model, examples, minibatches, device, |_| ()).map(|history| history.gradients().norm_l2())
}

fn refusal<M: Classifier>(model: &M) -> NotFactored {
    assert!(direct(model, &[0, 1, 2].repeat(EXAMPLES / 3), &device()).unwrap() > 0.0, "the direct way is open");
    match capture(model) {
        Err(CaptureError::NotFactored(reason)) => reason,
        other => panic!("captured by factors: {:?}", other.err()),
    }
}

#[derive(Module, Debug)]
struct Untraced {
    first: Linear,
    last: Linear,
}

impl Classifier for Untraced {
    fn logits(&self, inputs: Tensor<2>, _: &mut Trace) -> Tensor<2> {
        self.last.forward(tanh(self.first.forward(inputs)))
    }
}

#[test]
fn a_model_without_the_trace_says_so() {
    assert_eq!(refusal(&Untraced { first: linear(FEATURES, 4), last: linear(4, 3) }), NotFactored::NoLayer);
}

#[derive(Module, Debug)]
struct Half {
    first: Linear,
    last: Linear,
}

impl Classifier for Half {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        self.last.forward(tanh(trace.layer("first", &self.first, inputs)))
    }
}

#[test]
fn a_model_half_of_whose_layers_go_through_the_trace_names_the_other_half() {
    let reason = refusal(&Half { first: linear(FEATURES, 4), last: linear(4, 3) });
    assert_eq!(reason, NotFactored::Untraced { path: "last.weight".to_owned() });
}

/// Two positions an example, flattened to rows.
#[derive(Module, Debug)]
struct Flattened {
    position: Linear,
    last: Linear,
}

impl Classifier for Flattened {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, features] = inputs.dims();
        let rows = inputs.reshape([2 * examples, features / 2]);
        let x = tanh(trace.layer("position", &self.position, rows));
        trace.layer("last", &self.last, x.reshape([examples, 8]))
    }
}

#[test]
fn positions_that_are_flattened_are_counted_against_the_examples() {
    let reason = refusal(&Flattened { position: linear(FEATURES / 2, 4), last: linear(8, 3) });
    let expected = NotFactored::Rows { path: "position".to_owned(), rows: 2 * EXAMPLES, examples: EXAMPLES };
    assert_eq!(reason, expected);
}

/// A weight that is used once through the trace and once beside it.
#[derive(Module, Debug)]
struct Beside {
    square: Linear,
    last: Linear,
}

impl Classifier for Beside {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let x = tanh(trace.layer("square", &self.square, inputs));
        let x = tanh(self.square.forward(x));
        trace.layer("last", &self.last, x)
    }
}

#[test]
fn a_weight_that_is_also_used_beside_the_trace_is_found() {
    let reason = refusal(&Beside { square: linear(FEATURES, FEATURES), last: linear(FEATURES, 3) });
    assert!(
        matches!(reason, NotFactored::Differs { ref path, difference } if path == "square" && difference > 0.05),
        "{reason}"
    );
}

#[derive(Module, Debug)]
struct Misnamed {
    first: Linear,
}

impl Classifier for Misnamed {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        trace.layer("fist", &self.first, inputs)
    }
}

#[test]
fn a_path_that_the_model_does_not_have_is_named() {
    let reason = refusal(&Misnamed { first: linear(FEATURES, 3) });
    assert_eq!(reason, NotFactored::Unknown { path: "fist".to_owned() });
}

/// Examples that see the mean of all: batch statistics without parameters of their own.
#[derive(Module, Debug)]
struct Mixing {
    first: Linear,
    last: Linear,
}

impl Classifier for Mixing {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let x = trace.layer("first", &self.first, inputs);
        let mean = x.clone().mean_dim(0);
        trace.layer("last", &self.last, relu(x - mean))
    }
}

#[test]
fn examples_that_mix_are_found() {
    let reason = refusal(&Mixing { first: linear(FEATURES, 4), last: linear(4, 3) });
    assert!(matches!(reason, NotFactored::Differs { .. }), "{reason}");
}

#[derive(Module, Debug)]
struct Dropping {
    first: Linear,
    dropout: Dropout,
    norm: BatchNorm,
    last: Linear,
}

impl Classifier for Dropping {
    fn logits(&self, inputs: Tensor<2>, _: &mut Trace) -> Tensor<2> {
        let x = self.norm.forward(self.first.forward(inputs));
        self.last.forward(self.dropout.forward(x))
    }
}

#[test]
fn dropout_that_is_left_on_is_named_and_dropout_of_0_passes() {
    let model = |prob| Dropping {
        first: linear(FEATURES, 4),
        dropout: DropoutConfig::new(prob).init(),
        norm: BatchNormConfig::new(4).init(&device()),
        last: linear(4, 3),
    };
    let labels = [0, 1, 2].repeat(EXAMPLES / 3);
    let refused = direct(&model(0.1), &labels, &device()).unwrap_err();
    assert!(matches!(&refused, CaptureError::NotRepeatable { suspects, .. } if suspects == &["dropout"]), "{refused}");
    assert_eq!(capture(&model(0.1)).unwrap_err().to_string().matches("dropout").count(), 2);
    assert!(direct(&model(0.0), &labels, &device()).unwrap() > 0.0);
}

#[test]
fn a_device_without_gradients_is_refused() {
    let plain = Device::flex();
    let model = Untraced { first: linear(FEATURES, 4), last: linear(4, 3) };
    assert_eq!(direct(&model, &[0; EXAMPLES], &plain), Err(CaptureError::NoAutodiff));
    assert_eq!(direct(&model.valid(), &[0; EXAMPLES], &device()), Err(CaptureError::NoAutodiff));
}

#[test]
fn a_label_beyond_the_classes_is_refused_with_its_example() {
    let mut labels = [0, 1, 2].repeat(EXAMPLES / 3);
    labels[7] = 3;
    let model = Untraced { first: linear(FEATURES, 4), last: linear(4, 3) };
    let expected = CaptureError::from(ExamplesError::Label { example: 7, label: 3, classes: 3 });
    assert_eq!(direct(&model, &labels, &device()), Err(expected));
}

#[test]
fn examples_that_are_not_there_or_were_not_captured_are_refused() {
    let model = Misnamed { first: linear(FEATURES, 3) };
    let (inputs, labels) = (inputs(), [0; EXAMPLES]);
    let examples = LabelledInputs::new(&inputs, &labels, FEATURES);
    let absent = ExampleFactors::capture(&model, examples, &[1, 12], &device(), |_| ()).unwrap_err();
    assert_eq!(absent, CaptureError::NoSuchExample { index: 12, examples: EXAMPLES });
    let model = Named { first: linear(FEATURES, 3) };
    let factors = ExampleFactors::capture(&model, examples, &[1, 2], &device(), |_| ()).unwrap();
    let minibatches = MinibatchIndices::new(&[2, 3], 1, EXAMPLES).unwrap();
    assert_eq!(factors.history(minibatches).unwrap_err(), CaptureError::NotCaptured { index: 3 });
}

#[derive(Module, Debug)]
struct Named {
    first: Linear,
}

impl Classifier for Named {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        trace.layer("first", &self.first, inputs)
    }
}

/// One loss for the whole batch.
#[derive(Module, Debug)]
struct Mean {
    last: Linear,
}

impl Model for Mean {
    type Batch = Labelled;

    fn losses(&self, batch: Labelled, _: &mut Trace) -> Tensor<1> {
        self.last.forward(batch.inputs).mean()
    }
}

#[test]
fn a_mean_over_the_batch_is_refused() {
    let (inputs, labels) = (vec![0.5; EXAMPLES * FEATURES], vec![0; EXAMPLES]);
    let examples = LabelledInputs::new(&inputs, &labels, FEATURES);
    let minibatches = MinibatchIndices::new(&[0, 1], 2, EXAMPLES).unwrap();
    let error =
        direct_history(&Mean { last: linear(FEATURES, 1) }, examples, minibatches, &device(), |_| ()).unwrap_err();
    let expected = "the model gives 1 loss for 2 examples; give one loss for each example, a mean over none";
    assert_eq!(error.to_string(), expected);
}
