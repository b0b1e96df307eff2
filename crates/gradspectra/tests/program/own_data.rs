//! Data of one's own in files of arrays, without Rust.

use std::fs;
use std::path::Path;

use crate::common::{contents, npy, program, root, succeed};
use gradspectra::data::read_idx;

/// An experiment of one row on `data`, with `lines` besides what it needs.
fn experiment(folder: &Path, data: &str, lines: &str) {
    let text = format!(
        "title = 'mine'\n[[row]]\nid = 'a'\ndata-set = {data}\nbatch-size = 2\niterations = 40\n{lines}\n\
         analysis = {{ kind = 'spectrum', matrix = 'covariance', top = 20 }}\n"
    );
    fs::write(folder.join("mine.toml"), text).unwrap();
}

const LENET: &str = "model = { kind = 'lenet' }\nnormalisation = 'none'";
const LINEAR: &str = "model = { kind = 'fcn', hidden-layers = 0, batch-norm = 'none' }";

fn eigenvalues(folder: &Path, out: &str) -> Vec<u8> {
    succeed(folder, &["run", "mine.toml", "--out", out, "-q"]);
    fs::read(folder.join(out).join("mine/a/seed-1.eigenvalues.npy")).unwrap()
}

#[test]
fn mnist_in_files_of_ones_own_gives_what_the_built_in_one_gives() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mnist = |name: &str| root().join("datasets/mnist").join(name).canonicalize().unwrap();
    let [images, labels] = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"].map(mnist);
    experiment(folder, "'mnist'", LENET);
    let expected = eigenvalues(folder, "built-in");
    experiment(folder, &format!("{{ inputs = {images:?}, labels = {labels:?} }}"), LENET);
    assert!(eigenvalues(folder, "idx") == expected);

    let ((shape, pixels), (_, classes)) = (read_idx(&images).unwrap(), read_idx(&labels).unwrap());
    let classes: Vec<u8> = classes.into_iter().flat_map(|class| i64::from(class).to_be_bytes()).collect();
    fs::write(folder.join("y.npy"), npy(">i8", "(60000,)", &classes)).unwrap();
    // The first index varies fastest, as NumPy's order F has it.
    let [count, size] = [shape[0], shape[1] * shape[2]];
    let place = |place: usize| {
        let (example, pixel) = (place % count, place / count);
        example * size + pixel % shape[1] * shape[2] + pixel / shape[1]
    };
    let columns: Vec<u8> = (0..pixels.len()).map(|index| pixels[place(index)]).collect();
    let file = npy("|u1", "(60000, 28, 28)", &columns);
    let header = String::from_utf8_lossy(&file[10..128]).replace("'fortran_order': False", "'fortran_order': True ");
    fs::write(folder.join("x.npy"), [&file[..10], header.as_bytes(), &file[128..]].concat()).unwrap();
    experiment(folder, "{ inputs = 'x.npy', labels = 'y.npy' }", LENET);
    assert!(eigenvalues(folder, "npy") == expected);
}

/// Six examples of two features, and their labels of three classes.
fn write_small(folder: &Path) {
    let inputs = [1.0_f64, 10.0, 2.0, 20.0, 3.0, 60.0, 4.0, 20.0, 5.0, 10.0, 9.0, 0.0];
    let inputs: Vec<u8> = inputs.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("x.npy"), npy("<f8", "(6, 2)", &inputs)).unwrap();
    fs::write(folder.join("y.npy"), npy("|u1", "(6,)", &[0, 1, 2, 2, 1, 0])).unwrap();
}

const SMALL: &str = "{ inputs = 'x.npy', labels = 'y.npy' }";

/// The normalised inputs are (x − mean) / deviation by NumPy's `mean(0)` and `std(0)`; written to a file and read without
/// normalisation they give the same.
#[test]
fn features_are_normalised_over_the_training_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    let top = |lines: &str| format!("{LINEAR}\n{lines}");
    experiment(folder, SMALL, &top(""));
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), &text).unwrap();
    let normalised = eigenvalues(folder, "normalised");
    let expected: [f32; 12] = [
        -1.161_895,
        -0.522_232_95,
        -0.774_596_7,
        0.0,
        -0.387_298_35,
        2.088_931_8,
        0.0,
        0.0,
        0.387_298_35,
        -0.522_232_95,
        1.936_491_7,
        -1.044_465_9,
    ];
    let bytes: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("x.npy"), npy("<f4", "(6, 2)", &bytes)).unwrap();
    fs::write(folder.join("mine.toml"), text.replace("batch-size", "normalisation = 'none'\nbatch-size")).unwrap();
    let plain = eigenvalues(folder, "plain");
    let values = |file: Vec<u8>| -> Vec<f64> {
        file[128..].chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    for (found, expected) in values(normalised).iter().zip(values(plain)).take(6) {
        assert!((found - expected).abs() <= 2e-6 * expected, "{found} is not {expected}");
    }
}

