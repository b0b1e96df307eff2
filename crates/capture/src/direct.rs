use std::ops::Range;

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use faer::Mat;
use gradspectra_models::{Classifier, LabelledInputs, Trace, cross_entropy_sum};

use crate::{CaptureError, GradientHistory, MinibatchIndices, ParameterLayout, Result};

/// Captures one gradient of the mean cross-entropy a minibatch, each by a backward pass of its own.
///
/// `model` lives on the autodiff device `device`. `progress` hears how many iterations are done.
///
/// # Errors
///
/// A parameter without a gradient, or a gradient that is not finite.
pub fn direct_history<M: Classifier>(
    model: &M,
    examples: LabelledInputs,
    minibatches: MinibatchIndices,
    device: &Device,
    progress: impl FnMut(usize),
) -> Result<GradientHistory> {
    let layout = ParameterLayout::of(model);
    let gradients = direct_block(model, examples, minibatches, device, 0..layout.parameters(), progress)?;
    Ok(GradientHistory::new(layout, gradients))
}

/// The rows of G of the parameters `rows`, as [`direct_history`] else: one pass an iteration for every such block.
///
/// # Errors
///
/// A parameter without a gradient, or a gradient that is not finite.
///
/// # Panics
///
/// If `rows` goes beyond the parameters.
pub fn direct_block<M: Classifier>(
    model: &M,
    examples: LabelledInputs,
    minibatches: MinibatchIndices,
    device: &Device,
    rows: Range<usize>,
    mut progress: impl FnMut(usize),
) -> Result<Mat<f32>> {
    let mut block = Mat::zeros(rows.len(), minibatches.iterations());
    for_each_gradient(model, examples, minibatches, device, |t, gradient| {
        block.col_as_slice_mut(t).copy_from_slice(&gradient[rows.clone()]);
        progress(t + 1);
        Ok::<_, CaptureError>(())
    })?;
    Ok(block)
}

/// Hands the gradient of every iteration in turn to `visit`, so that G need not be held; as [`direct_history`] else.
///
/// # Errors
///
/// A parameter without a gradient, a gradient that is not finite, or an error of `visit`.
pub fn for_each_gradient<M: Classifier, E: From<CaptureError>>(
    model: &M,
    examples: LabelledInputs,
    minibatches: MinibatchIndices,
    device: &Device,
    mut visit: impl FnMut(usize, &[f32]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let layout = ParameterLayout::of(model);
    let mut gradient = vec![0.0; layout.parameters()];
    for t in 0..minibatches.iterations() {
        let (inputs, labels) = examples.gather(minibatches.iteration(t), device);
        let loss = cross_entropy_sum(model.logits(inputs, &mut Trace::off()), labels) / minibatches.batch() as f64;
        let gradients = &loss.backward();
        let mut reader = GradientReader { gradients, layout: &layout, slot: 0, column: &mut gradient, error: None };
        model.visit(&mut reader);
        match reader.error {
            Some(CaptureError::NotFinite { path, .. }) => {
                return Err(CaptureError::NotFinite { path, place: format!("iteration {t}") }.into());
            }
            Some(error) => return Err(error.into()),
            None => visit(t, &gradient)?,
        }
    }
    Ok(())
}

struct GradientReader<'a> {
    gradients: &'a Gradients,
    layout: &'a ParameterLayout,
    slot: usize,
    column: &'a mut [f32],
    error: Option<CaptureError>,
}

impl ModuleVisitor for GradientReader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if !tensor.is_require_grad() {
            return;
        }
        let slot = &self.layout.slots()[self.slot];
        self.slot += 1;
        let path = slot.path.clone();
        let Some(gradient) = tensor.grad(self.gradients) else {
            self.error.get_or_insert(CaptureError::NoGradient { path });
            return;
        };
        let values = gradient.into_data().try_to_vec::<f32>().expect("gradients are f32, as their parameters");
        if !values.iter().all(|value| value.is_finite()) {
            self.error.get_or_insert(CaptureError::NotFinite { path, place: String::new() });
        }
        self.column[slot.range.clone()].copy_from_slice(&values);
    }
}
