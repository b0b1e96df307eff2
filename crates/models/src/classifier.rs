use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Trace;

/// A network that maps inputs to one logit a class.
///
/// Any Burn module becomes one with three lines; calling its parametric layers through the trace admits it to the
/// factored capture.
pub trait Classifier: Module {
    /// Logits `[examples, classes]` of inputs `[examples, features]`; an image model reshapes its inputs itself.
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2>;
}

/// Borrowed examples: flattened inputs and their classes.
#[derive(Debug, Clone, Copy)]
pub struct LabelledInputs<'a> {
    inputs: &'a [f32],
    labels: &'a [u32],
    features: usize,
}

impl<'a> LabelledInputs<'a> {
    /// Examples from inputs `[examples, features]`, row by row, and one label each.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit each other.
    pub fn new(inputs: &'a [f32], labels: &'a [u32], features: usize) -> Self {
        assert_eq!(inputs.len(), labels.len() * features, "inputs are [{}, {features}]", labels.len());
        Self { inputs, labels, features }
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// The number of entries of one input.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The inputs `[indices, features]` and labels `[indices]` of the named examples on a device.
    pub fn gather(&self, indices: &[u32], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let mut inputs = Vec::with_capacity(indices.len() * self.features);
        for &index in indices {
            let start = index as usize * self.features;
            inputs.extend_from_slice(&self.inputs[start..start + self.features]);
        }
        let labels: Vec<i32> = indices.iter().map(|&index| self.labels[index as usize] as i32).collect();
        let count = indices.len();
        (
            Tensor::from_data(TensorData::new(inputs, [count, self.features]), device),
            Tensor::from_data(TensorData::new(labels, [count]), device),
        )
    }
}

/// The cross-entropy summed over the examples, a tensor of one element.
///
/// `logits` is `[examples, classes]`, `labels` `[examples]`. Divide by the number of examples for the mean.
pub fn cross_entropy_sum(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).sum().neg()
}

/// The share of examples whose largest logit is their label's.
pub fn accuracy<M: Classifier>(model: &M, examples: LabelledInputs, device: &Device) -> f64 {
    let correct = |logits: Tensor<2>, labels| {
        let predicted = logits.argmax(1).flatten::<1>(0, 1);
        predicted.equal(labels).int().sum().into_scalar::<i64>() as f64
    };
    mean_over(model, examples, device, correct)
}

/// The mean cross-entropy over examples.
pub fn mean_loss<M: Classifier>(model: &M, examples: LabelledInputs, device: &Device) -> f64 {
    let loss = |logits, labels| f64::from(cross_entropy_sum(logits, labels).into_scalar::<f32>());
    mean_over(model, examples, device, loss)
}

/// The mean over examples of what `sum` makes of the logits and labels of a chunk.
fn mean_over<M: Classifier>(
    model: &M,
    examples: LabelledInputs,
    device: &Device,
    sum: impl Fn(Tensor<2>, Tensor<1, Int>) -> f64,
) -> f64 {
    const CHUNK: usize = 1000;
    let indices: Vec<u32> = (0..examples.len() as u32).collect();
    let sums = indices.chunks(CHUNK).map(|chunk| {
        let (inputs, labels) = examples.gather(chunk, device);
        sum(model.logits(inputs, &mut Trace::off()), labels)
    });
    sums.sum::<f64>() / examples.len() as f64
}
