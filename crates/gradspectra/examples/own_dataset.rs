//! A data set of one's own: two noisy spirals, and the gradients of a small network on them.

use burn::tensor::Device;
use gradspectra::analysis::{PowerLawFit, Spectrum};
use gradspectra::capture::{ExampleFactors, MinibatchIndices, Precision};
use gradspectra::data::{Examples, Minibatches, Sampling};
use gradspectra::models::{BatchNormPlacement, FcnConfig, Initialisation, LabelledInputs, initialise};

fn spirals(count: usize) -> Result<Examples, Box<dyn std::error::Error>> {
    let point = |index: usize| {
        let (class, radius) = ((index % 2) as f32, index as f32 / count as f32);
        let angle = 9.0 * radius + std::f32::consts::PI * class + 0.2 * (index as f32 * 12.9898).sin();
        [radius * angle.cos(), radius * angle.sin()]
    };
    let inputs = (0..count).flat_map(point).collect();
    let labels = (0..count).map(|index| (index % 2) as u32).collect();
    Ok(Examples::new(inputs, vec![2], labels, 2)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spirals = spirals(4000)?;
    let examples = LabelledInputs::new(spirals.inputs(), spirals.labels(), 2);
    let device = Device::flex().autodiff();
    let config = FcnConfig::new(2).with_classes(2).with_width(50).with_hidden_layers(2);
    let model = config.with_batch_norm(BatchNormPlacement::None).init(&device);
    let model = initialise(model, Initialisation::Uniform, 1)?;

    let indices = Minibatches::seeded(spirals.len(), 1, 1000, Sampling::ShuffledEpochs, 1)?.materialise();
    let minibatches = MinibatchIndices::new(&indices, 1, spirals.len())?;
    let factors = ExampleFactors::capture(&model, examples, &minibatches.examples(), &device, |_| ())?;
    let gram = factors.gram(minibatches, Precision::Single)?;
    let spectrum = Spectrum::of_gram(gram.second_moment()?.as_ref())?;
    let fit = PowerLawFit::top(spectrum.top_eigenvalues(100)?, 100)?;
    println!("{} examples: s = {:.3}, d_ks = {:.4}", spirals.len(), fit.s(), fit.ks().two_sided);
    Ok(())
}
