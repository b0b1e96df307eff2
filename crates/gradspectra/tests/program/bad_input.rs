//! Bad input: exit status 2, one line that names the file or value and what was expected, nothing changed on disk.

mod files;

use crate::common;

use std::path::Path;

use crate::common::npy;
use files::*;

const MNIST_IMAGES: &str = "datasets/mnist/train-images-idx3-ubyte.gz";
const MNIST_LABELS: &str = "datasets/mnist/train-labels-idx1-ubyte.gz";

/// A row that runs, but for what a case changes.
const ROW: &str = "title = 'x'\n[[row]]\nid = 'a'\ndata-set = 'avila'\nmodel = { kind = 'fcn' }\nbatch-size = 2\n\
                   iterations = 30\nanalysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }\n";

/// The command line, in words; the files that it finds; a part of the one line.
type Case<'a> = (&'a str, Vec<(&'a str, Vec<u8>)>, &'a str);

fn toml(more: &str) -> Vec<u8> {
    format!("{ROW}{more}\n").into_bytes()
}

fn swapped(old: &str, new: &str) -> Vec<u8> {
    assert!(ROW.contains(old));
    ROW.replace(old, new).into_bytes()
}

fn cases() -> Vec<Case<'static>> {
    let images = [0, 0, 8, 3];
    let labels = [0, 0, 8, 1];
    let mnist = |name, bytes| vec![(name, bytes)];
    let good_labels = || idx(labels, &[2], &[1, 2]);
    let good_images = || idx(images, &[2, 28, 28], &[0; 2 * 784]);
    let reproduce = "reproduce --table 5 --rows random-b1 --data-dir datasets";
    let weights = || swapped("iterations", "weights = 'w.safetensors'\niterations");
    let given = |bytes| vec![("x.toml", weights()), ("w.safetensors", bytes)];
    let drawn_through = |model: &str, bytes| {
        let text = ROW.replace("batch-size = 2\niterations = 30", "minibatches = 'y.npy'").replace("'fcn'", model);
        vec![("x.toml", text.into_bytes()), ("y.npy", bytes)]
    };
    let bare = |bytes| vec![("x.toml", bare_weights()), ("w.safetensors", bytes)];
    let drawn = |bytes| drawn_through("'fcn', batch-norm = 'none'", bytes);
    let trained = |bytes| {
        let mut files = drawn(bytes);
        files[0].1.extend(b"training = 'short'\n\
            [trainings.short]\nepochs = 1\nbatch = 500\noptimiser = 'sgd'\nlearning-rate = 0.1\nweight-decay = 0.0\nmilestones = []\n");
        files
    };
    let row = |bytes| vec![("x.toml", bytes)];
    let fc1 = "{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
    vec![
        // the command line
        ("reproduce", vec![], "no table is named"),
        ("reproduce --table 99", vec![], "there is no table-99"),
        ("reproduce --table five", vec![], "invalid value 'five'"),
        ("reproduce --figure 2", vec![], "there is no figure-2"),
        ("reproduce --table 5 --all", vec![], "cannot be used with"),
        ("reproduce --table 5 --rows random-b7", vec![], "has no row random-b7"),
        ("reproduce --table 5 --seeds 0", vec![], "expected a whole number from 1 to 1000"),
        ("reproduce --table 5 --seed -1", vec![], "expected a whole number that is not negative"),
        ("reproduce --table 5 --epochs 0", vec![], "expected a whole number from 1"),
        ("reproduce --table 5 --threads 0", vec![], "expected a whole number from 1 to 1024"),
        ("reproduce --table 5 --backend tpu", vec![], "invalid value 'tpu'"),
        ("reproduce --table 5 --rows random-b1 --device 1", vec![], "--device is 1; flex has device 0 only"),
        ("reproduce --table 5 --format pdf", vec![], "invalid value 'pdf'"),
        ("reproduce --table 5 --memory 3XB", vec![], "the unit is XB"),
        ("reproduce --table 5 --memory lots", vec![], "--memory"),
        ("reproduce --table 5 --memory=-5GB", vec![], "--memory"),
        ("reproduce --table 5 --memory 100MB", vec![], "random-b1 needs about"),
        ("reproduce --table 5 --quik", vec![], "--quik"),
        ("plan", vec![], "no table is named"),
        ("list --table 5,12", vec![], "there is no table-12"),
        ("run", vec![], "FILE"),
        ("run nothing.toml", vec![], "nothing.toml: cannot read"),
        ("completions tcsh", vec![], "tcsh"),
        ("reproduce --table 5 --rows random-b1 --out x.toml", row(toml("")), "x.toml: cannot make the folder"),
        ("reproduce --table 5 --rows random-b1 --out x.toml/in", row(toml("")), "x.toml/in: cannot make the folder"),
        // experiment files
        ("run x.toml", row(b"\xff\xfe\x00".to_vec()), "x.toml: cannot read"),
        ("run x.toml", row(b"title = ".to_vec()), "x.toml: line 1"),
        ("run x.toml", row(b"title = 'x'".to_vec()), "row is missing; give it"),
        ("run x.toml", row(toml("colour = 'red'")), "row a: colour is not a key here"),
        (
            "run x.toml",
            row(swapped("'avila'", "'iris'")),
            "data-set is \"iris\"; expected one of avila, cifar-10, cifar-100, mnist, regression, shakespeare, text, tokens",
        ),
        (
            "run x.toml",
            row(swapped("'fcn'", "'vgg'")),
            "model is \"vgg\"; expected one of fcn, gpt, lenet, lnn, mlp, resnet18, resnet18-group-norm, vit",
        ),
        ("run x.toml", row(swapped("'fcn'", "'lenet'")), "it takes images"),
        ("run x.toml", row(swapped("'fcn'", "'resnet18'")), "it takes images"),
        ("run x.toml", row(swapped("'fcn'", "'fcn', hidden-layers = 7")), "hidden-layers from 0 to 3"),
        ("run x.toml", row(swapped("'fcn'", "'fcn', width = 0")), "a width of 1 to"),
        ("run x.toml", row(swapped("batch-size = 2", "batch-size = 0")), "batch-size is 0"),
        ("run x.toml", row(swapped("batch-size = 2", "batch-size = 20000")), "the batch size is 20000"),
        ("run x.toml", row(swapped("iterations = 30", "iterations = 0")), "iterations is 0"),
        (
            "run x.toml",
            row(swapped("iterations = 30", "iterations = -3")),
            "iterations is -3; expected a whole number from 2",
        ),
        ("run x.toml", row(swapped("top = 10", "top = 30")), "top is 30; with 30 iterations it must be 2 to 29"),
        ("run x.toml", row(swapped("iterations = 30", "iterations = 5000000000")), "it must be 2 to 2^32"),
        ("run x.toml", row(swapped("'fcn'", "'fcn', hidden-layers = 1000000000000")), "hidden-layers from 0 to 3"),
        ("run x.toml", row(swapped("'fcn'", "'fcn', width = 1000000000000")), "a width of 1 to"),
        ("run x.toml", row(swapped("id = 'a'", "id = 'a/b'")), "id is \"a/b\""),
        ("run x.toml", row(swapped("id = 'a'", "id = 'table.txt'")), "the table's own files begin so"),
        (
            "run x.toml",
            row(toml(
                "training = { epochs = 1, batch = 20000, optimiser = 'sgd', learning-rate = 0.1, weight-decay = 0.0, \
                 milestones = [] }",
            )),
            "the training's batch is 20000, and Avila has 10430 examples",
        ),
        ("run x.toml", row(toml("training = 'paper'")), "training is \"paper\""),
        ("run x.toml", row(toml("gradient-clipping = 0.0")), "gradient-clipping is 0"),
        ("run x.toml", row(toml("labels = { kind = 'symmetric-noise', rate = 1.5 }")), "label noise is 1.5"),
        ("run x.toml --rows b", row(toml("")), "has no row b"),
        // weights and minibatches
        ("run x.toml", row(weights()), "w.safetensors: cannot read"),
        ("run x.toml", given(vec![]), "w.safetensors: "),
        ("run x.toml", given(vec![255; 64]), "w.safetensors: "),
        ("run x.toml", given(safetensors(fc1, &[0; 4])), "w.safetensors: "),
        ("run x.toml", given(safetensors(fc1, &[0; 16])), "w.safetensors: "),
        ("run x.toml", given(safetensors("{}", &[])), "has no tensor fc1"),
        ("run x.toml", given(b"epoch,loss\n".to_vec()), "w.safetensors: it is text, as CSV is"),
        ("run x.toml", given(safetensors(fc1, &[0; 20])), "20 bytes behind the header, which tells of 16"),
        ("run x.toml", bare(kinds("I64", 8, 0)), "tensor fc1.bias is of int64"),
        ("run x.toml", bare(kinds("F64", 8, 0x7f)), "beyond float32's range with the value 1.38"),
        ("run x.toml", vec![("x.toml", bare_weights()), ("w.safetensors", enormous())], "is not finite"),
        ("run x.toml", drawn(b"not numpy".to_vec()), "y.npy: "),
        ("run x.toml", drawn(indices(&[&[0; 29][..], &[20_000]].concat())), "y.npy: index 20000; expected 0 to 10429"),
        ("run x.toml", drawn(indices(&[&[0; 29][..], &[-1]].concat())), "y.npy: index -1"),
        ("run x.toml", drawn(indices(&[0, 1])[..136].to_vec()), "y.npy: "),
        ("run x.toml", drawn(npy("<i8", "(99999999999, 99999999999)", &[0; 8])), "bytes for an array"),
        ("run x.toml", drawn(indices(&(0..8).collect::<Vec<_>>())), "top is 10; with 8 iterations"),
        ("run x.toml", trained(indices(&(0..8).collect::<Vec<_>>())), "top is 10; with 8 iterations it must be 2 to 7"),
        (
            "run x.toml",
            trained(indices(&(0..30).map(|t| 400 * t).collect::<Vec<_>>())),
            "y.npy: index 10800; expected 0",
        ),
        ("run x.toml", trained(doubles(&[0.0; 30])), "y.npy: numbers of type float64"),
        (
            "plan x.toml",
            trained(indices(&(0..8).collect::<Vec<_>>())),
            "top is 10; with 8 iterations it must be 2 to 7",
        ),
        (
            "plan x.toml",
            trained(indices(&(0..30).map(|t| 400 * t).collect::<Vec<_>>())),
            "y.npy: index 10800; expected 0",
        ),
        ("plan x.toml", trained(doubles(&[0.0; 30])), "y.npy: numbers of type float64"),
        ("plan x.toml", row(swapped("batch-size = 2", "batch-size = 20000")), "the batch size is 20000"),
        ("run x.toml", drawn_through("'fcn'", indices(&(0..30).collect::<Vec<_>>())), "minibatches of 1 example"),
        // data sets
        ("reproduce --table 5 --rows random-b1 --data-dir nowhere", vec![], "nowhere"),
        (reproduce, mnist(MNIST_IMAGES, good_images()), "train-labels-idx1-ubyte.gz does not exist"),
        (
            reproduce,
            vec![(MNIST_IMAGES, b"plain".to_vec()), (MNIST_LABELS, good_labels())],
            "train-images-idx3-ubyte.gz",
        ),
        (
            reproduce,
            vec![(MNIST_IMAGES, gzip(&[0, 0, 8])), (MNIST_LABELS, good_labels())],
            "train-images-idx3-ubyte.gz",
        ),
        (
            reproduce,
            vec![(MNIST_IMAGES, idx(images, &[u32::MAX, 28, 28], &[0; 784])), (MNIST_LABELS, good_labels())],
            "train-images-idx3-ubyte.gz",
        ),
        (
            reproduce,
            vec![(MNIST_IMAGES, good_images()), (MNIST_LABELS, idx(labels, &[2], &[1, 77]))],
            "train-labels-idx1-ubyte.gz",
        ),
        (
            reproduce,
            vec![(MNIST_IMAGES, good_images()), (MNIST_LABELS, idx(labels, &[1], &[1]))],
            "1 labels, expected 2",
        ),
        (
            "run x.toml --data-dir datasets",
            vec![("x.toml", toml("")), ("datasets/avila/avila-tr.txt", b"1,2".to_vec())],
            "avila-tr.txt",
        ),
        // arrays
        ("fit nothing.npy", vec![], "nothing.npy: cannot read"),
        ("fit v.npy", vec![("v.npy", doubles(&[1.0, f64::NAN, 3.0]))], "value 1 is NaN"),
        ("fit v.npy", vec![("v.npy", doubles(&[]))], "only 0 of 0 values are positive, 2 are to be fitted"),
        (
            "fit v.npy",
            vec![("v.npy", doubles(&[3.0]))],
            "only 1 of 1 value is positive, 2 are to be fitted; a fit needs",
        ),
        (
            "fit v.npy",
            vec![("v.npy", doubles(&[1.0, 0.0, -1.0]))],
            "1 of 3 values are positive, 2 are to be fitted; a fit needs at least 2",
        ),
        ("fit v.npy --top 3", vec![("v.npy", doubles(&[2.0, 1.0, 0.0]))], "2 of 3 values are positive"),
        ("fit v.npy", vec![("v.npy", doubles(&[2.0; 5]))], "all equal 2"),
        ("fit v.npy --top 9", vec![("v.npy", doubles(&[1.0, 2.0]))], "lower K to at most 2"),
        ("fit v.npy", vec![("v.npy", npy("|S3", "(2,)", b"abcdef"))], "numbers of type '|S3'"),
        (
            "fit v.npy",
            vec![("v.npy", npy("<f8", "(3, 2)", &[0; 48]))],
            "shape [3, 2]; expected N values, of shape [N]; `grad",
        ),
        ("fit v.npy", vec![("v.npy", npy("<f8", "()", &[0; 8]))], "an array of shape []; expected N values"),
        (
            "fit v.npy",
            vec![("v.npy", [doubles(&[3.0, 2.0]), doubles(&[1.0])].concat())],
            "152 bytes for an array of shape [2]",
        ),
        ("fit v.npy", vec![("v.npy", npy("|b1", "(2,)", &[0, 1]))], "numbers of type '|b1'"),
        (
            "fit v.npy",
            vec![("v.npy", indices(&[3, 1 << 54]))],
            "the integer 18014398509481984 at place 1, counted from 0; expected at most 2^53 in magnitude, beyond which float64",
        ),
        ("fit v.csv", vec![("v.csv", b"1.5,2\n".to_vec())], "v.csv: text, as CSV is; expected N integers or"),
        ("fit v.npy", vec![("v.npy", gzip(b"1"))], "a gzip file"),
        (
            "analyze v.npy",
            vec![("v.npy", [doubles(&[3.0]), doubles(&[1.0])].concat())],
            "bytes for an array of shape [1]",
        ),
        (
            "analyze v.npy --tensor g",
            vec![("v.npy", npy("<f4", "(4, 2)", &[0; 32]))],
            "--tensor is g; v.npy is an .npy",
        ),
        (
            "analyze v.safetensors",
            vec![("v.safetensors", safetensors(&fc1.replace("fc1.weight", "g"), &[0; 17]))],
            "17 bytes behind the header, which tells of 16",
        ),
        (
            "analyze v.safetensors",
            vec![("v.safetensors", b"<html></html>".to_vec())],
            "v.safetensors: a page in HTML; expected a matrix",
        ),
        ("analyze v.npy", vec![("v.npy", doubles(&[1.0, 2.0]))], "an array of shape [2]"),
        ("analyze v.npy --top 1", vec![("v.npy", npy("<f4", "(3, 2)", &[0; 24]))], "K is 1"),
        ("analyze v.npy --top 3", vec![("v.npy", npy("<f4", "(3, 2)", &[0; 24]))], "3 iterations --top is 2 to 2"),
        ("analyze v.npy", vec![("v.npy", npy("<f4", "(2, 2)", &[0; 16]))], "T is 2"),
        (
            "analyze v.npy",
            vec![("v.npy", npy("<f4", "(2, 3)", &[0; 24]))],
            "2 parameters, as with the other --orientation",
        ),
        (
            "analyze v.npy",
            vec![("v.npy", npy("<f4", "(9, 1)", &[0; 36]))],
            "T is 9 and n is 1; spectra need at least 3 iterations and 2 parameters\n",
        ),
        (
            "analyze v.npy",
            vec![("v.npy", npy("<f4", "(1, 1)", &[0; 4]))],
            "1 parameter and 1 iteration; expected at least 2 and 3",
        ),
        (
            "analyze v.npy --memory 1B",
            vec![("v.npy", npy("<f4", "(3, 2)", &[0; 24]))],
            "the memory is 1 B; 2 parameters",
        ),
        ("analyze v.npy --memory 2MB", vec![("v.npy", npy("<f4", "(3, 2)", &[0; 24]))], "the memory is 2.0 MB; 2"),
        (
            "run x.toml",
            row(swapped("iterations = 30", "iterations = 2")),
            "iterations is 2; a fit to the values of its analysis needs at least 3",
        ),
        (
            "run x.toml",
            {
                let text = ROW.replace("iterations = 30", "iterations = 30\nminibatches = 'y.npy'");
                vec![("x.toml", text.into_bytes()), ("y.npy", indices(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]))]
            },
            "minibatches",
        ),
    ]
}

