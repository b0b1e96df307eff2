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
    let folder = tempfile::tempdir().unwrap();
    for (name, model) in [
        ("lenet-b1", "{ kind = 'lenet' }"),
        ("lenet-b10", "{ kind = 'lenet' }"),
        ("fcn-batchnorm-first-b10", "{ kind = 'fcn' }"),
        ("fcn-batchnorm-b10", "{ kind = 'fcn', hidden-layers = 2, batch-norm = 'after-linear' }"),
    ] {
        let fixture = common::root().join("crates/capture/tests/fixtures").join(name).canonicalize().unwrap();
        let expected = json(&fixture.join("case.json"));
        let k = expected["K"].as_u64().unwrap() as usize;
        let experiment = format!(
            "title = 'case'\n[defaults]\ndata-set = 'mnist'\nmodel = {model}\nweights = '{0}/weights.safetensors'\n\
             minibatches = '{0}/minibatches.npy'\nanalysis = {{ kind = 'spectrum', matrix = 'covariance', top = {k} }}\n\
             [[row]]\nid = 'covariance'\n[[row]]\nid = 'second-moment'\nanalysis = {{ matrix = 'second-moment' }}\n",
            fixture.display()
        );
        std::fs::write(folder.path().join("case.toml"), experiment).unwrap();
        common::succeed(folder.path(), &["run", "case.toml", "--quiet", "--replace"]);
        for kind in ["covariance", "second-moment"] {
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
        }
    }
}
