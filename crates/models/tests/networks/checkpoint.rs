//! Checkpoints that PyTorch saved (`fixtures/checkpoints/make.py`), and what is none: each is taken as PyTorch would
//! convert it, or refused in one line.

use std::path::{Path, PathBuf};

use burn::store::ModuleSnapshot;
use burn::store::bridge::to_data;
use burn::tensor::Device;
use gradspectra_models::{
    Architecture, BatchNormPlacement, Conversion, Facts, Fcn, FcnConfig, GptSettings, load_checkpoint, read_checkpoint,
    save_checkpoint,
};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints").join(name)
}

fn model() -> Fcn {
    let config = FcnConfig::new(3).with_classes(4).with_width(2);
    config.with_batch_norm(BatchNormPlacement::AfterLinear).init(&Device::flex())
}

/// The names of a model's tensors and their numbers.
fn tensors(model: &Fcn) -> Vec<(String, Vec<f32>)> {
    let collected = model.collect(None, None, false).into_iter().filter(|tensor| !tensor.name.ends_with(".training"));
    collected.map(|tensor| (tensor.name.clone(), to_data(&tensor).unwrap().try_into_vec::<f32>().unwrap())).collect()
}

fn load(name: &str) -> (Vec<(String, Vec<f32>)>, Option<Conversion>) {
    let (model, converted) = read_checkpoint(model(), &fixture(name)).unwrap_or_else(|error| panic!("{error}"));
    (tensors(&model), converted)
}

fn refusal(path: &Path) -> String {
    load_checkpoint(model(), path).map(|_| ()).expect_err(&path.display().to_string()).to_string()
}

#[test]
fn every_kind_of_floating_point_number_is_taken_as_pytorch_converts_it() {
    for (name, expected, told) in [
        ("float32.safetensors", "float32.safetensors", None),
        ("strided.pt", "float32.safetensors", None),
        ("float64.pt", "float32.safetensors", Some("8 of 8 tensors are float64, rounded to float32")),
        ("float64.safetensors", "float32.safetensors", Some("8 of 8 tensors are float64, rounded to float32")),
        ("legacy.pt", "float32.safetensors", Some("8 of 8 tensors are float64")),
        ("float16.pt", "float16-as-float32.safetensors", Some("8 of 8 tensors are float16, the same in float32")),
        ("float16.safetensors", "float16-as-float32.safetensors", Some("8 of 8 tensors are float16")),
        ("bfloat16.pt", "bfloat16-as-float32.safetensors", Some("8 of 8 tensors are bfloat16, the same in float32")),
        ("bfloat16.safetensors", "bfloat16-as-float32.safetensors", Some("8 of 8 tensors are bfloat16")),
        ("bias.pt", "float32.safetensors", Some("1 of 8 tensors are float64")),
        ("mean.pt", "float32.safetensors", Some("1 of 8 tensors are float64")),
    ] {
        let (ours, converted) = load(name);
        assert_eq!(ours, load(expected).0, "{name}");
        let text = converted.map(|converted| converted.to_string());
        assert_eq!(text.is_some(), told.is_some(), "{name}: {text:?}");
        assert!(text.unwrap_or_default().contains(told.unwrap_or_default()), "{name}");
    }
    let values = load("float32.safetensors").0;
    let bytes = std::fs::read(fixture("float32.safetensors")).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mean: Vec<f32> = stored
        .tensor("norm1.running_mean")
        .unwrap()
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();
    assert!(values.contains(&("norm1.running_mean".to_owned(), mean)), "{values:?}");
}

