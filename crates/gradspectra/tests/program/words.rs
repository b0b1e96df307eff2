//! Bad input is answered in words of who wrote it: the value, what was expected, the line, and no word of Rust.

use crate::common;

const EXPERIMENT: &str = "title = 'x'
[trainings.short]
epochs = 2
batch = 500
optimiser = 'sgd'
learning-rate = 0.1
weight-decay = 0.0
milestones = []
[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 8, batch-norm = 'none' }
batch-size = 2
iterations = 30
analysis = { kind = 'spectrum', matrix = 'covariance', top = 10 }
[[row]]
id = 'a'
";

/// What a user of TOML has not heard of.
const WORDS_OF_RUST: [&str; 23] = [
    "usize",
    "u64",
    "u32",
    "i64",
    "i128",
    "f64",
    "enum",
    "struct",
    "variant",
    "field",
    "invalid type",
    "invalid digit",
    "sequence",
    "unit value",
    "internally tagged",
    "deserialize",
    "serde",
    "Option",
    "expected nothing",
    "os error",
    "magic",
    "parse error",
    "UTF-8 sequence",
];

/// Lines of the experiment, what stands in their place, and the whole reason.
const CASES: [(&str, &str, &str); 46] = [
    ("batch-size = 2", "batch-size = -5", "line 12: row a: batch-size is -5; expected a whole number from 1"),
    ("batch-size = 2", "batch-size = 2.5", "line 12: row a: batch-size is 2.5; expected a whole number from 1"),
    ("batch-size = 2", "batch-size = 'x'", "line 12: row a: batch-size is \"x\"; expected a whole number from 1"),
    ("batch-size = 2", "batch-size = [2]", "line 12: row a: batch-size is a list; expected a whole number from 1"),
    ("batch-size = 2", "batch-size = true", "line 12: row a: batch-size is true; expected a whole number from 1"),
    ("batch-size = 2", "batchsize = 2", "line 12: row a: batchsize is not a key here; did you mean batch-size?"),
    ("iterations = 30", "iterations = 1e3", "line 13: row a: iterations is 1000.0; expected a whole number from 2"),
    (
        "iterations = 30",
        "iterations = 99999999999999999999",
        "line 13: defaults.iterations is 99999999999999999999; expected a number below 2^63",
    ),
    ("epochs = 2", "epochs = 'two'", "line 3: training short: epochs is \"two\"; expected a whole number from 1"),
    ("learning-rate = 0.1", "learning-rate = 'x'", "line 6: training short: learning-rate is \"x\"; expected a number"),
    (
        "learning-rate = 0.1",
        "learning-rat = 0.1",
        "line 6: training short: learning-rat is not a key here; did you mean learning-rate? There are epochs, batch, optimiser, learning-rate, weight-decay, milestones, augmentation, warm-up, decay, least-learning-rate, gradient-clipping",
    ),
    (
        "weight-decay = 0.0\nmilestones = []\n",
        "",
        "line 2: training short: weight-decay and milestones are missing; give them",
    ),
    (
        "optimiser = 'sgd'",
        "optimiser = 'sdg'",
        "line 5: training short: optimiser is \"sdg\"; did you mean sgd? There are sgd, momentum, adam, adamw",
    ),
    ("optimiser = 'sgd'", "optimiser = 7", "line 5: training short: optimiser is 7; expected a name in quotes"),
    ("milestones = []", "milestones = 0.4", "line 8: training short: milestones is 0.4; expected a list in [ ]"),
    ("milestones = []", "milestones = ['x']", "line 8: training short: milestones is \"x\"; expected a number"),
    ("title = 'x'", "title = 5", "line 1: title is 5; expected text in quotes"),
    (
        "title = 'x'",
        "titel = 'x'",
        "line 1: titel is not a key here; did you mean title? There are title, caption, trainings, defaults, row",
    ),
    ("title = 'x'\n", "", "line 1: title is missing; give it"),
    ("[[row]]", "[row]", "line 15: row is a group of settings; expected a list in [ ]"),
    (
        "[[row]]",
        "[[rows]]",
        "line 15: rows is not a key here; did you mean row? There are title, caption, trainings, defaults, row",
    ),
    ("width = 8", "width = -8", "line 11: row a: model fcn: width is -8; expected a whole number from 1"),
    (
        "width = 8",
        "widht = 8",
        "line 11: row a: model fcn: widht is not a key here; did you mean width? There are width, hidden-layers, batch-norm",
    ),
    (
        "'none'",
        "'non'",
        "line 11: row a: model fcn: batch-norm is \"non\"; did you mean none? There are none, before-linear, after-linear, after-relu",
    ),
    ("'none'", "5", "line 11: row a: model fcn: batch-norm is 5; expected a name in quotes"),
    ("kind = 'fcn', ", "", "line 11: row a: model.kind is missing; give it"),
    (
        "kind = 'spectrum'",
        "kind = 'specturm'",
        "line 14: row a: analysis.kind is \"specturm\"; did you mean spectrum? There are spectrum, entries",
    ),
    ("kind = 'spectrum', ", "", "line 14: row a: analysis.kind is missing; give it"),
    (
        "'covariance'",
        "'covarianc'",
        "line 14: row a: analysis.matrix is \"covarianc\"; did you mean covariance? There are covariance, second-moment",
    ),
    ("matrix = 'covariance', ", "", "line 14: row a: analysis.matrix is missing; give it"),
    (
        "top = 10",
        "tob = 10",
        "line 14: row a: tob is not a key of analysis; did you mean top? There are matrix, values, top",
    ),
    ("top = 10", "top = -1", "line 14: row a: analysis.top is -1; expected a whole number from 2"),
    (
        ", top = 10",
        "",
        "row a: top is 1000, as where none is given; with 30 iterations it must be 2 to 29: give another",
    ),
    ("id = 'a'", "id = 5", "line 16: row 1: id is 5; expected text in quotes"),
    (
        "id = 'a'",
        "id = 'a'\nsampling = 'shuffled'",
        "line 17: row a: sampling is \"shuffled\"; did you mean shuffled-epochs? There are shuffled-epochs, with-replacement",
    ),
    ("id = 'a'", "id = 'a'\nsampling = 5", "line 17: row a: sampling is 5; expected a name in quotes"),
    (
        "id = 'a'",
        "id = 'a'\nlabels = 'shuffled'",
        "line 17: row a: labels is \"shuffled\"; expected settings, as { kind = \"…\" }",
    ),
    (
        "id = 'a'",
        "id = 'a'\nlabels = { kind = 'symmetric-noise', rate = 'x' }",
        "line 17: row a: labels.rate is \"x\"; expected a number",
    ),
    (
        "id = 'a'",
        "id = 'a'\nvectors = { kind = 'along-run', optimiser = 'sgd' }",
        "line 17: row a: vectors.learning-rate is missing; give it",
    ),
    ("id = 'a'", "id = 'a'\nweights = 5", "line 17: row a: weights is 5; expected the path of a file in quotes"),
    (
        "id = 'a'",
        "id = 'a'\ntraining = { epochs = 1, batch = 2, optimiser = 'sgd' }",
        "line 17: row a: training.learning-rate, training.weight-decay and training.milestones are missing; give them",
    ),
    (
        "id = 'a'",
        "id = 'a'\ndata-set = { inputs = 'x.npy', label = 'y.npy' }",
        "line 17: row a: data-set files: label is not a key here; did you mean labels? There are inputs, labels, test-inputs, test-labels, title",
    ),
    ("id = 'a'", "id = 'a'\nid = 'b'", "line 17: id is given twice; give it once"),
    ("id = 'a'", "id = a", "line 16: text must be in quotes, numbers must not"),
    ("id = 'a'", "id == 'a'", "line 16: extra `=`"),
    (
        "data-set = 'avila'\nmodel = { kind = 'fcn', width = 8, batch-norm = 'none' }\n",
        "",
        "line 13: row a: data-set and model are missing; give them",
    ),
];

