//! A row with weights and minibatches of its own, against PyTorch in float64.

use crate::common;

use std::path::Path;

use serde_json::Value;

/// Relative agreement of eigenvalues, and absolute of s and d_ks.
const SPECTRUM: f64 = 1e-3;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn npy(path: &Path) -> Vec<f64> {
    npyz::NpyFile::new(&std::fs::read(path).unwrap()[..]).unwrap().into_vec().unwrap()
}

#[test]
fn rows_with_weights_and_minibatches_agree_with_pytorch() {
    for (name, model) in [
        ("lenet-b1", "{ kind = 'lenet' }"),
        ("lenet-b10", "{ kind = 'lenet' }"),
        ("fcn-batchnorm-first-b10", "{ kind = 'fcn' }"),
        ("fcn-batchnorm-b10", "{ kind = 'fcn', hidden-layers = 2, batch-norm = 'after-linear' }"),
    ] {
        agrees_with_pytorch(name, "case.json", "'mnist'", model);
    }
}

#[test]
fn networks_of_today_with_data_in_files_agree_with_pytorch() {
    let tokens = "{ kind = 'tokens', inputs = 'F/inputs.npy', targets = 'F/targets.npy', vocabulary = 59 }";
    let images = "{ inputs = 'F/../cifar-300.npy', labels = 'F/targets.npy' }\nnormalisation = 'none'";
    let numbers = "{ kind = 'regression', inputs = 'F/inputs.npy', targets = 'F/targets.npy' }";
    for (name, data, model) in [
        ("gpt-tied-b1", tokens, "{ kind = 'gpt', layers = 2, heads = 2, width = 16 }"),
        ("gpt-untied-b4", tokens, "{ kind = 'gpt', layers = 2, heads = 2, width = 16, tied = false }"),
        ("vit-b1", images, "{ kind = 'vit', patch = 8, layers = 2, heads = 2, width = 16 }"),
        ("resnet18-groupnorm-b1", images, "{ kind = 'resnet18-group-norm', width = 8, groups = 4 }"),
        ("resnet18-batchnorm-eval-b3", images, "{ kind = 'resnet18', width = 8, batch-norm = 'evaluation' }"),
        ("mlp-regression-b5", numbers, "{ kind = 'mlp', width = 40, hidden-layers = 2, activation = 'tanh' }"),
    ] {
        let result = agrees_with_pytorch(&format!("beyond/{name}"), "expected.json", data, model);
        assert_eq!(result.pointer("/capture/way"), Some(&Value::from("factored")), "{name}");
        if name == "resnet18-groupnorm-b1" {
            let ways = result.pointer("/capture/layers").unwrap().to_string();
            assert!(ways.contains("layer4.1.conv2") && ways.contains("sums over 16 positions"), "{ways}");
        }
    }
}

/// Runs rows of both matrices of the case `name`, whose `F` in the data set stands for its folder, and gives one's result.
fn agrees_with_pytorch(name: &str, case: &str, data: &str, model: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let fixture = common::root().join("crates/capture/tests/fixtures").join(name).canonicalize().unwrap();
    let expected = json(&fixture.join(case));
    let k = expected["K"].as_u64().unwrap() as usize;
    let place = fixture.display().to_string();
    let data = data.replace('F', &place);
    let experiment = format!(
        "title = 'case'\n[defaults]\ndata-set = {data}\nmodel = {model}\nweights = '{place}/weights.safetensors'\n\
         minibatches = '{place}/minibatches.npy'\nanalysis = {{ kind = 'spectrum', matrix = 'covariance', top = {k} }}\n\
         [[row]]\nid = 'covariance'\n[[row]]\nid = 'second-moment'\nanalysis = {{ matrix = 'second-moment' }}\n",
    );
    std::fs::write(folder.path().join("case.toml"), experiment).unwrap();
    common::succeed(folder.path(), &["run", "case.toml", "--quiet"]);
    let results = ["covariance", "second-moment"].map(|kind| {
        let results = folder.path().join("results/case").join(kind);
        let (result, expected) = (json(&results.join("seed-1.json")), &expected[kind]);
        for (ours, theirs) in [("/finding/s", "s"), ("/finding/test/d-ks", "ks_two_sided")] {
            let (ours, theirs) = (result.pointer(ours).unwrap().as_f64(), expected[theirs].as_f64());
            assert!((ours.unwrap() - theirs.unwrap()).abs() < SPECTRUM, "{name}: {ours:?} is not {theirs:?}");
        }
        let ours = npy(&results.join("seed-1.eigenvalues.npy"));
        let theirs = npy(&fixture.join(format!("eigenvalues-{kind}.npy")));
        assert_eq!(ours.len(), theirs.len());
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).take(k).enumerate() {
            assert!((ours / theirs - 1.0).abs() < SPECTRUM, "{name} {kind} {index}: {ours} is not {theirs}");
        }
        result
    });
    let [covariance, _] = results;
    covariance
}
