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
