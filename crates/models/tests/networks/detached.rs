//! A detached copy shares nothing that a forward pass changes.

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use gradspectra_models::{BatchNormPlacement, Classifier, Fcn, FcnConfig, Trace, checkpoint_bytes, detached};

fn network(device: &Device) -> Fcn {
    FcnConfig::new(3).with_width(4).with_batch_norm(BatchNormPlacement::AfterRelu).init(device)
}

fn bytes(model: &Fcn) -> Vec<u8> {
    checkpoint_bytes(model, Path::new("model.safetensors")).unwrap()
}

fn pass(model: &Fcn, device: &Device) {
    let inputs = Tensor::from_data([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], device);
    let loss = model.logits(inputs, &mut Trace::off()).sum();
    assert!(GradientsParams::from_grads(loss.backward(), model).len() > 4, "its parameters have gradients");
}

#[test]
fn passes_of_the_copy_leave_the_model_as_it_is() {
    for device in [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()] {
        let model = network(&device);
        pass(&model, &device);
        let before = bytes(&model);
        let copy = detached(&model);
        assert!(bytes(&copy) == before, "the copy begins as the model is");
        pass(&copy, &device);
        assert!(bytes(&copy) != before, "a pass in training moves the running statistics");
        assert!(bytes(&model) == before);
        pass(&model.clone(), &device);
        assert!(bytes(&model) != before, "clones share them");
    }
}
