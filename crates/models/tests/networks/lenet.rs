//! LeNet's size, initialisation, checkpoints and traced pass.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};
use gradspectra_models::{
    CheckpointError, Classifier, Factors, Initialisation, LeNet, LeNetConfig, Trace, cross_entropy, initialise,
    load_checkpoint, save_checkpoint,
};

fn lenet(seed: u64, device: &Device) -> LeNet {
    initialise(LeNetConfig::mnist().init(device), Initialisation::Uniform, seed).unwrap()
}

fn logits(model: &LeNet, device: &Device) -> Vec<f32> {
    let ramp = Tensor::<1, Int>::arange(0..2 * 784, device).float() / 1568.0;
    model.logits(ramp.reshape([2, 784]), &mut Trace::off()).into_data().try_to_vec().unwrap()
}

#[test]
fn parameters_are_as_many_as_the_papers() {
    let device = Device::flex();
    assert_eq!(LeNetConfig::mnist().init(&device).num_params(), 44_426);
    assert_eq!(LeNetConfig::mnist().with_padded(true).init(&device).num_params(), 61_706);
    assert_eq!(LeNetConfig::cifar(10).init(&device).num_params(), 62_006);
}

#[test]
fn a_seed_fixes_the_initial_position() {
    let device = Device::flex();
    assert_eq!(logits(&lenet(3, &device), &device), logits(&lenet(3, &device), &device));
    assert_ne!(logits(&lenet(3, &device), &device), logits(&lenet(4, &device), &device));
}

#[test]
fn a_checkpoint_restores_the_model_and_has_pytorchs_layout() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lenet.safetensors");
    save_checkpoint(&lenet(5, &device), &path).unwrap();
    let restored = load_checkpoint(LeNetConfig::mnist().init(&device), &path).unwrap();
    assert_eq!(logits(&restored, &device), logits(&lenet(5, &device), &device));

    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("conv1.weight").unwrap().shape(), [6, 1, 5, 5]);
    assert_eq!(tensors.tensor("fc1.weight").unwrap().shape(), [120, 256]);
    assert_eq!(tensors.tensor("fc3.bias").unwrap().shape(), [10]);
    assert_eq!(tensors.len(), 10);
}

#[test]
fn an_unfit_checkpoint_is_refused_by_name() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let load = || load_checkpoint(LeNetConfig::mnist().init(&device), &path).unwrap_err();

    assert!(matches!(load(), CheckpointError::Unreadable { .. }));

    save_checkpoint(&lenet(1, &device), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(load(), CheckpointError::Unreadable { .. }));

    std::fs::write(&path, [255; 64]).unwrap();
    assert!(matches!(load(), CheckpointError::Unreadable { .. }));

    save_checkpoint(&LeNetConfig::cifar(10).init(&device), &path).unwrap();
    let error = load();
    assert!(matches!(error, CheckpointError::Unfit { .. }), "{error:?}");
    assert!(error.to_string().contains("weights.safetensors"), "{error}");

    let mut nan = whole;
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, nan).unwrap();
    assert!(matches!(load(), CheckpointError::NotFinite { .. }));
}

#[test]
fn factors_give_the_gradients_of_every_example() {
    let device = Device::flex().autodiff();
    let model = lenet(11, &device);
    let inputs = Tensor::<2>::random([3, 784], Distribution::Normal(0.0, 1.0), &device);
    let labels = Tensor::<1, Int>::from_ints([7, 0, 2], &device);

    let mut trace = Trace::recording();
    let traced = model.clone().no_grad().logits(inputs.clone(), &mut trace);
    let layers = trace.resolve(cross_entropy(traced, labels.clone()).sum().backward()).unwrap();
    assert_eq!(
        layers.iter().map(|layer| layer.path.as_str()).collect::<Vec<_>>(),
        ["conv1", "conv2", "fc1", "fc2", "fc3"]
    );
    assert_eq!(layers.iter().map(|layer| layer.factors.parameters()).sum::<usize>(), model.num_params());

    let device = device.inner();
    for example in 0..3 {
        let row = inputs.clone().narrow(0, example, 1);
        let label = labels.clone().narrow(0, example, 1);
        let direct = direct_gradient(&model, row, label);
        let factored: Vec<f32> = layers.iter().flat_map(|layer| example_gradient(&layer.factors, example)).collect();
        let scale = direct.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let error = direct.iter().zip(&factored).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(direct.len(), factored.len());
        assert!(error <= 1e-5 * scale, "example {example}: {error} of {scale} on {device:?}");
    }
}

fn example_gradient(factors: &Factors, example: usize) -> Vec<f32> {
    factors.clone().explicit().narrow(0, example, 1).into_data().try_to_vec().unwrap()
}

fn direct_gradient(model: &LeNet, inputs: Tensor<2>, labels: Tensor<1, Int>) -> Vec<f32> {
    struct Flatten<'a> {
        gradients: &'a burn::tensor::Gradients,
        flat: Vec<f32>,
    }
    impl burn::module::ModuleVisitor for Flatten<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            let gradient = param.val().grad(self.gradients).unwrap();
            self.flat.extend(gradient.into_data().try_to_vec::<f32>().unwrap());
        }
    }
    let loss = cross_entropy(model.logits(inputs, &mut Trace::off()), labels).sum();
    let mut flatten = Flatten { gradients: &loss.backward(), flat: Vec::new() };
    model.visit(&mut flatten);
    flatten.flat
}
