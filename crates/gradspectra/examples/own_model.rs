//! A residual network of one's own, with a layer of its own, from gradients to a verdict.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::tanh};
use gradspectra::analysis::{KsTest, PowerLawFit, Spectrum};
use gradspectra::capture::{ExampleFactors, MinibatchIndices, Precision};
use gradspectra::data::{DataRoot, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split};
use gradspectra::models::{Classifier, Factors, Initialisation, LabelledInputs, Trace, TracedLayer, initialise};

#[derive(Module, Debug)]
struct Gain {
    gain: Param<Tensor<1>>,
}

impl TracedLayer<2, 2> for Gain {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input * self.gain.val().unsqueeze()
    }

    fn factors(&self, input: Tensor<2>, delta: Tensor<2>) -> Factors {
        Factors::Explicit(input * delta)
    }
}

#[derive(Module, Debug)]
struct ResidualMlp {
    first: Linear,
    hidden: Linear,
    gain: Gain,
    last: Linear,
}

impl Classifier for ResidualMlp {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let x = tanh(trace.layer("first", &self.first, inputs));
        let branch = tanh(trace.layer("hidden", &self.hidden, x.clone()));
        let x = x + trace.layer("gain", &self.gain, branch);
        trace.layer("last", &self.last, x)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device);
    let gain = Gain { gain: Param::from_tensor(Tensor::ones([30], &device)) };
    let model = ResidualMlp { first: linear(784, 30), hidden: linear(30, 30), gain, last: linear(30, 10) };
    let model = initialise(model, Initialisation::Xavier, 1)?;
    let root = DataRoot::new(None)?;
    let mnist = Mnist {}.load(Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ())?.examples;
    let examples = LabelledInputs::new(mnist.inputs(), mnist.labels(), 784);
    let indices = Minibatches::seeded(mnist.len(), 10, 1500, Sampling::ShuffledEpochs, 1)?.materialise();
    let minibatches = MinibatchIndices::new(&indices, 10, mnist.len())?;
    let factors = ExampleFactors::capture(&model, examples, &minibatches.examples(), &device, |_| ())?;
    let gram = factors.gram(minibatches, Precision::Single)?;
    let spectrum = Spectrum::of_gram(gram.covariance())?;
    let fit = PowerLawFit::top(spectrum.top_eigenvalues(500)?, 500)?;
    println!("s = {:.3}, power law: {}", fit.s(), KsTest::of(&fit).is_power_law());
    Ok(())
}
