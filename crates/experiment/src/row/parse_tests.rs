use super::*;

#[test]
fn the_keys_that_are_told_as_missing_are_those_that_must_be_there() {
    let training =
        "epochs = 1\nbatch = 2\noptimiser = 'sgd'\nlearning-rate = 0.1\nweight-decay = 0.0\nmilestones = []\n";
    let row = "id = 'a'\ndata-set = 'avila'\nmodel = { kind = 'fcn' }\n\
               analysis = { kind = 'spectrum', matrix = 'covariance' }\n";
    let training: toml::Table = toml::from_str(training).expect("TOML");
    let row: toml::Table = toml::from_str(row).expect("TOML");
    assert_eq!((training.len(), row.len()), (KEYS_OF_TRAINING.len(), KEYS_OF_ROW.len()));
    assert!(training.clone().try_into::<Training>().is_ok() && row.clone().try_into::<Row>().is_ok());
    let without = |table: &toml::Table, key: &str| {
        let mut table = table.clone();
        table.remove(key).expect("it is there");
        table
    };
    for key in KEYS_OF_TRAINING {
        assert!(without(&training, key).try_into::<Training>().is_err(), "{key}");
    }
    for key in KEYS_OF_ROW {
        assert!(without(&row, key).try_into::<Row>().is_err(), "{key}");
    }
}

/// Results are known by the SHA-256 of these bytes.
#[test]
fn a_training_has_the_bytes_of_the_keys_that_are_given() {
    let text = "epochs = 2\nbatch = 128\noptimiser = 'momentum'\nlearning-rate = 0.1\nweight-decay = 5e-4\nmilestones = [0.5]\n";
    let bytes = |text: &str| {
        let training: Training = toml::from_str(text).expect("a training");
        serde_json::to_string(&training).expect("text")
    };
    // As before there were a warm-up, a decay and a clipping.
    let before = r#"{"epochs":2,"batch":128,"optimiser":"momentum","learning-rate":0.1,"weight-decay":0.0005,"#
        .to_owned()
        + r#""milestones":[0.5],"augmentation":"none"}"#;
    assert_eq!(bytes(text), before);
    assert_eq!(bytes(&format!("{text}warm-up = 0\n")), before);
    let adamw = text.replace("momentum", "adamw").replace("[0.5]", "[]");
    let more = "warm-up = 3\ndecay = 'cosine'\nleast-learning-rate = 0.01\ngradient-clipping = 1.0\n";
    let expected = r#"{"epochs":2,"batch":128,"optimiser":"adamw","learning-rate":0.1,"weight-decay":0.0005,"#
        .to_owned()
        + r#""milestones":[],"augmentation":"none","warm-up":3,"decay":"cosine","least-learning-rate":0.01,"#
        + r#""gradient-clipping":1.0}"#;
    assert_eq!(bytes(&format!("{adamw}{more}")), expected);
}