#[test]
fn every_bad_input_is_refused_in_one_line_and_changes_nothing() {
    let cases = cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut faults = Vec::new();
    for (line, files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        faults.extend(fault(folder.path(), line, expected));
        if ["results/x", "results/table-5", "results/positions"].iter().any(|name| folder.path().join(name).exists()) {
            faults.push(format!("{line}: a refused row left something"));
        }
        for (name, bytes) in &files {
            assert!(std::fs::read(folder.path().join(name)).unwrap() == *bytes, "{line}: {name} was changed");
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with how the program refuses `line`: exit status 2 and one line with `expected` in it are right (a
/// usage error has more lines).
fn fault(folder: &Path, line: &str, expected: &str) -> Option<String> {
    let output = common::program(folder).args(line.split(' ')).arg("--quiet").output().unwrap();
    let output = match String::from_utf8_lossy(&output.stderr).contains("unexpected argument '--quiet'") {
        true => common::program(folder).args(line.split(' ')).output().unwrap(),
        false => output,
    };
    let error = String::from_utf8_lossy(&output.stderr);
    let usage = error.contains("For more information, try '--help'.");
    let lines = error.lines().filter(|line| line.starts_with("error: ")).count();
    let right = output.status.code() == Some(2)
        && error.contains(expected)
        && lines == 1
        && (usage || error.lines().count() == 1)
        && !error.contains("panicked");
    (!right).then(|| format!("{line}: expected {expected}, got {:?} {error}", output.status.code()))
}

#[test]
fn integers_and_halves_are_fitted_and_analysed_and_float64_weights_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    let values: Vec<i64> = (1..50).map(|k| k * k).collect();
    write("i.npy", indices(&values));
    write("f.npy", doubles(&values.iter().map(|&value| value as f64).collect::<Vec<_>>()));
    let fit = |name| common::succeed(folder.path(), &["fit", name, "--format", "json"]).stdout;
    assert_eq!(fit("i.npy"), fit("f.npy"));
    let entries: Vec<i16> = (0..120).map(|index| index * index % 37 - 18).collect();
    write("i16.npy", npy(">i2", "(12, 10)", &entries.iter().flat_map(|entry| entry.to_be_bytes()).collect::<Vec<_>>()));
    let single: Vec<u8> = entries.iter().flat_map(|&entry| f64::from(entry).to_le_bytes()).collect();
    write("f64.npy", npy("<f8", "(12, 10)", &single));
    let analyze =
        |name| common::succeed(folder.path(), &["analyze", name, "--top", "5", "--format", "json", "-q"]).stdout;
    assert_eq!(analyze("i16.npy"), analyze("f64.npy"));
    write("x.toml", bare_weights());
    write("w.safetensors", kinds("F64", 8, 0x3f));
    let run = common::succeed(folder.path(), &["run", "x.toml"]);
    let told = String::from_utf8_lossy(&run.stderr).matches("4 of 4 tensors are float64, rounded to float32").count();
    assert_eq!(told, 1, "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_data_folder_in_the_environment_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = common::program(folder.path());
    let output = program.args(["reproduce", "--table", "5", "--quiet"]).env("GRADSPECTRA_DATA", "nowhere").output();
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("GRADSPECTRA_DATA is nowhere"), "{error}");
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_utf_8_are_named_and_work() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"v\xff.npy");
    let missing = common::program(folder.path()).arg("fit").arg(name).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains(".npy: cannot read"));
    let values: Vec<f64> = (1..50).map(f64::from).collect();
    std::fs::write(folder.path().join(name), doubles(&values)).unwrap();
    assert!(common::program(folder.path()).arg("fit").arg(name).output().unwrap().status.success());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = common::program(folder.path())
        .arg("list")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
