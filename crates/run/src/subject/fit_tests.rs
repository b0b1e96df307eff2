use std::path::Path;

use gradspectra_experiment::{Analysis, Experiment, Matrix, SpectrumValues};

use super::*;

fn parse(text: &str) -> Result<Experiment> {
    Ok(Experiment::parse("mine", text, Path::new("mine.toml"))?)
}

/// An experiment whose one row has `lines` besides what it needs.
fn row(lines: &str) -> String {
    format!(
        "title = 'mine'\n[trainings.short]\nepochs = 2\nbatch = 8\noptimiser = 'sgd'\nlearning-rate = 0.1\n\
         weight-decay = 0.0\nmilestones = []\n[defaults]\ndata-set = 'mnist'\n\
         batch-size = 3\nmodel = {{ kind = 'fcn', width = 30, hidden-layers = 2 }}\n\
         analysis = {{ kind = 'spectrum', matrix = 'covariance' }}\n[[row]]\nid = 'a'\n{lines}\n"
    )
}

#[test]
fn rows_stand_over_the_defaults() {
    let experiment = parse(&row("model = { width = 5 }\nanalysis = { matrix = 'second-moment' }")).expect("valid");
    let [row] = &experiment.rows[..] else { panic!("one row") };
    assert_eq!(serde_json::to_value(&row.model).expect("settings")["width"], 5);
    assert_eq!(row.model.to_string(), "3Layer-FCN");
    let Analysis::Spectrum { matrix, values, top } = row.analysis else { panic!("{:?}", row.analysis) };
    assert_eq!((matrix, values, top), (Matrix::SecondMoment, SpectrumValues::Eigenvalues, 1000));
    assert_eq!((row.batch_size, row.iterations), (3, 5000));
}

#[test]
fn another_kind_takes_nothing_of_the_defaults() {
    let experiment = parse(&row("model = { kind = 'lenet' }")).expect("valid");
    assert_eq!(experiment.rows[0].model.to_string(), "LeNet");
}

#[test]
fn trainings_are_taken_by_name() {
    let training = |line: &str| parse(&row(line)).map(|experiment| experiment.rows[0].training.clone());
    let trained = training("training = 'short'").expect("valid").expect("trained");
    assert_eq!((trained.epochs, trained.batch), (2, 8));
    assert_eq!(training("training = 'none'").expect("valid"), None);
    let error = training("training = 'long'").expect_err("unknown").to_string();
    assert!(error.contains("row a") && error.contains("\"long\"") && error.contains("short"), "{error}");
}

