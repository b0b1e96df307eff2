//! Examples that do not fit each other or the network are refused.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_models::{
    BatchNormPlacement, ExamplesError, Fcn, FcnConfig, LabelledInputs, Training, TrainingError, TrainingState,
    cross_entropy, exact_cross_entropy, mean_loss, mean_score, train,
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

/// The derivative of the cross-entropy of float32 logits at them: p_j, and minus their sum at the example's class, in f64.
fn derivative(logits: &[f32], label: usize) -> Vec<f64> {
    let odds: Vec<f64> = logits.iter().map(|z| (f64::from(*z) - f64::from(logits[label])).exp()).collect();
    let sum: f64 = odds.iter().sum();
    let others: f64 = odds.iter().enumerate().filter(|(class, _)| *class != label).map(|(_, odds)| odds / sum).sum();
    odds.iter().enumerate().map(|(class, odds)| if class == label { -others } else { odds / sum }).collect()
}

#[test]
fn captured_derivatives_keep_their_digits_where_a_class_is_certain() {
    let device = Device::flex().autodiff();
    let labels = [1_usize, 0, 2, 1, 0];
    let logits: [f32; 15] = [0.3, 0.2, -0.1, 1.5, -0.2, 0.1, -3.0, -5.5, 14.0, -20.25, 17.5, 3.0, 45.0, -30.0, 1.0];
    let gradient = |of: fn(Tensor<2>, Tensor<1, Int>) -> Tensor<1>| -> (Vec<f32>, Vec<f32>) {
        let logits = Tensor::<2>::from_data(TensorData::new(logits.to_vec(), [5, 3]), &device).require_grad();
        let labels = Tensor::from_data(TensorData::new(labels.map(|label| label as i32).to_vec(), [5]), &device);
        let losses = of(logits.clone(), labels);
        let gradients = losses.clone().sum().backward();
        let gradient = logits.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        (losses.into_data().try_to_vec().unwrap(), gradient)
    };
    let ((plain_losses, plain), (losses, exact)) = (gradient(cross_entropy), gradient(exact_cross_entropy));
    for (example, &label) in labels.iter().enumerate() {
        let own = example * 3..example * 3 + 3;
        let expected = derivative(&logits[own.clone()], label);
        for (found, expected) in exact[own.clone()].iter().zip(&expected) {
            assert!(
                (f64::from(*found) - expected).abs() <= 1e-6 * expected.abs(),
                "{example}: {found:e}, not {expected:e}"
            );
        }
        let likely = -expected[label] < 0.5;
        assert!((losses[example] - plain_losses[example]).abs() <= 1e-6);
        if !likely {
            assert_eq!((&exact[own.clone()], losses[example]), (&plain[own], plain_losses[example]), "{example}");
        }
    }
    assert!(plain[12] == 0.0 && exact[12] < 0.0, "p − 1 loses the last example's: {exact:?}");
}
