use std::fs;

use burn::tensor::{Device, Int, Tensor};
use gradspectra_data::{DataRoot, LoadOptions, Split};
use gradspectra_experiment::DataSpec;
use gradspectra_models::{Facts, Regression, Sequences};

use super::*;
use crate::subject::source::{Loading, load, source, specimen};

/// A data set as an experiment file in `folder` writes it.
fn data_set(folder: &Path, text: &str) -> Result<DataSpec, String> {
    let table = toml::from_str::<toml::Table>(&format!("it = {text}")).expect("TOML");
    let spec: DataSpec = table["it"].clone().try_into().map_err(|error: toml::de::Error| error.to_string())?;
    Ok(spec.in_folder(folder))
}

fn facts(spec: &DataSpec) -> Result<Facts> {
    source(spec)?.facts(LoadOptions::default())
}

fn clone() -> DataRoot {
    DataRoot::Given(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"))
}

/// The number of examples of a split and the batch of those at `indices`; `None` where there is no such split.
fn batch<B: 'static>(spec: &DataSpec, split: Split, indices: &[u32]) -> Result<Option<(usize, B)>> {
    let (options, root) = (LoadOptions::default(), clone());
    let loading = Loading { options, root: &root, progress: &mut |_, _, _| () };
    let Some(loaded) = load::<B>(spec, split, loading)? else { return Ok(None) };
    let examples = loaded.set.examples();
    Ok(Some((examples.len(), examples.batch(indices, &Device::flex()))))
}

fn integers(tensor: Tensor<2, Int>) -> Vec<i64> {
    tensor.into_data().iter().collect()
}

