use gradspectra_settings::Decay;

use super::*;

/// A schedule with a cosine.
fn cosine() -> Training {
    Training { milestones: Vec::new(), decay: Some(Decay::Cosine), ..Training::mnist() }
}

#[test]
fn a_warm_up_goes_with_milestones_and_with_a_decay() {
    for training in [
        Training::mnist(),
        Training { warm_up: 7, gradient_clipping: Some(1.0), ..Training::mnist() },
        cosine(),
        Training { warm_up: 7, least_learning_rate: Some(0.0), ..cosine() },
        Training { least_learning_rate: Some(0.1), ..cosine() },
    ] {
        assert_eq!(check_training(&training), Ok(()), "{training:?}");
    }
}

#[test]
fn schedules_that_contradict_themselves_are_refused() {
    let range = |least: &str| format!("least-learning-rate is {least}; it must be 0 to 0.1, the learning-rate");
    let positive = |norm: &str| format!("training.gradient-clipping is {norm}; it must be a positive number");
    let least = |least: f64| Training { least_learning_rate: Some(least), ..cosine() };
    let clipping = |norm: f64| Training { gradient_clipping: Some(norm), ..Training::mnist() };
    for (training, expected) in [
        (
            Training { milestones: vec![0.5], ..cosine() },
            "training has a decay and milestones; leave one of them out, milestones = []".to_owned(),
        ),
        (
            Training { least_learning_rate: Some(0.01), ..Training::mnist() },
            "least-learning-rate is given without decay = \"cosine\"; give both or none".to_owned(),
        ),
        (least(0.2), range("0.2")),
        (least(-0.01), range("-0.01")),
        (least(f64::NAN), range("NaN")),
        (clipping(0.0), positive("0")),
        (clipping(-1.0), positive("-1")),
        (clipping(f64::NAN), positive("NaN")),
        (clipping(f64::INFINITY), positive("inf")),
    ] {
        assert_eq!(check_training(&training), Err(expected));
    }
}