/// As wide numbers as the file has: after the mean is taken off, two columns of time stamps and the same from 0 on have
/// the same gradients.
#[test]
fn wide_numbers_keep_their_differences() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    let values = |offset: i64| -> Vec<u8> {
        [1_i64, 10, 2, 20, 3, 60, 4, 20, 5, 10, 9, 0].iter().flat_map(|x| (x + offset).to_le_bytes()).collect()
    };
    experiment(folder, SMALL, LINEAR);
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), text).unwrap();
    fs::write(folder.join("x.npy"), npy("<i8", "(6, 2)", &values(0))).unwrap();
    let small = eigenvalues(folder, "small");
    fs::write(folder.join("x.npy"), npy("<i8", "(6, 2)", &values(1 << 40))).unwrap();
    assert!(eigenvalues(folder, "large") == small);
}

/// With one class the loss is 0 whatever the parameters are.
#[test]
fn gradients_of_zero_are_told_as_such_and_not_as_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    fs::write(folder.join("y.npy"), npy("|u1", "(6,)", &[0; 6])).unwrap();
    experiment(folder, SMALL, LINEAR);
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), text).unwrap();
    succeed(folder, &["run", "mine.toml", "--out", "out", "-q"]);
    let result = fs::read_to_string(folder.join("out/mine/a/seed-1.json")).unwrap();
    assert!(result.contains("all eigenvalues are 0: the gradients are all 0"), "{result}");
}

/// Six times 0.1 sum to what is not six times 0.1: the rounded mean is no spread.
#[test]
fn a_feature_that_does_not_vary_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    experiment(folder, SMALL, LINEAR);
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), text).unwrap();
    let [of_zero, of_a_tenth] = [0.0_f64, 0.1].map(|constant| {
        let inputs = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0].into_iter().flat_map(|x| [x, constant]);
        let bytes: Vec<u8> = inputs.flat_map(f64::to_le_bytes).collect();
        fs::write(folder.join("x.npy"), npy("<f8", "(6, 2)", &bytes)).unwrap();
        eigenvalues(folder, &format!("of-{constant}"))
    });
    assert!(of_zero == of_a_tenth);
}

#[test]
fn a_test_split_is_part_of_what_a_training_is_known_by() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    let tests = |labels: &[u8]| {
        fs::write(folder.join("yt.npy"), npy("|u1", "(6,)", labels)).unwrap();
        let output = succeed(folder, &["run", "mine.toml", "--out", "out", "--replace"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find(|line| line.starts_with("test accuracy")).unwrap().to_owned()
    };
    let training = "training = { epochs = 1, batch = 2, optimiser = 'sgd', learning-rate = 0.01, weight-decay = 0.0, \
                    milestones = [] }";
    let data = "{ inputs = 'x.npy', labels = 'y.npy', test-inputs = 'x.npy', test-labels = 'yt.npy' }";
    experiment(folder, data, &format!("{LINEAR}\n{training}"));
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), text).unwrap();
    let accuracy = |line: String| -> f64 {
        let number = line.trim_start_matches("test accuracy ").split('%').next().unwrap().to_owned();
        number.parse().unwrap()
    };
    let of_class = |class: u8| accuracy(tests(&[class; 6]));
    let shares = [of_class(0), of_class(1), of_class(2)];
    assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.05, "each example is of one class: {shares:?}");
}

#[test]
fn a_result_is_known_by_what_is_in_the_files() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = first.path().join("sub");
    fs::create_dir(&folder).unwrap();
    write_small(&folder);
    experiment(&folder, SMALL, LINEAR);
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), &text).unwrap();
    let run = |from: &Path, file: &str, out: &Path| {
        let output = succeed(from, &["run", file, "--out", out.to_str().unwrap()]);
        String::from_utf8_lossy(&output.stderr).contains("done already")
    };
    let out = first.path().join("out");
    assert!(!run(&folder, "mine.toml", &out));
    assert!(run(first.path(), "sub/mine.toml", &out), "paths are relative to the TOML");
    let elsewhere = second.path();
    for name in ["mine.toml", "x.npy", "y.npy"] {
        fs::copy(folder.join(name), elsewhere.join(name)).unwrap();
    }
    assert!(run(elsewhere, "mine.toml", &out), "the folder is no part of the key");
    fs::write(elsewhere.join("y.npy"), npy("|u1", "(6,)", &[0, 1, 2, 2, 0, 1])).unwrap();
    let out_text = out.to_str().unwrap();
    let refused = program(elsewhere).args(["run", "mine.toml", "--out", out_text]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("mine/a/seed-1 (SHA-256 of data ") && error.contains(" there, "), "other labels: {error}");
    let again = succeed(elsewhere, &["run", "mine.toml", "--out", out_text, "--replace"]);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("done already"), "other labels");
    let result = fs::read_to_string(out.join("mine/a/seed-1.json")).unwrap();
    assert!(result.contains("\"name\": \"x.npy\"") && result.contains("\"sha256\""), "{result}");
}