#[test]
fn unfit_rows_are_refused_by_name_and_value() {
    for (lines, expected) in [
        ("batch-sise = 3", "batch-sise"),
        ("batch-size = 0", "batch-size is 0"),
        ("labels = { kind = 'symmetric-noise', rate = 7.0 }", "label noise is 7"),
        (
            "training = { epochs = 1, batch = 8, optimiser = 'sgd', learning-rate = -1.0, weight-decay = 0.0, milestones = [] }",
            "learning-rate is -1",
        ),
        ("iterations = 1", "iterations is 1"),
        ("iterations = 500", "top is 1000, as where none is given; with 500 iterations it must be 2 to 499"),
        ("analysis = { top = 1 }", "top is 1"),
        ("analysis = { values = 'eigengaps', top = 5000 }", "2 to 4999"),
        ("gradient-clipping = -1.0", "gradient-clipping is -1"),
        ("gradient-clipping = nan", "gradient-clipping is NaN"),
        ("training = 'short'\nweights = 'w.safetensors'", "training and weights are both given"),
        ("vectors = { kind = 'updates', optimiser = 'adam', weight-decay = -1.0 }", "weight-decay is -1"),
        ("vectors = { kind = 'along-run', optimiser = 'sgd', learning-rate = 0.0 }", "learning-rate is 0"),
        ("capture-labels = { kind = 'symmetric-noise', rate = 2.0 }", "label noise is 2"),
        ("model = { kind = 'vgg' }", "vgg"),
        ("data-set = 'imagenet'", "imagenet"),
        ("labels = { kind = 'symmetric-noise' }", "rate"),
        ("labels = { kind = 'none', rate = 0.4 }", "labels of kind \"none\" has no rate"),
        ("labels = { kind = 'shuffled', rate = 0.4 }", "labels of kind \"shuffled\" has no rate"),
        ("capture-labels = { kind = 'none', foo = 1 }", "capture-labels of kind \"none\" has no foo"),
        ("vectors = { kind = 'gradients', optimiser = 'adam' }", "vectors of kind \"gradients\" has no optimiser"),
        ("[[row]]\nid = 'a'", "two rows have this id"),
        ("[[row]]\nid = '../b'", "id is \"../b\""),
        ("[[row]]\nid = ''", "id is \"\""),
    ] {
        let error = parse(&row(lines)).expect_err(expected).to_string();
        assert!(error.starts_with("mine.toml: ") && error.contains(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let unnamed = row("").replace("[defaults]", "[trainings.other]\nepochs = 2\noptimizer = 'sgd'\n[defaults]");
    let error = parse(&unnamed).expect_err("no schedule").to_string();
    assert!(error.contains("training other: ") && error.contains("optimizer"), "{error}");
    let error = parse("title = 'x'\n[[row]\n").expect_err("no TOML").to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(parse("title = 'x'\nrow = []").expect_err("no row").to_string().contains("has no row"));
}

#[test]
fn a_network_and_data_that_do_not_fit_are_refused() {
    for (lines, expected) in [
        ("batch-size = 1", "mixes the examples of a minibatch, as batch-norm does: give at least 2"),
        ("model = { kind = 'resnet18' }", "it takes images of [3, 32, 32], the data set has [1, 28, 28]"),
        ("data-set = 'avila'\nmodel = { kind = 'lenet' }", "it takes images, and the data set has inputs of [10]"),
        (
            "data-set = 'shakespeare'\nmodel = { kind = 'fcn' }",
            "the network takes inputs with a class each, the data set Shakespeare gives sequences of tokens; name",
        ),
        ("model = { kind = 'gpt' }", "it takes sequences of tokens, the data set has inputs of [1, 28, 28]"),
        (
            "training = { epochs = 2, batch = 30000, optimiser = 'adamw', learning-rate = 0.1, weight-decay = 0.0, \
             milestones = [], warm-up = 4 }",
            "the training's warm-up is 4, and it has 4 steps: give fewer",
        ),
    ] {
        let fits = check_fit(&parse(&row(lines)).expect("valid values").rows[0]);
        let error = fits.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    check_fit(&parse(&row("")).expect("valid").rows[0]).expect("they fit");
}

#[test]
fn a_misspelt_kind_is_answered_with_the_nearest() {
    for (lines, expected) in [
        (
            "model = { kind = 'lennet' }",
            "model is \"lennet\"; did you mean lenet? There are fcn, gpt, lenet, lnn, mlp, resnet18, resnet18-group-norm, vit",
        ),
        (
            "data-set = 'minst'",
            "data-set is \"minst\"; did you mean mnist? There are avila, cifar-10, cifar-100, mnist, regression, shakespeare, text, tokens",
        ),
        ("model = 'vgg'", "model is \"vgg\"; expected one of"),
        ("cifar-100-labels = 'coarse'", "MNIST has no coarse labels"),
    ] {
        let error = parse(&row(lines)).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn rows_are_selected_from_any_of_several_experiments() {
    let all = vec![parse(&row("[[row]]\nid = 'b'")).expect("valid"), parse(&row("")).expect("valid")];
    let ids = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let error = Experiment::select(&mut all.clone(), &ids(&["c"])).expect_err("no such row").to_string();
    assert!(error.contains("no row c") && error.contains("its rows are a, b, a"), "{error}");
    let mut both = all.clone();
    Experiment::select(&mut both, &ids(&["a"])).expect("it is there");
    assert_eq!(both.iter().map(|experiment| experiment.rows.len()).collect::<Vec<_>>(), [1, 1]);
    let mut one = all;
    Experiment::select(&mut one, &ids(&["b"])).expect("it is there");
    assert_eq!(one.len(), 1);
}
