//! Spectra along training.

use crate::common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gradspectra::capture::{CaptureError, ExampleFactors, MinibatchIndices, Trajectory, direct_block};
use gradspectra::models::{
    BatchNormPlacement, Classifier, FcnConfig, Initialisation, LabelledInputs, LeNetConfig, Optimiser, ResNet18Config,
    Training, TrainingEvent, TrainingState, checkpoint_bytes, initialise, train,
};

const EXPERIMENT: &str = "
title = 'small'

[trainings.short]
epochs = 2
batch = 500
optimiser = 'momentum'
learning-rate = 0.1
weight-decay = 5e-4
milestones = []

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 60
batch-size = 3
training = 'short'
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'trained'

[[row]]
id = 'second-moment'
analysis = { matrix = 'second-moment' }

[[row]]
id = 'batch-norm'
model = { batch-norm = 'after-linear' }

[[row]]
id = 'random'
training = 'none'

[[row]]
id = 'entries'
analysis = { kind = 'entries', along = 'iteration', top = 40 }
";

/// 42 steps: two epochs of 10,430 examples in batches of 500.
const STEPS: [usize; 4] = [0, 20, 40, 42];

fn track(folder: &Path, arguments: &[&str]) -> [String; 2] {
    std::fs::write(folder.join("small.toml"), EXPERIMENT).unwrap();
    let output = common::succeed(folder, &[&["track", "small.toml", "--every", "20"], arguments].concat());
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_last_capture_is_the_result_of_the_row_and_the_first_that_of_random_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let [csv, _] = track(folder.path(), &["--format", "csv"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + 3 * STEPS.len(), "three rows train and test a spectrum: {csv}");
    let column = |name| lines[0].iter().position(|column| *column == name).unwrap();
    let of_row = |row: &str| lines.iter().filter(|line| line[1] == row).collect::<Vec<_>>();
    common::succeed(folder.path(), &["run", "small.toml", "--rows", "trained,batch-norm,random"]);
    for (row, point, result) in [("trained", 3, "trained"), ("trained", 0, "random"), ("batch-norm", 3, "batch-norm")] {
        let result = json(&folder.path().join(format!("results/small/{result}/seed-1.json")));
        let point = of_row(row)[point];
        for (name, value) in [
            ("s", &result["finding"]["s"]),
            ("d-ks", &result["finding"]["test"]["d-ks"]),
            ("effective-rank", &result["finding"]["spectrum"]["effective-rank"]),
        ] {
            let expected = value.as_f64().unwrap_or_else(|| panic!("{name} in {result}"));
            let found: f64 = point[column(name)].parse().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-15, "{row} {name}: {found}, {expected}");
        }
    }
    let trained = of_row("trained");
    let steps: Vec<usize> = trained.iter().map(|line| line[column("step")].parse().unwrap()).collect();
    assert_eq!(steps, STEPS);
    let losses: Vec<f64> = trained.iter().map(|line| line[column("loss")].parse().unwrap()).collect();
    assert!(losses[3] < losses[0], "{losses:?}");
    assert_eq!(trained[3][column("epoch")], "2");
}

#[test]
fn the_bytes_are_the_same_with_any_number_of_threads_and_after_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let rows = ["--rows", "trained,second-moment", "--quiet"];
    track(folder.path(), &[&rows[..], &["--threads", "1", "--out", "one"]].concat());
    track(folder.path(), &[&rows[..], &["--threads", "4", "--out", "four"]].concat());
    let [one, four] = ["one", "four"].map(|out| common::contents(&folder.path().join(out)));
    assert_eq!(one.len(), 8, "csv, json, svg and png of two rows");
    let bytes =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
    assert!(bytes(&one) == bytes(&four));
    let path = folder.path().join("four/small/trained/seed-1.track.csv");
    let half = std::fs::read(&path).unwrap();
    std::fs::write(&path, &half[..half.len() / 2]).unwrap();
    track(folder.path(), &[&rows[..], &["--out", "four"]].concat());
    assert!(bytes(&one) == bytes(&common::contents(&folder.path().join("four"))));
    let sparse = ["track", "small.toml", "--every", "40", "--out", "sparse"];
    common::succeed(folder.path(), &[&sparse[..], &rows].concat());
    let [_, told] = track(folder.path(), &["--rows", "trained,second-moment", "--out", "sparse"]);
    assert!(told.contains("step     20"), "{told}");
    assert!(bytes(&one) == bytes(&common::contents(&folder.path().join("sparse"))));
    let [text, told] = track(folder.path(), &["--rows", "trained,second-moment", "--out", "four"]);
    assert_eq!(told.matches("done already").count(), 2, "{told}");
    assert!(text.lines().all(|line| line.chars().count() <= 80) && text.contains("step     42"), "{text}");
}

#[test]
fn rows_that_cannot_be_followed_are_refused_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), EXPERIMENT).unwrap();
    for (row, reason) in [("random", "does not train"), ("entries", "tests entries")] {
        let arguments = ["track", "small.toml", "--every", "20", "--rows", row];
        let output = common::program(folder.path()).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains(&format!("row {row} {reason}")), "{error}");
    }
}

