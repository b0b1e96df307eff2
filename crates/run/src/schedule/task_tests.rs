use std::path::{Path, PathBuf};

use gradspectra_experiment::RowResult;
use gradspectra_files::read_json;

use super::*;

/// A task of Table 5's kind whose row has `lines` besides what it needs.
fn task(lines: &str) -> Task {
    let text = format!(
        "id = 'a'\ndata-set = 'mnist'\nmodel = {{ kind = 'lenet' }}\n\
         analysis = {{ kind = 'spectrum', matrix = 'covariance' }}\n{lines}"
    );
    let row: Row = toml::from_str(&text).expect("a row");
    Task::new("mine", &row, 7, Backend::Flex, Vec::new()).expect("it names no file")
}

/// Every result below `folder`.
fn results(folder: &Path) -> Vec<RowResult> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| results(folder));
    below.chain(files.iter().filter_map(|file| read_json(file))).collect()
}

#[test]
fn results_of_this_version_are_known_by_their_keys() {
    let results = results(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/results"));
    assert!(results.len() > 200, "{} results", results.len());
    let of_this_version = |result: &&RowResult| result.program == gradspectra_experiment::program();
    for result in results.iter().filter(of_this_version).filter(|result| result.row.weights.is_none()) {
        let unofficial = result.data_files.iter().filter(|file| !file.listed || file.variant.is_some());
        let unofficial = unofficial.map(|file| file.sha256.clone()).collect();
        let task = Task::new(&result.experiment, &result.row, result.seed, result.backend, unofficial);
        assert_eq!(task.expect("it names no file").key, result.task, "{} {}", result.experiment, result.row.id);
    }
}

#[test]
fn a_position_is_known_by_the_names_of_experiment_files() {
    let lines = "initialisation = 'kaiming-convolutions'\nseed-offset = 5\nlabels = { kind = 'symmetric-noise', rate = 0.4 }\n\
                 training = { epochs = 2, batch = 128, optimiser = 'momentum', learning-rate = 0.1, weight-decay = 5e-4, \
                 milestones = [0.5], augmentation = 'crop-and-flip' }";
    let program = gradspectra_experiment::program();
    let expected = format!(
        r#"{{"program":"{program}","backend":"flex","data_set":"mnist","normalisation":"per-channel","#
    ) + r#""cifar_100_labels":"fine","labels":{"kind":"symmetric-noise","rate":0.4},"model":{"kind":"lenet","padded":false},"#
        + r#""initialisation":"kaiming-convolutions","training":{"epochs":2,"batch":128,"optimiser":"momentum","#
        + r#""learning-rate":0.1,"weight-decay":0.0005,"milestones":[0.5],"augmentation":"crop-and-flip"},"#
        + r#""weights_sha256":null,"seed":12}"#;
    assert_eq!(task(lines).position.key(), files::sha256(expected.as_bytes()));
}

#[test]
fn vectors_and_terms_are_known_by_the_names_of_experiment_files() {
    let plain = task("");
    assert_eq!(plain.vectors_key(), r#"[1,5000,"shuffled-epochs",null,{"kind":"gradients"}]"#);
    let other = task(
        "batch-size = 3\niterations = 60\nsampling = 'with-replacement'\ncapture-labels = { kind = 'shuffled' }\n\
         capture-inputs = 'gaussian-noise'\nvectors = { kind = 'updates', optimiser = 'adam', weight-decay = 0.01 }",
    );
    let vectors = r#"[3,60,"with-replacement",null,{"kind":"updates","optimiser":"adam","weight-decay":0.01}]"#;
    assert_eq!(other.vectors_key(), vectors);
    let capture = format!(r#"["{}",{{"kind":"shuffled"}},"gaussian-noise"]"#, other.position.key());
    assert_eq!(other.capture_key(), capture);
    let both = serde_json::to_string(&[&capture, &other.vectors_key()]).expect("text");
    assert_eq!(other.gram_key(), files::sha256(both.as_bytes()));
    let clipped = task("gradient-clipping = 0.5");
    assert_eq!(clipped.gradients_key(), serde_json::to_string(&(plain.vectors_key(), 0.5)).expect("text"));
}

/// By Python: `hashlib.sha256(text.encode()).hexdigest()`.
#[test]
fn keys_are_sha_256_in_hexadecimal() {
    let expected = "78c23321b57894afe617fe9f2e2a21919cd49984b08188a7ab1267a0050ec32c";
    assert_eq!(files::sha256(task("").vectors_key().as_bytes()), expected);
}
