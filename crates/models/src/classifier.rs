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

/// Why examples do not fit each other or a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExamplesError {
    /// The numbers of inputs and labels do not fit each other.
    #[error(
        "{inputs} numbers of inputs do not fit {labels} labels; with {features} features give {features} numbers for each label"
    )]
    Lengths {
        /// The numbers in the inputs.
        inputs: usize,
        /// The labels.
        labels: usize,
        /// The entries of one input.
        features: usize,
    },
    /// There is no example to take a mean over.
    #[error("there is no example; give at least 1")]
    Empty,
    /// A label is none of the model's classes.
    #[error(
        "example {example} has label {label}, and the model has {classes} classes; give labels below {classes}, or a model with more classes"
    )]
    Label {
        /// The example, counted from 0.
        example: usize,
        /// Its label.
        label: u32,
        /// The number of the model's classes.
        classes: usize,
    },
}

impl<'a> LabelledInputs<'a> {
    /// Examples from inputs `[examples, features]`, row by row, and one label each.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit each other; [`try_new`](Self::try_new) refuses them.
    pub fn new(inputs: &'a [f32], labels: &'a [u32], features: usize) -> Self {
        Self::try_new(inputs, labels, features).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`new`](Self::new), for inputs and labels from elsewhere.
    ///
    /// # Errors
    ///
    /// [`ExamplesError::Lengths`].
    pub fn try_new(inputs: &'a [f32], labels: &'a [u32], features: usize) -> Result<Self, ExamplesError> {
        match labels.len().checked_mul(features) {
            Some(numbers) if numbers == inputs.len() => Ok(Self { inputs, labels, features }),
            _ => Err(ExamplesError::Lengths { inputs: inputs.len(), labels: labels.len(), features }),
        }
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

/// Refuses a label that is none of a model's `classes`, the number of its logits.
///
/// # Errors
///
/// [`ExamplesError::Label`] of the first such example.
pub fn check_labels(labels: &[u32], classes: usize) -> Result<(), ExamplesError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(example) => Err(ExamplesError::Label { example, label: labels[example], classes }),
        None => Ok(()),
    }
}

/// The cross-entropy summed over the examples, a tensor of one element.
///
/// `logits` is `[examples, classes]`, `labels` `[examples]`, each below the number of classes, as [`check_labels`] sees
/// to. Divide by the number of examples for the mean.
pub fn cross_entropy_sum(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).sum().neg()
}

/// The share of examples whose largest logit is their label's.
///
/// # Errors
///
/// There is no example, or a label is none of the model's classes.
pub fn accuracy<M: Classifier>(model: &M, examples: LabelledInputs, device: &Device) -> Result<f64, ExamplesError> {
    let correct = |logits: Tensor<2>, labels| {
        let predicted = logits.argmax(1).flatten::<1>(0, 1);
        predicted.equal(labels).int().sum().into_scalar::<i64>() as f64
    };
    mean_over(model, examples, device, correct)
}

/// The mean cross-entropy over examples.
///
/// # Errors
///
/// As [`accuracy`].
pub fn mean_loss<M: Classifier>(model: &M, examples: LabelledInputs, device: &Device) -> Result<f64, ExamplesError> {
    let loss = |logits, labels| cross_entropy_sum(logits, labels).into_scalar::<f64>();
    mean_over(model, examples, device, loss)
}

/// The mean over examples of what `sum` makes of the logits and labels of a chunk.
fn mean_over<M: Classifier>(
    model: &M,
    examples: LabelledInputs,
    device: &Device,
    sum: impl Fn(Tensor<2>, Tensor<1, Int>) -> f64,
) -> Result<f64, ExamplesError> {
    const CHUNK: usize = 1000;
    if examples.is_empty() {
        return Err(ExamplesError::Empty);
    }
    let indices: Vec<u32> = (0..examples.len() as u32).collect();
    let sums = indices.chunks(CHUNK).map(|chunk| {
        let (inputs, labels) = examples.gather(chunk, device);
        let logits = model.logits(inputs, &mut Trace::off());
        check_labels(examples.labels(), logits.dims()[1])?;
        Ok(sum(logits, labels))
    });
    Ok(sums.sum::<Result<f64, _>>()? / examples.len() as f64)
}