/// The bytes of the weights after a training of nine steps with captures at the first six, where `is_due` says so: what an
/// optimiser remembers shows in the last three. (Burn writes that in no fixed order.)
fn trained<M: Classifier>(model: M, features: usize, is_due: impl Fn(usize) -> bool) -> Vec<u8> {
    const LAST_LOOK: usize = 6;
    const EXAMPLES: usize = 24;
    let device = Device::flex().autodiff();
    let model = initialise(model, Initialisation::Uniform, 11).unwrap();
    let inputs: Vec<f32> =
        (0..EXAMPLES * features).map(|index| ((index * index + 7) % 101) as f32 / 50.0 - 1.0).collect();
    let labels: Vec<u32> = (0..EXAMPLES as u32).map(|index| index * 7 % 10).collect();
    let examples = LabelledInputs::new(&inputs, &labels, features);
    let training =
        Training { epochs: 3, batch: 8, optimiser: Optimiser::Momentum, learning_rate: 0.01, ..Training::mnist() };
    let indices: Vec<u32> = (0..12).collect();
    let look = |model: &M| {
        let minibatches = MinibatchIndices::new(&indices, 4, EXAMPLES).unwrap();
        let run = Trajectory::Run { optimiser: Optimiser::Adam, learning_rate: 0.1, weight_decay: 0.0 };
        for trajectory in [Trajectory::Fixed, run] {
            direct_block(model, examples, minibatches, &device, trajectory, 0..5, |_| ()).unwrap();
        }
        match ExampleFactors::capture(model, examples, &indices, &device, |_| ()) {
            Ok(_) | Err(CaptureError::NotFactored(_)) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let state = TrainingState::new(model, &training);
    if is_due(0) {
        look(state.model());
    }
    let order = |epoch: usize| (0..24).map(|index| (index * 7 + epoch as u32) % 24).collect();
    let trained = train(state, &training, &mut { examples }, &device, order, |state, event| {
        if let TrainingEvent::Step(step) = event
            && step <= LAST_LOOK
            && is_due(step)
        {
            look(state.model());
        }
        ControlFlow::Continue(())
    });
    checkpoint_bytes(&trained.unwrap(), Path::new("unwritten")).unwrap()
}

fn assert_unmoved<M: Classifier>(name: &str, features: usize, build: impl Fn() -> M) {
    let undisturbed = trained(build(), features, |_| false);
    assert!(!undisturbed.is_empty());
    for (steps, is_due) in [
        ("every step", (|_| true) as fn(usize) -> bool),
        ("every second step", |step| step.is_multiple_of(2)),
        ("the steps after a break", |step| step > 3),
    ] {
        let weights = trained(build(), features, is_due);
        assert!(weights == undisturbed, "the weights of {name} with captures at {steps}");
    }
}

#[test]
fn a_training_is_the_same_with_and_without_captures() {
    let device = Device::flex().autodiff();
    assert_unmoved("LeNet", 784, || LeNetConfig::mnist().init(&device));
    for placement in [
        BatchNormPlacement::None,
        BatchNormPlacement::BeforeLinear,
        BatchNormPlacement::AfterLinear,
        BatchNormPlacement::AfterRelu,
    ] {
        let config = FcnConfig::new(12).with_width(9).with_hidden_layers(2).with_batch_norm(placement);
        assert_unmoved(&format!("FCN, {placement:?}"), 12, || config.init(&device));
        let linear = FcnConfig::lnn(12).with_width(9).with_batch_norm(placement);
        assert_unmoved(&format!("LNN, {placement:?}"), 12, || linear.init(&device));
    }
    assert_unmoved("ResNet18", 3 * 32 * 32, || ResNet18Config::new().with_width(4).init(&device));
}

/// Two rows at one trained position, for every place that BatchNorm can have.
fn batch_norm_experiment() -> String {
    let head = EXPERIMENT.split("[[row]]").next().unwrap();
    let networks = ["fcn", "lnn"].into_iter().flat_map(|kind| {
        ["before-linear", "after-linear", "after-relu"].map(|placement| {
            let model = format!("{{ kind = '{kind}', width = 8, hidden-layers = 2, batch-norm = '{placement}' }}");
            format!(
                "[[row]]\nid = '{kind}-{placement}'\nmodel = {model}\n[[row]]\nid = '{kind}-{placement}-second'\n\
                 model = {model}\nanalysis = {{ matrix = 'second-moment' }}\n"
            )
        })
    });
    head.to_owned() + &networks.collect::<String>()
}

fn track_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let is_track = |path: &Path| path.to_string_lossy().ends_with(".track.csv");
    let files = common::contents(folder).into_iter().filter(|(path, _)| is_track(path));
    files.map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
}

#[test]
fn a_track_does_not_depend_on_what_else_is_captured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), batch_norm_experiment()).unwrap();
    let track = |every: &str, out: &str, rows: &[&str]| {
        let arguments = ["track", "small.toml", "--quiet", "--every", every, "--out", out];
        common::succeed(folder.path(), &[&arguments[..], rows].concat());
        track_files(&folder.path().join(out))
    };
    let often = track("7", "often", &[]);
    assert_eq!(often.len(), 12);
    for (path, bytes) in track("21", "seldom", &[]) {
        let is_kept = |line: &&str| matches!(line.split(',').nth(3), Some("step" | "0" | "21" | "42"));
        let (_, all) = often.iter().find(|(other, _)| *other == path).unwrap();
        let expected: Vec<&str> = std::str::from_utf8(all).unwrap().lines().filter(is_kept).collect();
        let found: Vec<&str> = std::str::from_utf8(&bytes).unwrap().lines().collect();
        assert_eq!(found, expected, "{}", path.display());
        assert_eq!(found.len(), 4);
    }
    for (path, bytes) in &often {
        let row = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(track("7", row, &["--rows", row]), [(path.clone(), bytes.clone())], "{row} alone");
    }
    for (number, (path, bytes)) in often.iter().enumerate() {
        let kept = bytes.len() * (number + 1) / (often.len() + 2);
        std::fs::write(folder.path().join("often").join(path), &bytes[..kept]).unwrap();
    }
    assert!(track("7", "often", &[]) == often, "after a break");
    let seldom_before = track("7", "seldom", &[]);
    assert!(seldom_before == often, "with some captures at hand");
}