fn numbers(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

/// An `.npy` of the type `descr`.
fn npy(descr: &str, shape: &str, is_fortran: bool, bytes: &[u8]) -> Vec<u8> {
    let order = if is_fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    [b"\x93NUMPY\x01\x00\x76\x00".as_slice(), format!("{header:<117}\n").as_bytes(), bytes].concat()
}

fn int64(shape: &str, numbers: &[i64]) -> Vec<u8> {
    npy("<i8", shape, false, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

fn float64(shape: &str, numbers: &[f64]) -> Vec<u8> {
    npy("<f8", shape, false, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

fn folder_with(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("writable");
    }
    folder
}

#[test]
fn shakespeare_begins_with_the_first_citizen() {
    let spec = data_set(Path::new(""), "'shakespeare'").expect("a data set");
    assert_eq!(spec, data_set(Path::new("x"), "{ kind = 'shakespeare', length = 64 }").expect("a data set"));
    let facts = facts(&spec).expect("facts");
    assert_eq!(facts, Facts { input_shape: vec![64], targets: 65, examples: 15_685 });
    assert_eq!(spec.to_string(), "Shakespeare");

    let (examples, batch): (_, Sequences) = batch(&spec, Split::Train, &[0]).expect("the clone").expect("training");
    assert_eq!(examples, facts.examples);
    let characters: Vec<char> = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".chars().collect();
    let text = |tokens: Tensor<2, Int>| integers(tokens).iter().map(|&token| characters[token as usize]).collect();
    let [inputs, targets]: [String; 2] = [text(batch.inputs), text(batch.targets)];
    assert_eq!(inputs, "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAl");
    assert_eq!(targets, "irst Citizen:\nBefore we proceed any further, hear me speak.\n\nAll");
    assert_eq!(self::batch::<Sequences>(&spec, Split::Test, &[0]).expect("the clone").expect("a test").0, 1742);

    let specimen = specimen::<Sequences>(&spec, LoadOptions::default()).expect("without files");
    let batch = specimen.batch(&[0, 2, 3], &Device::flex());
    assert_eq!((batch.inputs.dims(), batch.targets.dims()), ([3, 64], [3, 64]));
    assert!(integers(batch.inputs).iter().all(|token| (0..65).contains(token)));
}

#[test]
fn a_text_is_cut_into_windows_of_its_characters() {
    let folder = folder_with(&[("my.txt", "abcé\nab €ab".into()), ("other.txt", "ab€é".into())]);
    let folder = folder.path();
    let text = "{ kind = 'text', file = 'my.txt', length = 3, test-file = 'other.txt' }";
    let spec = data_set(folder, text).expect("a data set");
    assert_eq!(facts(&spec).expect("facts"), Facts { input_shape: vec![3], targets: 7, examples: 3 });
    assert_eq!(spec.to_string(), "my");
    // Python: sorted(set("abcé\nab €ab")) is \n, space, a, b, c, é, €
    let (examples, found): (_, Sequences) = batch(&spec, Split::Train, &[2, 0]).expect("read").expect("training");
    assert_eq!(examples, 3);
    assert_eq!(integers(found.inputs), [3, 1, 6, 2, 3, 4]);
    assert_eq!(integers(found.targets), [1, 6, 2, 3, 4, 5]);
    let (examples, found): (_, Sequences) = batch(&spec, Split::Test, &[0]).expect("read").expect("a test");
    assert_eq!((examples, integers(found.inputs), integers(found.targets)), (1, vec![2, 3, 6], vec![3, 6, 5]));

    let alone = data_set(folder, "{ kind = 'text', file = 'my.txt', length = 3, title = 'Mine' }").expect("a data set");
    assert_eq!(alone.to_string(), "Mine");
    assert!(batch::<Sequences>(&alone, Split::Test, &[]).expect("read").is_none());
    let files = source(&spec).expect("registered").files_at_hand(Split::Train, &clone()).expect("read");
    assert_eq!(files.iter().map(|file| &*file.name).collect::<Vec<_>>(), ["my.txt", "other.txt"]);
    assert_eq!(spec.anywhere(), data_set(Path::new("elsewhere"), text).expect("a data set").anywhere());
}

#[test]
fn tokens_of_a_bin_are_those_that_numpy_wrote() {
    // numpy.array([0, 1, 255, 256, 50256, 65535, 7], dtype=numpy.uint16).tofile("train.bin")
    let bin = vec![0, 0, 1, 0, 255, 0, 0, 1, 80, 196, 255, 255, 7, 0];
    let npy = int64("(7,)", &[0, 1, 255, 256, 50_256, 65_535, 7]);
    let wide = int64("(7,)", &[0, 1, 255, 256, 50_256, 65_535, 70_000]);
    let folder = folder_with(&[("train.bin", bin), ("train.npy", npy), ("wide.npy", wide)]);
    for (file, more, targets, last) in [
        ("train.bin", "", 65_536, 7),
        ("train.npy", "", 65_536, 7),
        ("train.npy", ", vocabulary = 100_000", 100_000, 7),
        ("wide.npy", ", test-file = 'train.bin'", 70_001, 70_000),
    ] {
        let text = format!("{{ kind = 'tokens', file = '{file}', length = 3{more} }}");
        let spec = data_set(folder.path(), &text).expect("a data set");
        assert_eq!(facts(&spec).expect("facts"), Facts { input_shape: vec![3], targets, examples: 2 });
        let (examples, found): (_, Sequences) = batch(&spec, Split::Train, &[0, 1]).expect("read").expect("training");
        assert_eq!(examples, 2);
        assert_eq!(integers(found.inputs), [0, 1, 255, 256, 50_256, 65_535], "{file}");
        assert_eq!(integers(found.targets), [1, 255, 256, 50_256, 65_535, last], "{file}");
        let test = batch::<Sequences>(&spec, Split::Test, &[0]).expect("read");
        assert_eq!(test.map(|(examples, _)| examples), more.contains("test-file").then_some(2));
    }
}

#[test]
fn rows_of_tokens_are_examples() {
    // numpy.asfortranarray([[0, 1, 2], [3, 4, 5]]).astype(">i4"), its bytes in the order F
    let columns = [0, 3, 1, 4, 2, 5].map(i32::to_be_bytes).concat();
    let files = [
        ("x.npy", npy(">i4", "(2, 3)", true, &columns)),
        ("y.npy", int64("(2, 3)", &[-1, 2, 9, -1, -1, 0])),
        ("tx.npy", npy("|u1", "(1, 3)", false, &[9, 8, 7])),
    ];
    let folder = folder_with(&files);
    let text =
        "{ kind = 'tokens', inputs = 'x.npy', targets = 'y.npy', test-inputs = 'tx.npy', test-targets = 'tx.npy' }";
    let spec = data_set(folder.path(), text).expect("a data set");
    assert_eq!(facts(&spec).expect("facts"), Facts { input_shape: vec![3], targets: 10, examples: 2 });
    assert_eq!(spec.to_string(), "x");
    let (examples, found): (_, Sequences) = batch(&spec, Split::Train, &[1, 0]).expect("read").expect("training");
    assert_eq!((examples, found.inputs.dims()), (2, [2, 3]));
    assert_eq!(integers(found.inputs), [3, 4, 5, 0, 1, 2]);
    assert_eq!(integers(found.targets), [-1, -1, 0, -1, 2, 9]);
    let (_, found): (_, Sequences) = batch(&spec, Split::Test, &[0]).expect("read").expect("a test");
    assert_eq!(integers(found.inputs), [9, 8, 7]);
}

#[test]
fn numbers_to_predict_are_taken_as_they_are() {
    let files = [
        ("x.npy", npy("|u1", "(3, 2, 2)", false, &(0..12).collect::<Vec<_>>())),
        ("y.npy", float64("(3,)", &[0.5, -1e-3, 1e38])),
        ("line.npy", int64("(3,)", &[7, -8, 9])),
        ("two.npy", npy("<f4", "(3, 2)", true, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(f32::to_le_bytes).concat())),
    ];
    let folder = folder_with(&files);
    let spec = data_set(folder.path(), "{ kind = 'regression', inputs = 'x.npy', targets = 'y.npy' }").expect("it is");
    assert_eq!(facts(&spec).expect("facts"), Facts { input_shape: vec![2, 2], targets: 1, examples: 3 });
    let (examples, found): (_, Regression) = batch(&spec, Split::Train, &[2, 0]).expect("read").expect("training");
    assert_eq!((examples, found.inputs.dims(), found.targets.dims()), (3, [2, 4], [2, 1]));
    assert_eq!(numbers(found.inputs), [8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(numbers(found.targets), [f64::from(1e38_f32), 0.5]);
    assert!(batch::<Regression>(&spec, Split::Test, &[]).expect("read").is_none());

    let text = "{ kind = 'regression', inputs = 'line.npy', targets = 'two.npy', test-inputs = 'line.npy', \
                test-targets = 'two.npy', title = 'Line' }";
    let spec = data_set(folder.path(), text).expect("a data set");
    assert_eq!(facts(&spec).expect("facts"), Facts { input_shape: vec![1], targets: 2, examples: 3 });
    for split in [Split::Train, Split::Test] {
        let (_, found): (_, Regression) = batch(&spec, split, &[0, 1, 2]).expect("read").expect("both");
        assert_eq!(numbers(found.inputs), [7.0, -8.0, 9.0]);
        assert_eq!(numbers(found.targets), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
    let specimen =
        specimen::<Regression>(&spec, LoadOptions::default()).expect("made up").batch(&[0, 3], &Device::flex());
    assert_eq!((specimen.inputs.dims(), specimen.targets.dims()), ([2, 1], [2, 2]));
    assert!(numbers(specimen.inputs).iter().all(|number| (-1.0..1.0).contains(number)));
}

/// What is wrong with files or settings, in the words for it.
#[test]
fn what_is_no_data_is_refused_in_words() {
    const TEXT: &str = "{ kind = 'text', file = 'a', length = 4 }";
    const BIN: &str = "{ kind = 'tokens', file = 'a.bin', length = 4 }";
    const FILE: &str = "{ kind = 'tokens', file = 'a', length = 4 }";
    const ROWS: &str = "{ kind = 'tokens', inputs = 'a', targets = 'b' }";
    const NUMBERS: &str = "{ kind = 'regression', inputs = 'a', targets = 'b' }";
    let sequence = || int64("(6,)", &[0, 1, 2, 3, 4, 5]);
    let rows = |more: i64| int64("(2, 2)", &[0, 1, 2, more]);
    let bad_tests = "{ kind = 'tokens', file = 'a', length = 4, test-file = 'b' }";
    type Files<'a> = &'a [(&'a str, Vec<u8>)];
    let cases: &[(Files, &str, &str)] = &[
        // texts
        (&[("a", b"abcd".to_vec())], TEXT, "a: 4 characters; expected more than 4, the length"),
        (&[("a", b"".to_vec())], TEXT, "a: 0 characters; expected more than 4"),
        (
            &[("a", b"abc\xff\xfe".to_vec())],
            TEXT,
            "a: the byte 0xff at place 3, counted from 0; expected text in UTF-8",
        ),
        (&[("a", b"abcdef".to_vec())], "{ kind = 'text', file = 'a', length = 0 }", "its length is 0; give 1 or more"),
        (
            &[("a", b"abcdef".to_vec()), ("b", b"abcde\nafg".to_vec())],
            "{ kind = 'text', file = 'a', length = 4, test-file = 'b' }",
            "b: the character '\\n' in line 1, column 6; expected characters that ",
        ),
        (
            &[("a", b"abcdef".to_vec()), ("b", b"abc".to_vec())],
            "{ kind = 'text', file = 'a', length = 4, test-file = 'b' }",
            "b: 3 characters; expected more than 4",
        ),
        (&[], TEXT, "a: cannot read: "),
        (&[], "{ kind = 'text', length = 4 }", "file"),
        (&[], "{ kind = 'text', file = 'a', lenght = 4 }", "lenght"),
        // one sequence
        (
            &[("a.bin", vec![0; 11])],
            BIN,
            "a.bin: 11 bytes, no multiple of the 2 of a uint16; expected integers of shape [N]",
        ),
        (&[("a.bin", vec![0; 8])], BIN, "a.bin: 4 tokens; expected more than 4, the length"),
        (&[("a.bin", vec![])], BIN, "a.bin: 0 tokens; expected more than 4, the length"),
        (
            &[("a.bin", [9_u8, 0].repeat(9))],
            "{ kind = 'tokens', file = 'a.bin', length = 4, vocabulary = 9 }",
            "a.bin: the token 9 at place 0, counted from 0; expected tokens from 0 to below 9, the vocabulary",
        ),
        (&[("a.bin", b"version https://git-lfs.github.com/spec/v1\n".to_vec())], BIN, "a.bin: a pointer of Git LFS"),
        (&[("a", vec![0; 20])], FILE, "a: bytes of no format that is known here; expected integers of shape [N]"),
        (&[("a", float64("(6,)", &[0.0; 6]))], FILE, "a: numbers of type float64; expected integers of shape [N]"),
        (&[("a", rows(0))], FILE, "a: an array of shape [2, 2]; expected integers of shape [N]"),
        (
            &[("a", int64("(5,)", &[0, 1, -1, 0, 0]))],
            FILE,
            "a: the token -1 at place 2, counted from 0; expected tokens from 0",
        ),
        (
            &[("a", int64("(5,)", &[0, 1 << 24, 0, 0, 0]))],
            FILE,
            "a: the token 16777216 at place 1, counted from 0; expected tokens from 0 to below 2^24",
        ),
        (
            &[("a", int64("(5,)", &[0, 1 << 60, 0, 0, 0]))],
            FILE,
            "at place 1, counted from 0; expected tokens from 0 to below 2^24",
        ),
        (
            &[("a", sequence()), ("b", int64("(6,)", &[0, 1, 7, 0, 6, 0]))],
            bad_tests,
            "b: the token 7 at place 2, counted from 0; expected tokens to 5, as for training; else give vocabulary",
        ),
        (&[("a", sequence()), ("b", int64("(3,)", &[0; 3]))], bad_tests, "b: 3 tokens; expected more than 4"),
        (&[("a", sequence())], "{ kind = 'tokens', file = 'a', length = 0 }", "its length is 0"),
        (
            &[("a", sequence())],
            "{ kind = 'tokens', file = 'a' }",
            "it has file alone; give file and length, or inputs and targets",
        ),
        (&[], "{ kind = 'tokens' }", "it names no file; give file and length, or inputs and targets"),
        (&[], "{ kind = 'tokens', length = 4 }", "it has length alone; give file and length"),
        (
            &[("a", sequence())],
            "{ kind = 'tokens', file = 'a', length = 4, vocabulary = 0 }",
            "its vocabulary is 0; give 1 to 2^24, or leave it out",
        ),
        // rows
        (
            &[],
            "{ kind = 'tokens', file = 'a', length = 4, targets = 'b' }",
            "it has file and targets; give file and length",
        ),
        (
            &[],
            "{ kind = 'tokens', inputs = 'a', targets = 'b', length = 4 }",
            "it has length and inputs; give file and length",
        ),
        (&[], "{ kind = 'tokens', inputs = 'a' }", "it has inputs alone; give file and length, or inputs and targets"),
        (
            &[("a", rows(0)), ("b", rows(0))],
            "{ kind = 'tokens', inputs = 'a', targets = 'b', test-inputs = 'a' }",
            "it has one of test-inputs and test-targets; give both or none",
        ),
        (
            &[("a", rows(0)), ("b", int64("(3, 2)", &[0; 6]))],
            ROWS,
            "b: an array of shape [3, 2]; expected [2, 2], that of ",
        ),
        (
            &[("a", int64("(0, 2)", &[])), ("b", rows(0))],
            ROWS,
            "a: an array of shape [0, 2]; expected one example or more",
        ),
        (
            &[("a", sequence()), ("b", rows(0))],
            ROWS,
            "a: an array of shape [6]; expected integers of shape [N, length]",
        ),
        (
            &[("a", rows(-1)), ("b", rows(0))],
            ROWS,
            "a: the token -1 in example 1, place 1, counted from 0; expected tokens from 0",
        ),
        (
            &[("a", rows(0)), ("b", rows(-2))],
            ROWS,
            "b: the token -2 in example 1, place 1, counted from 0; expected tokens from 0 to below 2^24, or -1",
        ),
        (
            &[("a", rows(0)), ("b", rows(5))],
            "{ kind = 'tokens', inputs = 'a', targets = 'b', vocabulary = 5 }",
            "b: the token 5 in example 1, place 1, counted from 0; expected tokens from 0 to below 5, the vocabulary, or -1",
        ),
        (
            &[("a", rows(0)), ("b", rows(0)), ("c", int64("(2, 3)", &[0; 6]))],
            "{ kind = 'tokens', inputs = 'a', targets = 'b', test-inputs = 'c', test-targets = 'c' }",
            "c: examples of 3 tokens; expected 2 in each, as for training",
        ),
        // numbers
        (
            &[("a", float64("(3, 1)", &[0.0, f64::NAN, 1.0])), ("b", int64("(3,)", &[0; 3]))],
            NUMBERS,
            "a: NaN in example 1; expected finite numbers",
        ),
        (
            &[("a", int64("(3,)", &[0; 3])), ("b", float64("(3,)", &[0.0, 1.0, 1e39]))],
            NUMBERS,
            "b: 1e39 in example 2; expected 0 or magnitudes from 1e-45 to 3.4e38",
        ),
        (
            &[("a", float64("(1, 2)", &[0.0, 1e-60])), ("b", int64("(1,)", &[0]))],
            NUMBERS,
            "a: 1e-60 in example 0; expected 0 or magnitudes from 1e-45",
        ),
        (
            &[("a", int64("(3,)", &[0; 3])), ("b", int64("(2,)", &[0; 2]))],
            NUMBERS,
            "b: 2 targets for 3 inputs; expected one target an input of ",
        ),
        (
            &[("a", int64("(2, 0)", &[])), ("b", int64("(2,)", &[0; 2]))],
            NUMBERS,
            "a: an array of shape [2, 0]; expected numbers of shape [N] or [N, …]",
        ),
        (
            &[("a", int64("(2,)", &[0; 2])), ("b", int64("(2, 1, 1)", &[0; 2]))],
            NUMBERS,
            "b: an array of shape [2, 1, 1]; expected numbers of shape [N] or [N, outputs]",
        ),
        (
            &[("a", int64("(2,)", &[0; 2])), ("b", int64("(2, 2)", &[0; 4]))],
            "{ kind = 'regression', inputs = 'a', targets = 'a', test-inputs = 'a', test-targets = 'b' }",
            "b: 2 outputs; expected 1 output, as for training",
        ),
        (
            &[("a", int64("(2,)", &[0; 2])), ("b", int64("(2, 2)", &[0; 4]))],
            "{ kind = 'regression', inputs = 'a', targets = 'a', test-inputs = 'b', test-targets = 'a' }",
            "b: inputs of [2]; expected [1], as for training",
        ),
    ];
    for (files, text, expected) in cases {
        let folder = folder_with(files);
        let refused = data_set(folder.path(), text).and_then(|spec| {
            let is_regression = text.contains("regression");
            let words = |error: Error| error.to_string();
            facts(&spec).map_err(words)?;
            for split in [Split::Train, Split::Test] {
                match is_regression {
                    true => _ = batch::<Regression>(&spec, split, &[0]).map_err(words)?,
                    false => _ = batch::<Sequences>(&spec, split, &[0]).map_err(words)?,
                }
            }
            Ok(())
        });
        let error = refused.expect_err(expected);
        assert!(error.contains(expected), "{text}: {error}\nexpected {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_whole_file_is_read_once_until_it_changes() {
    let folder = folder_with(&[("a", vec![1])]);
    let (path, learnt) = (folder.path().join("a"), Learnt::new());
    let length = || fs::read(&path).map(|bytes| bytes.len()).map_err(|source| Error::io(&path, "read", source));
    let reads = std::cell::Cell::new(0);
    let learn = || {
        learnt.of(&path, || {
            reads.set(reads.get() + 1);
            length()
        })
    };
    assert_eq!([learn().expect("there"), learn().expect("there"), reads.get()], [1, 1, 1]);
    fs::write(&path, [1, 2]).expect("writable");
    assert_eq!([learn().expect("there"), learn().expect("there"), reads.get()], [2, 2, 2]);
    fs::remove_file(&path).expect("there");
    assert!(learn().is_err());
}
