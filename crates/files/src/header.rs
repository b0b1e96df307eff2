use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use safetensors::tensor::{Dtype, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// What the header of a [SafeTensors](https://huggingface.co/docs/safetensors) file says, held to the file's length.
#[derive(Debug)]
pub struct SafetensorsHeader {
    /// The tensors in the order of their data, which is without holes or overlaps.
    pub tensors: Vec<HeaderTensor>,
    /// The texts under `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// A tensor in the header of a SafeTensors file.
#[derive(Debug)]
pub struct HeaderTensor {
    /// Its name.
    pub name: String,
    /// The kind of its numbers, little-endian.
    pub dtype: Dtype,
    /// Its sides, the last of which varies fastest.
    pub shape: Vec<usize>,
    /// The byte of the file where its numbers begin.
    pub start: u64,
}

/// Why a SafeTensors file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The system cannot read the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The header is none, or is not that of the data behind it.
    #[error("{0}")]
    Malformed(String),
}

impl SafetensorsHeader {
    /// Reads the header of the file at `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its header is not JSON, names a tensor twice, leaves a hole between tensors or lets them
    /// overlap, or the file is shorter or longer than the header says.
    pub fn read(path: &Path) -> Result<Self, HeaderError> {
        /// The longest header that the format allows.
        const LONGEST: u64 = 100_000_000;
        let malformed = HeaderError::Malformed;
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut word = Vec::new();
        (&mut file).take(8).read_to_end(&mut word)?;
        let Ok(word) = word.try_into() else {
            return Err(malformed(format!("{length} bytes, where a SafeTensors file has 8 before its header")));
        };
        let size = u64::from_le_bytes(word);
        let data = length.checked_sub(8).and_then(|behind| behind.checked_sub(size));
        let (Some(data), true) = (data, size <= LONGEST) else {
            return Err(malformed(format!("a SafeTensors header of {size} bytes in a file of {length}")));
        };
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes)?;
        let entries: Entries = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        let tensors = placed(entries.tensors, 8 + size, data).map_err(malformed)?;
        Ok(Self { tensors, metadata: entries.metadata })
    }
}

/// The tensors in the order of their data, of which there are `data` bytes from `start` on.
fn placed(mut entries: Vec<(String, TensorInfo)>, start: u64, data: u64) -> Result<Vec<HeaderTensor>, String> {
    let mut names = BTreeSet::new();
    if let Some((name, _)) = entries.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(format!("a header that names the tensor {name} twice"));
    }
    entries.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, TensorInfo { dtype, shape, data_offsets: (from, to) }) in entries {
        let bits = shape.iter().try_fold(dtype.bitsize(), |bits, &side| bits.checked_mul(side));
        if from != end {
            return Err(format!("data of {name} from byte {from} on, where those before it end at {end}"));
        }
        if to < from || bits != (to - from).checked_mul(8) {
            return Err(format!("bytes {from} to {to} for {name}, {dtype:?} of shape {shape:?}"));
        }
        end = to;
        tensors.push(HeaderTensor { name, dtype, shape, start: start + from as u64 });
    }
    match end as u64 == data {
        true => Ok(tensors),
        false => Err(format!("{data} bytes behind the header, which tells of {end}")),
    }
}

/// The header as it stands, names that are there twice included.
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the header of a SafeTensors file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Entries { tensors: Vec::new(), metadata: BTreeMap::new() };
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                entries.metadata = map.next_value()?;
            } else {
                let info = map.next_value().map_err(|error| A::Error::custom(format!("tensor {name}: {error}")))?;
                entries.tensors.push((name, info));
            }
        }
        Ok(entries)
    }
}
