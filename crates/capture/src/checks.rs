//! What a capture makes sure of before it goes on.

use burn::module::ModuleVisitor;
use burn::tensor::{Device, Tensor};
use gradspectra_models::{Examples, Model, Trace, detached, losses, runs_on_cpu};

use crate::{CaptureError, ParameterLayout, Result};

/// Examples whose loss is evaluated again, at most at once, and at the least in all.
const EXAMPLES: usize = 32;

/// Refuses what no gradient comes of: a device or a model without gradients, an example that is not there, a label beyond
/// the classes, a model whose loss moves from one evaluation to the next.
///
/// `indices` are those of the capture. The numbers in the inputs and outputs of the layers that go through the trace are told,
/// an example.
pub(crate) fn check<M: Model>(
    model: &M,
    layout: &ParameterLayout,
    examples: impl Examples<Batch = M::Batch> + Copy,
    indices: &[u32],
    device: &Device,
) -> Result<u64> {
    if !device.is_autodiff() || layout.parameters() == 0 {
        return Err(CaptureError::NoAutodiff);
    }
    if let Some(&index) = indices.iter().find(|&&index| index as usize >= examples.len()) {
        return Err(CaptureError::NoSuchExample { index, examples: examples.len() });
    }
    let first = &indices[..indices.len().min(EXAMPLES)];
    let model = detached(model).no_grad();
    let mut trace = Trace::direct();
    let mut loss = || Ok::<_, CaptureError>(loss_sum(&model, examples, first, device, &mut trace)?.into_scalar());
    let first_loss: f32 = loss()?;
    let evaluations = 1 + (EXAMPLES / first.len().max(1)).max(1);
    let tolerance = if runs_on_cpu(device) { 0.0 } else { 1e-5 * first_loss.abs() };
    // Few examples may draw equal numbers twice, so that they are evaluated more often.
    for _ in 1..evaluations {
        let second: f32 = loss()?;
        // A loss that is not finite is refused by its gradient's parameter.
        if (first_loss - second).abs() > tolerance {
            let mut suspects = Suspects::default();
            model.visit(&mut suspects);
            return Err(CaptureError::NotRepeatable { first: first_loss, second, suspects: suspects.found });
        }
    }
    Ok(trace.numbers() / (evaluations * first.len().max(1)) as u64)
}

/// The summed loss of the examples `indices`, which a backward pass can start from even where it depends on no parameter.
pub(crate) fn loss_sum<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    indices: &[u32],
    device: &Device,
    trace: &mut Trace,
) -> Result<Tensor<1>> {
    Ok(losses(model, examples.batch(indices, device), indices, trace)?.sum() + anchor(device))
}

/// The losses of the examples `indices`, each times its weight, as [`loss_sum`] else.
pub(crate) fn weighted_loss<M: Model>(
    model: &M,
    examples: impl Examples<Batch = M::Batch> + Copy,
    indices: &[u32],
    weights: &[f64],
    device: &Device,
    trace: &mut Trace,
) -> Result<Tensor<1>> {
    let losses = losses(model, examples.batch(indices, device), indices, trace)?;
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    Ok((losses * Tensor::from_floats(&weights[..], device)).sum() + anchor(device))
}

/// A zero that a backward pass can start from.
fn anchor(device: &Device) -> Tensor<1> {
    Tensor::zeros([1], device).require_grad()
}

/// Modules that draw random numbers, by their type's name.
#[derive(Default)]
struct Suspects {
    path: Vec<String>,
    found: Vec<String>,
}

impl ModuleVisitor for Suspects {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        if ["Dropout", "Noise", "DropPath"].iter().any(|drawn| container_type.contains(drawn)) {
            self.found.push(self.path[..self.path.len() - 1].join("."));
        }
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}