#[test]
fn dictionaries_and_prefixes_around_the_weights_are_left_out() {
    let expected = load("float32.safetensors").0;
    for name in ["lightning.ckpt", "training.bin", "compiled.pth"] {
        assert_eq!(load(name), (expected.clone(), None), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let unnamed = folder.path().join("weights");
    for name in ["lightning.ckpt", "legacy.pt", "float64.safetensors"] {
        std::fs::copy(fixture(name), &unnamed).unwrap();
        let (model, _) = read_checkpoint(model(), &unnamed).unwrap();
        assert_eq!(tensors(&model), expected, "{name} under a name without ending");
    }
}

#[test]
fn what_is_not_the_models_weights_is_refused_by_name() {
    for (name, expected) in [
        ("int64.pt", "tensor fc2.bias is of int64; parameters are floating-point numbers"),
        ("bool.pt", "tensor fc2.bias is of bool"),
        ("complex.pt", "tensor fc2.bias is of complex numbers"),
        ("neg.pt", "tensor fc2.bias is a lazy negation, stored with the other sign; save it after .resolve_neg()"),
        ("neg-legacy.pt", "tensor fc2.bias is a lazy negation"),
        ("neg-protocol-4.pt", "tensor fc2.bias is a lazy negation"),
        ("conj.pt", "tensor fc2.bias is a lazy conjugate"),
        ("imaginary.pt", "tensor fc2.bias is "),
        ("large.pt", "tensor fc2.bias is beyond float32's range with the value 1e39"),
        ("twice.pt", "fc1.bias"),
        ("two.pt", "weights of the model in model and in state_dict; save one of them alone"),
        (
            "others.pt",
            "has no tensor fc1.bias, fc1.weight, fc2.bias, fc2.weight, norm1.bias, norm1.weight; it has encoder.layer.0.weight",
        ),
        ("others.pt", "encoder.layer.5.weight and 3 more"),
        ("beside.pt", "tensor state_dict.criterion.weight is not of this model"),
        (
            "shape.pt",
            "fc2.weight is [3, 2] in the file (PyTorch's layout), the model has [4, 2], which in Burn is fc2.weight [2, 4]",
        ),
    ] {
        let error = refusal(&fixture(name));
        assert!(error.contains(expected) && error.contains(name) && !error.contains('\n'), "{name}: {error}");
    }
    let error = refusal(&fixture("twice.pt"));
    assert!(
        error.contains("fc1.bias and module.fc1.bias") || error.contains("module.fc1.bias and fc1.bias"),
        "{error}"
    );
}

/// A SafeTensors file.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn a_file_that_is_no_sound_checkpoint_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let tensor = |name: &str, from: usize, to: usize| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[{from},{to}]}}", (to - from) / 4)
    };
    let two = |first: (&str, usize, usize), second: (&str, usize, usize), data: usize| {
        let header = format!("{{{},{}}}", tensor(first.0, first.1, first.2), tensor(second.0, second.1, second.2));
        safetensors(&header, &vec![0; data])
    };
    let whole = std::fs::read(fixture("float32.safetensors")).unwrap();
    let longer = [&whole[..], &[0; 5]].concat();
    for (bytes, expected) in [
        (b"".to_vec(), "it is an empty file; expected a SafeTensors file"),
        (b"epoch,loss\n1,0.5\n".to_vec(), "it is text, as CSV is"),
        (b"<!DOCTYPE html><html>".to_vec(), "it is a page in HTML"),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "it is a gzip file"),
        (b"\x93NUMPY\x01\0v\0{".to_vec(), "it is an .npy array of NumPy"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec(), "it is an HDF5 file"),
        (b"PK\x03\x04\0\0\0\0".to_vec(), "w.safetensors: "),
        (whole[..whole.len() - 5].to_vec(), "107 bytes behind the header, which tells of 112"),
        (longer, "117 bytes behind the header, which tells of 112"),
        (two(("a", 0, 4), ("a", 4, 8), 8), "names the tensor a twice"),
        (two(("a", 0, 4), ("a", 0, 4), 4), "names the tensor a twice"),
        (two(("a", 0, 4), ("b", 8, 12), 12), "data of b from byte 8 on, where those before it end at 4"),
        (two(("a", 0, 8), ("b", 4, 12), 12), "data of b from byte 4 on, where those before it end at 8"),
        (
            safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", &[0; 8]),
            "bytes 0 to 8 for a, F32 of shape [3]",
        ),
        (
            safetensors("{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", &[0; 8]),
            "tensor a is of C64",
        ),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        assert!(error.contains(expected) && error.contains("w.safetensors") && !error.contains('\n'), "{error}");
    }
}

/// Burn's own names, for those who have its file before them.
#[test]
fn a_tied_weight_may_be_there_under_both_of_its_names_if_both_are_equal() {
    let device = Device::flex();
    let facts = Facts { input_shape: vec![3], targets: 5, examples: 1 };
    let settings = GptSettings { layers: 1, heads: 1, width: 4, ..GptSettings::default() };
    let gpt = || settings.build(&facts, &device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tied.safetensors");
    save_checkpoint(&gpt(), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let saved = SafeTensors::deserialize(&bytes).unwrap();
    let table = saved.tensor("transformer.wte.weight").unwrap();
    let with_head = |head: &[u8]| {
        let head = TensorView::new(table.dtype(), table.shape().to_vec(), head).unwrap();
        let tensors = saved.tensors().into_iter().chain([("lm_head.weight".to_owned(), head)]);
        std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        load_checkpoint(gpt(), &path).map(|_| ())
    };
    with_head(table.data()).unwrap();
    let mut other = table.data().to_vec();
    other[0] ^= 1;
    let error = with_head(&other).unwrap_err().to_string();
    let expected = "tensor lm_head.weight is not of this model and not equal to transformer.wte.weight";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_file_of_burns_is_told_in_burns_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.bpk");
    let wide = FcnConfig::new(3).with_classes(5).with_width(2).with_batch_norm(BatchNormPlacement::AfterLinear);
    let mut store = burn::store::BurnpackStore::from_file(&path);
    wide.init(&Device::flex()).save_into(&mut store).unwrap();
    let error = refusal(&path);
    assert!(error.contains("in the file (Burn's layout)") && error.contains("in PyTorch is"), "{error}");
    let bare = FcnConfig::new(3).with_classes(4).with_width(2).with_batch_norm(BatchNormPlacement::None);
    let mut store = burn::store::BurnpackStore::from_file(folder.path().join("bare.bpk"));
    bare.init(&Device::flex()).save_into(&mut store).unwrap();
    let error = refusal(&folder.path().join("bare.bpk"));
    assert!(error.contains("has no tensor norm1.gamma (norm1.weight in PyTorch)"), "{error}");
}

/// As Burn writes it, with bytes behind the last tensor, and without the last bytes of it.
#[test]
fn a_file_of_burns_that_is_longer_or_shorter_than_its_tensors_is_refused_with_both_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.bpk");
    model().save_into(&mut burn::store::BurnpackStore::from_file(&path)).unwrap();
    load_checkpoint(model(), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let whole = bytes.len();
    for length in [whole + 1, whole + 256, 2 * whole, whole - 1] {
        let bytes: Vec<u8> = bytes.iter().chain(&bytes).copied().take(length).collect();
        std::fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        let expected = format!("{length} bytes, where its tensors end at {whole}");
        assert!(error.contains(&expected) && error.contains("w.bpk") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn loading_draws_no_parameters_at_random() {
    let device = Device::flex();
    let next = |load: bool| {
        device.seed(5);
        if load {
            load_checkpoint(model(), &fixture("float32.safetensors")).unwrap();
        }
        burn::tensor::Tensor::<1>::random([4], burn::tensor::Distribution::Default, &device).into_data()
    };
    assert_eq!(next(true), next(false));
}
