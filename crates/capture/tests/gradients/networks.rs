//! Every network on the inputs and classes of every data set that it fits: by factors as by a backward pass each.

use burn::tensor::Device;
use gradspectra_capture::{
    CaptureError, ExampleFactors, Gram, MinibatchIndices, ParameterLayout, Precision, direct_history,
};
use gradspectra_data::Cifar100Labels;
use gradspectra_models::{
    BatchNormPlacement, Classifier, FcnConfig, Initialisation, LabelledInputs, LeNetConfig, ResNet18Config, initialise,
};

const EXAMPLES: usize = 24;
const ITERATIONS: usize = 6;
/// Relative agreement of both ways.
const BOTH_WAYS: f64 = 1e-5;

/// The shapes of inputs and the numbers of classes of MNIST, CIFAR-10, CIFAR-100's two labels and Avila.
fn data_sets() -> Vec<(Vec<usize>, usize)> {
    let [fine, coarse] = [Cifar100Labels::Fine, Cifar100Labels::Coarse].map(Cifar100Labels::classes);
    assert_eq!((fine, coarse), (100, 20));
    vec![
        (vec![1, 28, 28], 10),
        (vec![3, 32, 32], 10),
        (vec![3, 32, 32], fine),
        (vec![3, 32, 32], coarse),
        (vec![10], 12),
    ]
}

struct Case {
    inputs: Vec<f32>,
    labels: Vec<u32>,
    features: usize,
    what: String,
}

impl Case {
    fn new(shape: &[usize], classes: usize, model: &str) -> Self {
        let features = shape.iter().product();
        let input = |index: usize| ((index * 2_654_435_761) % 1009) as f32 / 500.0 - 1.0;
        Self {
            inputs: (0..EXAMPLES * features).map(input).collect(),
            labels: (0..EXAMPLES).map(|example| (example * 7 % classes) as u32).collect(),
            features,
            what: format!("{model} on {shape:?}, {classes} classes"),
        }
    }

    fn examples(&self) -> LabelledInputs<'_> {
        LabelledInputs::new(&self.inputs, &self.labels, self.features)
    }

    fn both_ways<M: Classifier>(&self, model: M, parameters: usize) {
        let device = Device::flex().autodiff();
        let model = initialise(model, Initialisation::Uniform, 5).unwrap();
        assert_eq!(ParameterLayout::of(&model).parameters(), parameters, "{}", self.what);
        for batch in [1, 4] {
            let indices: Vec<u32> = (0..(ITERATIONS * batch) as u32).map(|index| index * 5 % EXAMPLES as u32).collect();
            let minibatches = MinibatchIndices::new(&indices, batch, EXAMPLES).unwrap();
            let direct = direct_history(&model, self.examples(), minibatches, &device, |_| ()).unwrap();
            let used = minibatches.examples();
            let factors = ExampleFactors::capture(&model, self.examples(), &used, &device, |_| ()).unwrap();
            let covered: usize = factors.layers().iter().map(|layer| layer.parameters()).sum();
            assert_eq!(covered, parameters, "{}: parameters of the layers", self.what);
            let direct = direct.gram(Precision::Double).unwrap();
            for precision in [Precision::Single, Precision::Double] {
                let gram = factors.gram(minibatches, precision).unwrap();
                let [ours, theirs] = [trace(&gram), trace(&direct)];
                assert!((ours / theirs - 1.0).abs() < BOTH_WAYS, "{}, B = {batch}: {ours} is not {theirs}", self.what);
                let [ours, theirs] = [&gram, &direct].map(Gram::mean_gradient_norm);
                assert!((ours / theirs - 1.0).abs() < BOTH_WAYS, "{}, B = {batch}: mean {ours}, {theirs}", self.what);
            }
        }
    }

    fn is_refused<M: Classifier>(&self, model: M) {
        let device = Device::flex().autodiff();
        let model = initialise(model, Initialisation::Uniform, 5).unwrap();
        let error = ExampleFactors::capture(&model, self.examples(), &[0, 1, 2, 3], &device, |_| ()).unwrap_err();
        assert!(matches!(error, CaptureError::NotFactored(_)), "{}: {error}", self.what);
        let minibatches = MinibatchIndices::new(&[0, 1, 2, 3, 4, 5, 6, 7], 4, EXAMPLES).unwrap();
        let direct = direct_history(&model, self.examples(), minibatches, &device, |_| ()).unwrap();
        assert!(trace(&direct.gram(Precision::Single).unwrap()) > 0.0, "{}", self.what);
    }
}

/// tr of T times the covariance.
fn trace(gram: &Gram) -> f64 {
    (0..gram.iterations()).map(|t| gram.covariance()[(t, t)]).sum()
}

/// LeNet's parameters as PyTorch counts them: convolutions of 5 × 5 with 6 and 16 channels, then `flat`-120-84-classes.
fn lenet_parameters(channels: usize, flat: usize, classes: usize) -> usize {
    (25 * channels + 1) * 6 + (25 * 6 + 1) * 16 + (flat + 1) * 120 + 121 * 84 + 85 * classes
}

#[test]
fn lenet_gives_the_same_both_ways_on_every_image_set() {
    let device = Device::flex().autodiff();
    for (shape, classes) in data_sets().into_iter().filter(|(shape, _)| shape.len() == 3) {
        for padded in [false, true] {
            let side = (shape[1] + if padded { 4 } else { 0 } - 4) / 2;
            let flat = 16 * ((side - 4) / 2).pow(2);
            let config = LeNetConfig::new([shape[0], shape[1], shape[2]]).with_classes(classes).with_padded(padded);
            let parameters = lenet_parameters(shape[0], flat, classes);
            Case::new(&shape, classes, "LeNet").both_ways(config.init(&device), parameters);
        }
    }
}

#[test]
fn networks_without_batch_statistics_give_the_same_both_ways_on_every_data_set() {
    let device = Device::flex().autodiff();
    for (shape, classes) in data_sets() {
        let features: usize = shape.iter().product();
        let case = Case::new(&shape, classes, "FCN");
        for (hidden_layers, relu) in [(0, true), (1, true), (3, false)] {
            let config = FcnConfig::new(features)
                .with_classes(classes)
                .with_width(9)
                .with_hidden_layers(hidden_layers)
                .with_relu(relu)
                .with_batch_norm(BatchNormPlacement::None);
            let sides: Vec<usize> = [features].into_iter().chain(vec![9; hidden_layers]).chain([classes]).collect();
            let parameters = sides.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
            case.both_ways(config.init(&device), parameters);
        }
    }
}

#[test]
fn networks_with_batch_statistics_take_a_pass_each_on_every_data_set() {
    let device = Device::flex().autodiff();
    for (shape, classes) in data_sets() {
        let features: usize = shape.iter().product();
        for placement in
            [BatchNormPlacement::BeforeLinear, BatchNormPlacement::AfterLinear, BatchNormPlacement::AfterRelu]
        {
            let config = FcnConfig::new(features).with_classes(classes).with_width(9).with_batch_norm(placement);
            Case::new(&shape, classes, "FCN").is_refused(config.init(&device));
        }
        if shape == [3, 32, 32] {
            let config = ResNet18Config::new().with_classes(classes).with_width(4);
            Case::new(&shape, classes, "ResNet18").is_refused(config.init(&device));
        }
    }
}