#[test]
fn the_library_refuses_rows_that_cannot_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = gradspectra::Experiment::parse("small", EXPERIMENT, Path::new("small.toml")).unwrap();
    let store = gradspectra::Store::open(folder.path()).unwrap();
    let options = gradspectra::RunOptions {
        seeds: vec![1],
        backend: gradspectra::Backend::Flex,
        device: None,
        data_dir: Some(common::root().join("datasets")),
        fresh: false,
        replace: false,
        long: false,
        keep_every: std::time::Duration::MAX,
        memory: 1 << 30,
        reporter: gradspectra::Reporter::new(gradspectra::Verbosity::Quiet),
    };
    let refused = gradspectra::track(&experiment, &store, &options, 20).unwrap_err().to_string();
    assert!(refused.contains("row random does not train"), "{refused}");
}

/// A network whose epochs last long enough to be broken off between captures.
const LASTING: &str = "
title = 'lasting'

[trainings.long]
epochs = 12
batch = 100
optimiser = 'momentum'
learning-rate = 0.1
weight-decay = 5e-4
milestones = [0.5]

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 40 }
iterations = 60
batch-size = 3
training = 'long'
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'one'

[[row]]
id = 'two'
analysis = { matrix = 'second-moment' }
";

/// 105 steps an epoch; captures lie between the epochs' ends.
const EVERY: &str = "70";

#[test]
fn a_track_that_was_killed_goes_on_after_the_epoch_that_was_saved_last() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lasting.toml"), LASTING).unwrap();
    let arguments = ["track", "lasting.toml", "--every", EVERY, "--keep-every", "0", "--out"];
    let track = |out: &str| {
        let output = common::succeed(folder.path(), &[&arguments[..], &[out]].concat());
        String::from_utf8(output.stderr).unwrap()
    };
    track("undisturbed");
    let csv = folder.path().join("killed/lasting/one/seed-1.track.csv");
    let lines = |path: &Path| std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
    let mut killed = common::program(folder.path());
    let mut killed = killed.args(arguments).args(["killed", "-q"]).spawn().unwrap();
    while lines(&csv) < 6 && killed.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success(), "it ended before it was killed");
    let before = lines(&csv) - 1;
    let said = track("killed");
    let after = said.split("goes on after epoch ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let after: usize = after.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!(after >= 2, "five captures are behind epoch 2: {said}");
    assert!(!said.contains("epoch   1 of 12") && said.contains("epoch  12 of 12"), "{said}");
    assert!(!said.contains("step      0") && said.contains("captures are at hand"), "{said}");
    assert!(before >= 5, "{before} captures were made before the break");
    let bytes = |out: &str| -> Vec<Vec<u8>> {
        common::contents(&folder.path().join(out)).into_iter().map(|(_, bytes)| bytes).collect()
    };
    assert_eq!(bytes("undisturbed").len(), 8, "csv, json, svg and png of two rows, and nothing of the training");
    assert!(bytes("undisturbed") == bytes("killed"));
    let state = |out: &str| std::fs::read_dir(folder.path().join(out).join("positions")).map_or(0, Iterator::count);
    assert_eq!(state("killed"), 0);
}

#[test]
fn a_track_whose_captures_are_lost_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lasting.toml"), LASTING).unwrap();
    let arguments = ["track", "lasting.toml", "--every", EVERY, "--keep-every", "0", "--rows", "one"];
    let csv = folder.path().join("results/lasting/one/seed-1.track.csv");
    let mut killed = common::program(folder.path()).args(arguments).arg("-q").spawn().unwrap();
    while std::fs::read_to_string(&csv).map_or(0, |text| text.lines().count()) < 4 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    std::fs::remove_file(&csv).unwrap();
    let output = common::succeed(folder.path(), &arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("step      0") && said.contains("epoch   1 of 12"), "{said}");
}