#[test]
fn files_that_are_no_examples_are_refused_before_anything_is_written() {
    for (name, bytes, data, expected) in [
        ("y.npy", npy("<f4", "(6,)", &[0; 24]), SMALL, ""),
        ("y.npy", npy("|i1", "(6,)", &[0, 1, 255, 0, 1, 0]), SMALL, "y.npy: -1 at place 2; expected integers"),
        ("y.npy", npy("|u1", "(5,)", &[0; 5]), SMALL, "x.npy: 6 inputs for 5 labels; expected one label an input"),
        (
            "x.npy",
            npy("|u1", "(6,)", &[0; 6]),
            SMALL,
            "x.npy: an array of shape [6]; expected numbers of shape [N, features]",
        ),
        ("x.npy", b"no array".to_vec(), SMALL, "x.npy"),
        ("y.npy", npy("<u4", "(6,)", &[0, 0, 1, 0].repeat(6)), SMALL, "y.npy: label 65536 beside 6 examples"),
        ("y.npy", npy("|b1", "(6,)", &[0; 6]), SMALL, "numbers of type '|b1'; expected integers [N] from 0 on"),
        ("x.npy", npy("|u1", "(6, 0)", &[]), SMALL, "an array of shape [6, 0]"),
        ("x.npy", npy("<f4", "(6, 1)", &f32::NAN.to_le_bytes().repeat(6)), SMALL, "NaN in example 0"),
        ("z.npy", vec![], "{ inputs = 'x.npy', lables = 'y.npy' }", "lables"),
        ("z.npy", vec![], "{ inputs = 'nowhere.npy', labels = 'y.npy' }", "nowhere.npy"),
        (
            "z.npy",
            npy("|u1", "(6, 2)", &[0; 12]),
            "{ inputs = 'x.npy', labels = 'y.npy', test-inputs = 'z.npy' }",
            "one of test-inputs and test-labels; give both or none",
        ),
        (
            "z.npy",
            npy("|u1", "(6, 2)", &[0; 12]),
            "{ inputs = 'x.npy', labels = 'y.npy', test-inputs = 'z.npy', test-labels = 'y.npy' }",
            "z.npy: another kind of numbers than for training",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_small(folder);
        fs::write(folder.join(name), bytes).unwrap();
        experiment(folder, data, LINEAR);
        let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
        fs::write(folder.join("mine.toml"), text).unwrap();
        let output = program(folder).args(["run", "mine.toml", "--out", "out"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if expected.is_empty() {
            assert!(output.status.success(), "whole numbers in floats are labels: {errors}");
            continue;
        }
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.lines().last().unwrap_or_default().contains(expected), "{expected}: {errors}");
        let results = folder.join("out/mine");
        assert!(!results.exists() || contents(&results).is_empty(), "{expected}");
    }
}

/// Deviations are formed of inputs times a power of two, so that one on the inputs passes through.
#[test]
fn inputs_of_any_scale_are_normalised_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_small(folder);
    experiment(folder, SMALL, LINEAR);
    let text = fs::read_to_string(folder.join("mine.toml")).unwrap().replace("top = 20", "top = 4");
    fs::write(folder.join("mine.toml"), &text).unwrap();
    let write = |exponent: i32| {
        let inputs = [0.3, 1.7, 2.1, -4.0, 5.5, 9.25, 1.5, 0.75, -2.0, 3.0, 8.0, 0.1];
        let bytes: Vec<u8> = inputs.into_iter().flat_map(|x: f64| (x * 2_f64.powi(exponent)).to_le_bytes()).collect();
        fs::write(folder.join("x.npy"), npy("<f8", "(6, 2)", &bytes)).unwrap();
    };
    let [plain, large, small] = [0, 700, -700].map(|exponent| {
        write(exponent);
        eigenvalues(folder, &format!("times-{exponent}"))
    });
    assert!(plain == large && plain == small);
    fs::write(folder.join("mine.toml"), text.replace("id = 'a'", "id = 'a'\nnormalisation = 'none'")).unwrap();
    let refused = program(folder).args(["run", "mine.toml", "--out", "small"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("x.npy") && error.contains("float32 holds"), "{error}");
}
