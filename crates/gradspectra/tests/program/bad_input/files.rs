//! Files that are not what they should be.

use super::ROW;
use crate::common::npy;

pub fn doubles(values: &[f64]) -> Vec<u8> {
    npy(
        "<f8",
        &format!("({},)", values.len()),
        &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
    )
}

pub fn indices(values: &[i64]) -> Vec<u8> {
    npy(
        "<i8",
        &format!("({},)", values.len()),
        &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
    )
}

pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A network without BatchNorm, two neurons wide, with weights of its own.
pub fn bare_weights() -> Vec<u8> {
    let text = ROW.replace("'fcn'", "'fcn', width = 2, batch-norm = 'none'");
    text.replace("iterations", "weights = 'w.safetensors'\niterations").into_bytes()
}

/// The tensors of [`bare_weights`], of `width` bytes a number, all of which are `byte`.
pub fn kinds(dtype: &str, width: usize, byte: u8) -> Vec<u8> {
    let (header, end) = bare_header(dtype, width);
    safetensors(&header, &vec![byte; end])
}

/// The header of [`bare_weights`] and the length of its data.
pub fn bare_header(dtype: &str, width: usize) -> (String, usize) {
    let mut end = 0;
    let mut tensor = |name: &str, shape: &[usize]| {
        let start = end;
        end += width * shape.iter().product::<usize>();
        format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}")
    };
    let tensors = [
        tensor("fc1.bias", &[2]),
        tensor("fc1.weight", &[2, 10]),
        tensor("fc2.bias", &[12]),
        tensor("fc2.weight", &[12, 2]),
    ];
    (format!("{{{}}}", tensors.join(",")), end)
}

/// Weights that are finite and give logits that are not.
pub fn enormous() -> Vec<u8> {
    let (header, end) = bare_header("F32", 4);
    safetensors(&header, &3e38_f32.to_le_bytes().repeat(end / 4))
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn idx(magic: [u8; 4], sides: &[u32], data: &[u8]) -> Vec<u8> {
    let sides: Vec<u8> = sides.iter().flat_map(|side| side.to_be_bytes()).collect();
    gzip(&[&magic[..], &sides, data].concat())
}
