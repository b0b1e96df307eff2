//! Weights in other kinds of numbers than float32, under other names, and in files that are none.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::tensor::{Device, Tensor, bf16, f16};
use gradspectra_models::{
    BatchNormPlacement, CheckpointError, Classifier, Fcn, FcnConfig, Initialisation, Trace, checkpoint_bytes,
    load_checkpoint, read_checkpoint,
};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

fn network(seed: u64) -> Fcn {
    let config = FcnConfig::new(6).with_classes(4).with_width(3).with_batch_norm(BatchNormPlacement::BeforeLinear);
    Initialisation::Uniform.apply(config.init(&Device::flex()), seed).unwrap()
}

fn logits(model: &Fcn) -> Vec<f32> {
    let inputs: Vec<f32> = (0..12).map(|index| (index * 7 % 11) as f32 / 4.0 - 1.0).collect();
    let inputs = Tensor::<1>::from_floats(&inputs[..], &Device::flex()).reshape([2, 6]);
    model.logits(inputs, &mut Trace::off()).into_data().try_to_vec().unwrap()
}

/// A tensor by name: its kind of number, shape and bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

fn stored(model: &Fcn) -> Vec<Stored> {
    let bytes = checkpoint_bytes(model, Path::new("unwritten")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, view)| (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())).collect()
}

fn write(tensors: &[Stored], path: &Path) {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn singles(data: &[u8]) -> impl Iterator<Item = f32> {
    data.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four))
}

/// The tensors whose names `chosen` takes, in another kind of number.
fn converted(tensors: &[Stored], dtype: Dtype, chosen: impl Fn(&str) -> bool) -> Vec<Stored> {
    let convert = |(name, own, shape, data): &Stored| {
        if *own != Dtype::F32 || !chosen(name) {
            return (name.clone(), *own, shape.clone(), data.clone());
        }
        let data: Vec<u8> = match dtype {
            Dtype::F64 => singles(data).flat_map(|value| f64::from(value).to_le_bytes()).collect(),
            Dtype::F16 => singles(data).flat_map(|value| f16::from_f32(value).to_le_bytes()).collect(),
            Dtype::BF16 => singles(data).flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect(),
            Dtype::I64 => singles(data).flat_map(|value| (value as i64).to_le_bytes()).collect(),
            other => panic!("{other:?}"),
        };
        (name.clone(), dtype, shape.clone(), data)
    };
    tensors.iter().map(convert).collect()
}

#[test]
fn every_kind_of_floating_point_number_is_read_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let model = network(3);
    let tensors = stored(&model);
    for (dtype, name, tolerance) in
        [(Dtype::F64, "float64", 0.0), (Dtype::F16, "float16", 1e-2), (Dtype::BF16, "bfloat16", 1e-1)]
    {
        for chosen in ["", "fc1.bias", "norm1.running_mean"] {
            write(&converted(&tensors, dtype, |name| name.contains(chosen)), &path);
            let (loaded, told) = read_checkpoint(network(4), &path).unwrap();
            assert!(told.unwrap().to_string().contains(name), "{name} {chosen}");
            for (ours, theirs) in logits(&loaded).iter().zip(logits(&model)) {
                assert!((ours - theirs).abs() <= tolerance, "{name} {chosen}: {ours} is not {theirs}");
            }
        }
    }
    write(&tensors, &path);
    assert_eq!(read_checkpoint(network(4), &path).unwrap().1, None, "float32 is not worth a word");
}

#[test]
fn numbers_that_are_no_weights_are_refused_by_their_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let tensors = stored(&network(3));
    write(&converted(&tensors, Dtype::I64, |name| name == "fc2.weight"), &path);
    let error = load_checkpoint(network(4), &path).unwrap_err().to_string();
    assert!(error.contains("fc2.weight") && error.contains("int64"), "{error}");
    let mut large = converted(&tensors, Dtype::F64, |name| name == "fc2.bias");
    let (_, _, _, data) = large.iter_mut().find(|(name, ..)| name == "fc2.bias").unwrap();
    data[..8].copy_from_slice(&1e300_f64.to_le_bytes());
    write(&large, &path);
    let error = load_checkpoint(network(4), &path).unwrap_err().to_string();
    assert!(error.contains("fc2.bias") && error.contains("range"), "{error}");
}

#[test]
fn prefixes_of_parallel_and_compiled_models_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let model = network(3);
    for prefix in ["module.", "_orig_mod.", "_orig_mod.module."] {
        let tensors = stored(&model).into_iter();
        let tensors: Vec<Stored> = tensors.map(|(name, d, s, b)| (format!("{prefix}{name}"), d, s, b)).collect();
        write(&tensors, &path);
        assert_eq!(logits(&load_checkpoint(network(4), &path).unwrap()), logits(&model), "{prefix}");
    }
    let mut twice = stored(&model);
    let (_, dtype, shape, data) = twice.iter().find(|(name, ..)| name == "fc1.bias").unwrap().clone();
    twice.push(("module.fc1.bias".to_owned(), dtype, shape, data));
    write(&twice, &path);
    let error = load_checkpoint(network(4), &path).unwrap_err().to_string();
    assert!(error.contains("fc1.bias"), "{error}");
}

#[test]
fn a_shape_that_does_not_fit_is_told_as_pytorch_has_it_and_as_burn_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut tensors = stored(&network(3));
    for (name, _, shape, data) in &mut tensors {
        if name == "fc2.weight" {
            *shape = vec![5, 3];
            *data = vec![0; 60];
        }
    }
    write(&tensors, &path);
    let error = load_checkpoint(network(4), &path).unwrap_err().to_string();
    for told in ["fc2.weight", "[5, 3]", "[4, 3]", "[3, 4]"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    let renamed: Vec<Stored> =
        stored(&network(3)).into_iter().map(|(name, d, s, b)| (format!("layer.{name}"), d, s, b)).collect();
    write(&renamed, &path);
    let error = load_checkpoint(network(4), &path).unwrap_err();
    assert!(matches!(error, CheckpointError::Foreign { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("layer.fc1.weight") && error.contains("norm1.weight"), "{error}");
}

#[test]
fn a_file_that_is_no_checkpoint_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    for (bytes, told) in [
        (&b""[..], "empty"),
        (b"0.1,0.2,0.3\n0.4,0.5,0.6\n", "text"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4'}", "npy"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = load_checkpoint(network(4), &path).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains('\n'), "{told}: {error}");
    }
    let mut behind = checkpoint_bytes(&network(3), &path).unwrap();
    behind.extend([0; 8]);
    std::fs::write(&path, &behind).unwrap();
    assert!(load_checkpoint(network(4), &path).is_err(), "bytes behind the last tensor");
    std::fs::write(&path, &behind[..behind.len() - 20]).unwrap();
    assert!(load_checkpoint(network(4), &path).is_err(), "a file that is cut short");
}
