//! What other tools give wrong numbers for without a word: refused by name here.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Int, Tensor};
use gradspectra_capture::{CaptureError, ExampleFactors, NotFactored};
use gradspectra_models::{Classifier, Examples, LabelledInputs, Model, Trace};

use super::{CLASSES, EXAMPLES, Language, Positions, Tokens, device, inputs, labels};

fn refusal<M: Model>(model: &M, examples: impl Examples<Batch = M::Batch> + Copy) -> NotFactored {
    let indices: Vec<u32> = (0..EXAMPLES as u32).collect();
    match ExampleFactors::capture(model, examples, &indices, &device(), |_| ()) {
        Err(CaptureError::NotFactored(reason)) => reason,
        other => panic!("captured by factors: {:?}", other.err()),
    }
}

#[test]
fn positions_of_one_row_for_all_examples_are_refused_by_name() {
    let tokens = Tokens { length: 4, rows: 9 };
    let reason = refusal(&Language::new(&tokens, true, Positions::Broadcast), &tokens);
    assert_eq!(reason, NotFactored::Rows { path: "positions".to_owned(), rows: 1, examples: EXAMPLES });
}

/// A layer that sees `[length, examples, width]`.
#[derive(Module, Debug)]
struct TimeMajor {
    layer: Linear,
    head: Linear,
    #[module(skip)]
    length: usize,
}

impl Classifier for TimeMajor {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, features] = inputs.dims();
        let x = inputs.reshape([examples, self.length, features / self.length]).swap_dims(0, 1);
        let x: Tensor<3> = trace.layer("layer", &self.layer, x);
        trace.layer("head", &self.head, tanh(x).swap_dims(0, 1).reshape([examples as i32, -1]))
    }
}

#[test]
fn time_before_examples_is_refused_also_where_both_are_as_many() {
    for length in [4, EXAMPLES] {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device());
        let model = TimeMajor { layer: linear(3, 5), head: linear(5 * length, CLASSES), length };
        let (inputs, labels) = (inputs(3 * length), labels());
        let reason = refusal(&model, LabelledInputs::new(&inputs, &labels, 3 * length));
        match length {
            EXAMPLES => assert!(matches!(&reason, NotFactored::Differs { path, .. } if path == "layer"), "{reason}"),
            _ => assert_eq!(reason, NotFactored::Rows { path: "layer".to_owned(), rows: length, examples: EXAMPLES }),
        }
    }
}

/// Two layers, of which an example reaches one.
#[derive(Module, Debug)]
struct Experts {
    first: Linear,
    second: Linear,
}

impl Classifier for Experts {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let half = examples.div_ceil(2);
        let first = trace.layer("first", &self.first, inputs.clone().narrow(0, 0, half));
        if half == examples {
            return first + trace.layer("second", &self.second, inputs).mul_scalar(0.5);
        }
        let second = trace.layer("second", &self.second, inputs.narrow(0, half, examples - half));
        Tensor::cat(vec![first, second], 0)
    }
}

#[test]
fn a_layer_that_some_examples_reach_is_refused_by_name() {
    let linear = || LinearConfig::new(4, CLASSES).init(&device());
    let (inputs, labels) = (inputs(4), labels());
    let model = Experts { first: linear(), second: linear() };
    let reason = refusal(&model, LabelledInputs::new(&inputs, &labels, 4));
    assert_eq!(reason, NotFactored::Rows { path: "first".to_owned(), rows: 6, examples: EXAMPLES });
}

/// Batches that are padded to the longest of their examples.
#[derive(Debug, Clone, Copy)]
struct Padded;

impl Examples for Padded {
    type Batch = Tensor<2, Int>;

    fn len(&self) -> usize {
        2000
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Tensor<2, Int> {
        let longest = indices.iter().map(|&index| 2 + index as usize / 500).max().unwrap_or(2);
        Tensor::zeros([indices.len(), longest], device)
    }
}

#[test]
fn examples_of_unequal_length_are_refused_by_name() {
    let model = Language::new(&Tokens { length: 9, rows: 9 }, false, Positions::Each);
    let indices: Vec<u32> = (0..2000).collect();
    // Which of the longer chunks is the first to end, the cores decide.
    let error = ExampleFactors::capture(&model, Padded, &indices, &device(), |_| ()).unwrap_err();
    let CaptureError::NotFactored(NotFactored::Positions { path, first: 2, then: 3.. }) = error else {
        panic!("{error}");
    };
    assert_eq!(path, "table");
}
