//! Examples that do not fit each other or the network are refused.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Device;
use gradspectra_models::{
    BatchNormPlacement, ExamplesError, Fcn, FcnConfig, LabelledInputs, Training, TrainingError, TrainingState,
    mean_loss, mean_score, train,
};

fn network() -> Fcn {
    let config = FcnConfig::new(2).with_classes(3).with_width(4).with_batch_norm(BatchNormPlacement::None);
    config.init(&Device::flex().autodiff())
}

const INPUTS: [f32; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

#[test]
fn a_label_beyond_the_classes_is_refused_with_its_example() {
    let device = Device::flex().autodiff();
    let expected = ExamplesError::Label { example: 2, label: 3, classes: 3 };
    for label in [3, u32::MAX] {
        let labels = [0, 2, label, 1];
        let expected = ExamplesError::Label { example: 2, label, classes: 3 };
        let mut examples = LabelledInputs::new(&INPUTS, &labels, 2);
        assert_eq!(mean_loss(&network().valid(), examples, &Device::flex()), Err(expected.clone()));
        assert_eq!(mean_score(&network().valid(), examples, &Device::flex()), Err(expected.clone()));
        let training = Training { epochs: 1, batch: 2, ..Training::mnist() };
        let state = TrainingState::new(network(), &training);
        let order = |_| vec![0, 1, 2, 3];
        let trained = train(state, &training, &mut examples, &device, order, |_, _| ControlFlow::Continue(()));
        assert_eq!(trained.err(), Some(TrainingError::Examples(expected)));
    }
    let text = expected.to_string();
    assert_eq!(
        text,
        "example 2 has label 3, and the model has 3 classes; give labels below 3, or a model with more classes"
    );
}

#[test]
fn lengths_that_do_not_fit_and_no_examples_are_refused() {
    for (labels, features) in [(&[0, 1, 2][..], 2), (&[0; 4], 3), (&[0; 3], usize::MAX)] {
        let expected = ExamplesError::Lengths { inputs: 8, labels: labels.len(), features };
        assert_eq!(LabelledInputs::try_new(&INPUTS, labels, features).err(), Some(expected));
    }
    assert!(LabelledInputs::try_new(&INPUTS, &[0; 4], 2).is_ok());
    let none = LabelledInputs::new(&[], &[], 2);
    assert_eq!(mean_loss(&network().valid(), none, &Device::flex()), Err(ExamplesError::Empty));
}
