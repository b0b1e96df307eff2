//! Gradients and weights that PyTorch saved: files of one run stored here, and the script anew where torch is there.

use crate::common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::store::{BurnpackStore, ModuleSnapshot, SafetensorsStore};
use burn::tensor::Device;
use gradspectra::models::{BatchNormPlacement, FcnConfig, load_checkpoint};

/// The sizes of the script's gradients.
const PARAMETERS: u64 = 104;
const ITERATIONS: u64 = 64;

fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch")
}

/// A Python that imports torch, numpy and safetensors.
fn python() -> Option<OsString> {
    let python = std::env::var_os("GRADSPECTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let imported = Command::new(&python).args(["-c", "import torch, numpy, safetensors"]).output();
    imported.is_ok_and(|output| output.status.success()).then_some(python)
}

/// Writes the weights of `folder` as Burn writes a model of its own, in both of its formats.
fn save_with_burn(folder: &Path) {
    let device = Device::flex();
    let config = FcnConfig::new(10).with_classes(12).with_width(4).with_batch_norm(BatchNormPlacement::None);
    let model = load_checkpoint(config.init(&device), &folder.join("weights.safetensors")).unwrap();
    model.save_into(&mut BurnpackStore::from_file(folder.join("burn.bpk"))).unwrap();
    model.save_into(&mut SafetensorsStore::from_file(folder.join("burn.safetensors"))).unwrap();
}

/// Analyses the matrix in `folder` and takes its weights, in every format, through a row.
fn assert_read(folder: &Path) {
    let analysis = common::succeed(folder, &["analyze", "G.npy", "--top", "40", "--format", "json", "--quiet"]);
    let analysis: serde_json::Value = serde_json::from_slice(&analysis.stdout).unwrap();
    assert_eq!(analysis["parameters"], PARAMETERS);
    assert_eq!(analysis["iterations"], ITERATIONS);
    assert!(analysis["covariance"]["spectrum"]["trace"].as_f64().unwrap() > 0.0);

    save_with_burn(folder);
    let rows = ["weights.safetensors", "weights.pt", "burn.bpk", "burn.safetensors"];
    let row = |name: &&str| format!("[[row]]\nid = '{name}'\nweights = '{name}'\n");
    let experiment = "title = 'weights'\n[defaults]\ndata-set = 'avila'\nbatch-size = 10\niterations = 100\n\
                      model = { kind = 'fcn', width = 4, batch-norm = 'none' }\n\
                      analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }\n";
    let text = experiment.to_owned() + &rows.iter().map(row).collect::<String>();
    std::fs::write(folder.join("weights.toml"), text).unwrap();
    common::succeed(folder, &["run", "weights.toml", "--quiet"]);
    let eigenvalues = rows.map(|row| {
        let path = folder.join("results/weights").join(row).join("seed-1.eigenvalues.npy");
        std::fs::read(path).unwrap()
    });
    assert!(eigenvalues.iter().all(|bytes| *bytes == eigenvalues[0]), "every format gives the same parameters");
}

#[test]
fn stored_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["G.npy", "weights.safetensors", "weights.pt"] {
        std::fs::copy(stored().join(name), folder.path().join(name)).unwrap();
    }
    assert_read(folder.path());
}

#[test]
fn what_the_script_saves_is_read() {
    let Some(python) = python() else {
        eprintln!("skipped: neither python3 nor GRADSPECTRA_PYTHON imports torch, numpy and safetensors");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/from_pytorch.py");
    assert!(std::fs::read_to_string(&script).unwrap().lines().count() <= 30);
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_read(folder.path());
}
