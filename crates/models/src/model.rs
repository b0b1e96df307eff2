use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::Trace;

/// A network with one loss for each example of a batch.
///
/// A network of logits implements [`Classifier`](crate::Classifier) in place of this.
pub trait Model: Module {
    /// What a pass takes: the inputs of some examples, and what their losses are measured against.
    type Batch: 'static;

    /// The loss of each example, `[examples]`; parametric layers that go through `trace` admit the network to the factored
    /// capture.
    fn losses(&self, batch: Self::Batch, trace: &mut Trace) -> Tensor<1>;

    /// As [`losses`](Self::losses), for a network that refuses some batches.
    ///
    /// # Errors
    ///
    /// Why the batch does not fit the network; examples are counted within the batch.
    fn try_losses(&self, batch: Self::Batch, trace: &mut Trace) -> Result<Tensor<1>, ExamplesError> {
        Ok(self.losses(batch, trace))
    }

    /// How right each example is, `[examples]`, 1 where it is and 0 where it is not: its mean over test examples is
    /// reported as accuracy. `None` where that says nothing.
    fn scores(&self, batch: Self::Batch) -> Option<Tensor<1>> {
        let _ = batch;
        None
    }

    /// As [`scores`](Self::scores), for a network that refuses some batches.
    ///
    /// # Errors
    ///
    /// As of [`try_losses`](Self::try_losses).
    fn try_scores(&self, batch: Self::Batch) -> Result<Option<Tensor<1>>, ExamplesError> {
        Ok(self.scores(batch))
    }
}

/// Examples that batches are made of, on several threads at once.
pub trait Examples: Sync {
    /// A batch, as the network takes it.
    type Batch;

    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there is no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch of the named examples, counted from 0, in their order, on a device.
    fn batch(&self, indices: &[u32], device: &Device) -> Self::Batch;
}

impl<E: Examples + ?Sized> Examples for &E {
    type Batch = E::Batch;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Self::Batch {
        (**self).batch(indices, device)
    }
}

/// Why examples do not fit each other or a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExamplesError {
    /// The numbers of inputs and labels do not fit each other.
    #[error(
        "{} of inputs {} not fit {}; with {} give {} for each label",
        counted(*.inputs, "number", "numbers"),
        if *.inputs == 1 { "does" } else { "do" },
        counted(*.labels, "label", "labels"),
        counted(*.features, "feature", "features"),
        counted(*.features, "number", "numbers")
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
        "example {example} has label {label}, and the model has {}; give labels below {classes}, or a model with more classes",
        counted(*.classes, "class", "classes")
    )]
    Label {
        /// The example, counted from 0.
        example: usize,
        /// Its label.
        label: u32,
        /// The number of the model's classes.
        classes: usize,
    },
    /// A token is none of the model's vocabulary.
    #[error(
        "example {example} has token {token}, and the model knows {vocabulary}; give tokens from 0 and below {vocabulary}, or a \
         larger vocabulary"
    )]
    Token {
        /// The example, counted from 0.
        example: usize,
        /// The token.
        token: i64,
        /// The number of tokens that the model knows.
        vocabulary: usize,
    },
    /// An example has no token to predict.
    #[error("example {example} has no token whose follower is to be predicted; leave it out")]
    NothingToPredict {
        /// The example, counted from 0.
        example: usize,
    },
    /// The model does not give one loss for each example.
    #[error(
        "the model gives {} for {}; give one loss for each example, a mean over none",
        counted(*.losses, "loss", "losses"),
        counted(*.examples, "example", "examples")
    )]
    Losses {
        /// The losses.
        losses: usize,
        /// The examples.
        examples: usize,
    },
}

/// A number of things and their noun.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl ExamplesError {
    /// The error where the batch is of the examples `indices`.
    fn of(mut self, indices: &[u32]) -> Self {
        if let Self::Label { example, .. } | Self::Token { example, .. } | Self::NothingToPredict { example } =
            &mut self
        {
            *example = indices.get(*example).map_or(*example, |&index| index as usize);
        }
        self
    }
}

/// The losses of the examples `indices`, one for each.
///
/// # Errors
///
/// The examples do not fit the model, or it does not give one loss for each of them.
pub fn losses<M: Model>(
    model: &M,
    batch: M::Batch,
    indices: &[u32],
    trace: &mut Trace,
) -> Result<Tensor<1>, ExamplesError> {
    let losses = model.try_losses(batch, trace).map_err(|error| error.of(indices))?;
    match losses.dims()[0] {
        found if found == indices.len() => Ok(losses),
        found => Err(ExamplesError::Losses { losses: found, examples: indices.len() }),
    }
}

/// The mean loss over examples.
///
/// # Errors
///
/// There is no example, or they do not fit the model.
pub fn mean_loss<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch>,
    device: &Device,
) -> Result<f64, ExamplesError> {
    let loss = |batch, indices: &[u32]| Ok(Some(losses(model, batch, indices, &mut Trace::off())?));
    Ok(mean_over(&examples, device, loss)?.unwrap_or(f64::NAN))
}

/// The mean score over examples, so the accuracy of a classifier; `None` where the model has no scores.
///
/// # Errors
///
/// There is no example, or they do not fit the model.
pub fn mean_score<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch>,
    device: &Device,
) -> Result<Option<f64>, ExamplesError> {
    mean_over(&examples, device, |batch, indices| model.try_scores(batch).map_err(|error| error.of(indices)))
}

/// The mean over examples of what `of` makes of a chunk's; `None` where it makes nothing.
fn mean_over<B>(
    examples: &impl Examples<Batch = B>,
    device: &Device,
    of: impl Fn(B, &[u32]) -> Result<Option<Tensor<1>>, ExamplesError>,
) -> Result<Option<f64>, ExamplesError> {
    const CHUNK: usize = 1000;
    if examples.is_empty() {
        return Err(ExamplesError::Empty);
    }
    let indices: Vec<u32> = (0..examples.len() as u32).collect();
    let mut sum = 0.0;
    for chunk in indices.chunks(CHUNK) {
        let Some(values) = of(examples.batch(chunk, device), chunk)? else { return Ok(None) };
        sum += values.sum().into_scalar::<f64>();
    }
    Ok(Some(sum / examples.len() as f64))
}
