use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::{Examples, ExamplesError, Model, Trace};

/// A network that maps inputs to one logit a class; its loss is the cross-entropy.
///
/// Any Burn module becomes one with three lines; calling its parametric layers through the trace admits it to the
/// factored capture.
pub trait Classifier: Module {
    /// Logits `[examples, classes]` of inputs `[examples, features]`; an image model reshapes its inputs itself.
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2>;
}

/// A batch of examples with a class each.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// `[examples, features]`.
    pub inputs: Tensor<2>,
    /// The classes, one an example.
    pub labels: Vec<u32>,
}

impl Labelled {
    /// The labels `[examples]` where the inputs are.
    pub fn classes(&self) -> Tensor<1, Int> {
        let labels: Vec<i32> = self.labels.iter().map(|&label| label as i32).collect();
        Tensor::from_data(TensorData::new(labels, [self.labels.len()]), &self.inputs.device())
    }
}

impl<C: Classifier> Model for C {
    type Batch = Labelled;

    /// The cross-entropies.
    ///
    /// # Panics
    ///
    /// If a label is none of the classes; [`try_losses`](Model::try_losses) refuses it.
    fn losses(&self, batch: Labelled, trace: &mut Trace) -> Tensor<1> {
        self.try_losses(batch, trace).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_losses(&self, batch: Labelled, trace: &mut Trace) -> Result<Tensor<1>, ExamplesError> {
        let logits = self.logits(batch.inputs.clone(), trace);
        let [rows, classes] = logits.dims();
        if rows != batch.labels.len() {
            return Err(ExamplesError::Losses { losses: rows, examples: batch.labels.len() });
        }
        check_labels(&batch.labels, classes)?;
        let labels = batch.classes();
        Ok(if trace.captures() { exact_cross_entropy(logits, labels) } else { cross_entropy(logits, labels) })
    }

    /// 1 for the examples whose largest logit is their label's.
    ///
    /// # Panics
    ///
    /// If a label is none of the classes; [`try_scores`](Model::try_scores) refuses it.
    fn scores(&self, batch: Labelled) -> Option<Tensor<1>> {
        self.try_scores(batch).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_scores(&self, batch: Labelled) -> Result<Option<Tensor<1>>, ExamplesError> {
        let labels = batch.classes();
        let logits = self.logits(batch.inputs, &mut Trace::off());
        check_labels(&batch.labels, logits.dims()[1])?;
        Ok(Some(logits.argmax(1).flatten::<1>(0, 1).equal(labels).float()))
    }
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
}

impl Examples for LabelledInputs<'_> {
    type Batch = Labelled;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Labelled {
        let mut inputs = Vec::with_capacity(indices.len() * self.features);
        for &index in indices {
            let start = index as usize * self.features;
            inputs.extend_from_slice(&self.inputs[start..start + self.features]);
        }
        Labelled {
            inputs: Tensor::from_data(TensorData::new(inputs, [indices.len(), self.features]), device),
            labels: indices.iter().map(|&index| self.labels[index as usize]).collect(),
        }
    }
}

/// Refuses a label that is none of a model's `classes`, the number of its logits.
fn check_labels(labels: &[u32], classes: usize) -> Result<(), ExamplesError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(example) => Err(ExamplesError::Label { example, label: labels[example], classes }),
        None => Ok(()),
    }
}

/// The cross-entropy of each example, `[examples]`.
///
/// `logits` is `[examples, classes]`, `labels` `[examples]`, each below the number of classes.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).flatten(0, 1).neg()
}

/// As [`cross_entropy`], with gradients that keep their digits where an example's class is nearly certain.
///
/// The derivative at its logit is p − 1, of which f32 keeps an absolute 6e-8. Where p is above 1/2 the loss is formed as
/// log(1 + Σ exp(z_j − z)) over the other classes j, so that the derivative there is minus the sum of the others'; elsewhere
/// it is that of [`cross_entropy`] to the last bit.
pub fn exact_cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let classes = logits.dims()[1];
    let plain = cross_entropy(logits.clone(), labels.clone());
    if classes < 2 {
        return plain;
    }
    let own: Tensor<2, Int> = labels.clone().one_hot(classes);
    let others = (logits.clone() - logits.gather(1, labels.unsqueeze_dim(1))).mask_fill(own.bool(), f32::NEG_INFINITY);
    // A difference above 0 could overflow. At 0 its exponential alone makes the class uncertain.
    let odds = others.clamp_max(0.0).exp().sum_dim(1).flatten::<1>(0, 1);
    let certain = odds.clone().lower_elem(1.0);
    plain.mask_where(certain, odds.log1p())
}
