use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use burn::store::bridge::from_data;
use burn::store::burn_pack::Tensor;
use burn::tensor::{DType, TensorData, bf16, f16};

use super::CheckpointError;

/// Which tensors of a checkpoint were not float32, as parameters are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversion {
    /// How many were converted.
    pub tensors: usize,
    /// Of how many.
    pub of: usize,
    /// What they were, as PyTorch names it.
    pub kinds: BTreeSet<&'static str>,
    /// Whether a value lost digits, as float64 does.
    pub rounded: bool,
}

impl fmt::Display for Conversion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kinds.iter().copied().collect();
        let how = if self.rounded { "rounded to float32" } else { "the same in float32, as which they are used" };
        write!(formatter, "{} of {} tensors are {}, {how}", self.tensors, self.of, kinds.join(" and "))
    }
}

/// `tensor` in float32, with its place in the file's `conversion`.
///
/// # Errors
///
/// Its numbers are no floating-point ones, one is not finite or leaves float32's range, or they cannot be read.
pub(super) fn to_single(tensor: Tensor, conversion: &mut Conversion, path: &Path) -> Result<Tensor, CheckpointError> {
    let (path, name) = (path.to_owned(), tensor.name.clone());
    conversion.of += 1;
    let (dtype, shape, id) = (tensor.dtype, tensor.shape.clone(), tensor.param_id);
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.clone(), reason };
    let bytes = match dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::BF16 => tensor.into_bytes(),
        _ => {
            let what = format!("of {}; parameters are floating-point numbers: save them as float32", kind(dtype));
            return Err(CheckpointError::Numbers { path, tensor: name, what });
        }
    };
    let bytes = bytes.map_err(|error| unreadable(error.to_string()))?;
    let values: Vec<f64> = match dtype {
        DType::F64 => bytes.as_chunks().0.iter().map(|&eight| f64::from_le_bytes(eight)).collect(),
        DType::F32 => bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four).into()).collect(),
        DType::F16 => bytes.as_chunks().0.iter().map(|&two| f16::from_le_bytes(two).into()).collect(),
        _ => bytes.as_chunks().0.iter().map(|&two| bf16::from_le_bytes(two).into()).collect(),
    };
    if values.iter().any(|value| !value.is_finite()) {
        return Err(CheckpointError::NotFinite { path, tensor: name });
    }
    let singles: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    if let Some(place) = singles.iter().position(|value| value.is_infinite()) {
        let what = format!("beyond float32's range with the value {:?}; scale it down", values[place]);
        return Err(CheckpointError::Numbers { path, tensor: name, what });
    }
    if dtype != DType::F32 {
        conversion.tensors += 1;
        conversion.kinds.insert(kind(dtype));
        conversion.rounded |= values.iter().zip(&singles).any(|(&value, &single)| f64::from(single) != value);
    }
    Ok(from_data(TensorData::new(singles, shape), name, id))
}

/// What PyTorch calls the kind of number.
fn kind(dtype: DType) -> &'static str {
    match dtype {
        DType::F64 => "float64",
        DType::F32 => "float32",
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::I64 => "int64",
        DType::I32 => "int32",
        DType::I16 => "int16",
        DType::I8 => "int8",
        DType::U64 => "uint64",
        DType::U32 => "uint32",
        DType::U16 => "uint16",
        DType::U8 => "uint8",
        DType::Bool(_) => "bool",
        _ => "another kind of number",
    }
}