#[test]
fn bad_toml_is_answered_with_line_value_and_mend_in_words_of_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    for (old, new, told) in CASES {
        assert!(EXPERIMENT.contains(old), "{old}");
        std::fs::write(folder.path().join("x.toml"), EXPERIMENT.replace(old, new)).unwrap();
        let output = common::program(folder.path()).args(["plan", "x.toml"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let rust = WORDS_OF_RUST.iter().find(|word| error.contains(*word));
        if output.status.code() != Some(2) || error != format!("error: x.toml: {told}\n") || rust.is_some() {
            faults.push(format!("{new}:\n  expected {told}\n  got {error}  {rust:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn bad_words_of_the_command_line_and_bad_files_are_answered_likewise() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("x.toml", EXPERIMENT.as_bytes());
    write("bytes.toml", b"title = '\xff'");
    write("cluster.toml", b"partition = 'cpu'\ncpu = 4\n");
    write("cpus.toml", b"cpus = 'four'\n");
    for name in ["v.npy", "v.safetensors", "v.pt", "v.bpk"] {
        write(name, b"epoch,loss\n1,2.5\n2,2.25\n");
    }
    write("empty.npy", b"");
    write("short.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape");
    let mut faults = Vec::new();
    for (line, told) in [
        ("plan x.toml --seed -1", "expected a whole number that is not negative"),
        ("plan x.toml --seed x", "expected a whole number that is not negative"),
        ("plan x.toml --seed 1.5", "expected a whole number that is not negative"),
        ("plan x.toml --seeds -5", "expected a whole number that is not negative"),
        ("plan x.toml --seeds 0", "expected a whole number from 1 to 1000"),
        ("plan x.toml --epochs 0", "expected a whole number from 1 to 4294967295"),
        ("plan x.toml --epochs 99999999999", "expected a whole number from 1 to 4294967295"),
        ("plan x.toml --threads -2", "expected a whole number from 1 to 1024"),
        ("plan x.toml --device -1", "expected a whole number that is not negative"),
        ("plan x.toml --memory -5GB", "unexpected argument '-5' found\n\nUsage"),
        ("plan x.toml --keep-every x", "expected a number of seconds from 0 on"),
        ("fit v.npy --top -3", "expected a whole number that is not negative"),
        ("fit v.npy --top ''", "expected a whole number"),
        ("track x.toml --every 0", "expected a whole number from 1\n"),
        ("list --table -5", "expected a whole number"),
        ("list -5", "unexpected argument '-5' found"),
        ("reproduce --table x", "expected a whole number that is not negative"),
        ("plan nothing.toml", "nothing.toml: cannot read: No such file or directory\n"),
        ("plan bytes.toml", "bytes.toml: "),
        ("submit x.toml --cluster cluster.toml", "cluster.toml: line 2: cpu is not a key here; did you mean cpus?"),
        ("submit x.toml --cluster cpus.toml", "cpus.toml: line 1: cpus is \"four\"; expected a whole number from 1"),
        ("fit v.npy", "v.npy: text, as CSV is; expected "),
        ("fit v.safetensors", "v.safetensors: text, as CSV is; expected "),
        ("analyze v.npy", "v.npy: text, as CSV is; expected "),
        ("analyze v.safetensors", "v.safetensors: text, as CSV is; expected "),
        ("fit empty.npy", "empty.npy: an empty file; expected "),
        ("fit short.npy", "short.npy: "),
        ("fit .", "cannot read"),
    ] {
        let output =
            common::program(folder.path()).args(line.split(' ').map(|word| word.trim_matches('\''))).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let rust = WORDS_OF_RUST.iter().find(|word| error.contains(*word));
        if output.status.code() != Some(2) || !error.contains(told) || rust.is_some() || error.contains("use '-- ") {
            faults.push(format!("{line}: expected {told}\n  got {error}  {rust:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn weights_that_are_none_are_told_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["w.safetensors", "w.pt", "w.bpk", "w"] {
        std::fs::write(folder.path().join(name), "epoch,loss\n1,2.5\n").unwrap();
        std::fs::write(folder.path().join("x.toml"), format!("{EXPERIMENT}weights = '{name}'\n")).unwrap();
        let output = common::program(folder.path()).args(["plan", "x.toml"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("{name}: it is text, as CSV is")), "{error}");
        assert!(WORDS_OF_RUST.iter().all(|word| !error.contains(word)), "{error}");
    }
}
