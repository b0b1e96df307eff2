//! Numbers in a file: an array of NumPy, or a tensor of a SafeTensors file.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;

use crate::error::{Error, Result};
use crate::{FileKind, HeaderError, SafetensorsHeader, counted, npy};

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of IEEE, with 11 bits.
    Half,
    /// The first half of a float32, with 8 bits.
    BFloat,
    /// float32.
    Single,
    /// float64.
    Double,
    /// A whole number.
    Integer {
        /// Its bytes: 1, 2, 4 or 8.
        bytes: usize,
        /// Whether it can be negative.
        signed: bool,
    },
}

impl Kind {
    /// The bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Half | Self::BFloat => 2,
            Self::Single => 4,
            Self::Double => 8,
            Self::Integer { bytes, .. } => bytes,
        }
    }

    fn of_tensor(dtype: Dtype) -> Option<Self> {
        let integer = |signed| Some(Self::Integer { bytes: dtype.bitsize() / 8, signed });
        match dtype {
            Dtype::F16 => Some(Self::Half),
            Dtype::BF16 => Some(Self::BFloat),
            Dtype::F32 => Some(Self::Single),
            Dtype::F64 => Some(Self::Double),
            Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => integer(true),
            Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => integer(false),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Half => formatter.write_str("float16"),
            Self::BFloat => formatter.write_str("bfloat16"),
            Self::Single => formatter.write_str("float32"),
            Self::Double => formatter.write_str("float64"),
            Self::Integer { bytes, signed: true } => write!(formatter, "int{}", 8 * bytes),
            Self::Integer { bytes, signed: false } => write!(formatter, "uint{}", 8 * bytes),
        }
    }
}

/// A number that stored ones are read as.
pub trait Number: Copy {
    /// The number `value`.
    fn of_f32(value: f32) -> Self;
    /// The number nearest to `value`.
    fn of_f64(value: f64) -> Self;
}

impl Number for f32 {
    fn of_f32(value: f32) -> Self {
        value
    }

    fn of_f64(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn of_f32(value: f32) -> Self {
        value.into()
    }

    fn of_f64(value: f64) -> Self {
        value
    }
}

/// An array whose numbers are all in its file, and nothing behind them.
#[derive(Debug)]
pub struct StoredArray {
    /// Where it is.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// The byte where the numbers begin.
    pub start: u64,
    /// How its numbers are stored.
    pub kind: Kind,
    /// Whether the first byte of a number is the highest.
    pub big_endian: bool,
    /// Its sides.
    pub shape: Vec<usize>,
    /// Whether the last index varies fastest, else the first.
    pub row_major: bool,
}

impl StoredArray {
    /// Opens the array at `path`, whose format its first bytes tell; of a SafeTensors file with several tensors, the one
    /// called `tensor`.
    pub fn open(path: &Path, tensor: Option<&str>, expected: &str) -> Result<Self> {
        let kind = FileKind::of(path).map_err(|source| Error::io(path, "read", source))?;
        match (kind, tensor) {
            (FileKind::Npy, None) => npy::open(path, expected),
            (FileKind::Npy, Some(name)) => Err(Error::Setting {
                name: "--tensor",
                found: name.to_owned(),
                mend: format!("{} is an .npy, whose one array has no name: leave --tensor out", path.display()),
            }),
            (FileKind::Safetensors, _) => Self::tensor(path, tensor, expected),
            (kind, _) => Err(Error::malformed(path, kind.to_string(), expected)),
        }
    }

    /// Opens little-endian numbers of one `kind`, without a header: as NumPy's `tofile` writes them.
    pub fn bare(path: &Path, kind: Kind, expected: &str) -> Result<Self> {
        let io = |source| Error::io(path, "read", source);
        let file = File::open(path).map_err(io)?;
        let (length, width) = (file.metadata().map_err(io)?.len(), kind.bytes() as u64);
        if length % width != 0 {
            let found = format!("{}, no multiple of the {width} of a {kind}", counted(length as usize, "bytes"));
            return Err(Error::malformed(path, found, expected));
        }
        let shape = vec![(length / width) as usize];
        Ok(Self { path: path.to_owned(), file, start: 0, kind, big_endian: false, shape, row_major: true })
    }

    fn tensor(path: &Path, name: Option<&str>, expected: &str) -> Result<Self> {
        let header = SafetensorsHeader::read(path).map_err(|error| match error {
            HeaderError::Io(source) => Error::io(path, "read", source),
            error => Error::malformed(path, error.to_string(), expected),
        })?;
        let mut names: Vec<&str> = header.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        let chosen = match (name, &names[..]) {
            (Some(name), _) => header.tensors.iter().find(|tensor| tensor.name == name),
            (None, [_]) => header.tensors.first(),
            (None, _) => None,
        };
        let Some(tensor) = chosen else {
            let (found, mend) = match names.is_empty() {
                true => ("no tensors".to_owned(), expected.to_owned()),
                false => (
                    format!("the tensors {}", names.join(", ")),
                    "one of them: `analyze --tensor` names it, `fit` takes a file of one".to_owned(),
                ),
            };
            return Err(Error::malformed(path, found, mend));
        };
        let Some(kind) = Kind::of_tensor(tensor.dtype) else {
            return Err(Error::malformed(path, format!("numbers of type {:?}", tensor.dtype), expected));
        };
        let file = File::open(path).map_err(|source| Error::io(path, "read", source))?;
        let shape = tensor.shape.clone();
        Ok(Self { path: path.to_owned(), file, start: tensor.start, kind, big_endian: false, shape, row_major: true })
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// All numbers in the order of the file.
    pub fn values(&mut self) -> Result<Vec<f64>> {
        self.read(0, self.count())
    }

    /// `count` numbers from the place `first` of the file's order on; what an f64 does not hold is refused.
    pub fn read<T: Number>(&mut self, first: usize, count: usize) -> Result<Vec<T>> {
        let width = self.kind.bytes();
        let mut bytes = vec![0; count * width];
        let place = SeekFrom::Start(self.start + (first * width) as u64);
        let read = self.file.seek(place).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|source| Error::io(&self.path, "read", source))?;
        if self.big_endian {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        Ok(match self.kind {
            Kind::Half => bytes.as_chunks().0.iter().map(|&two| T::of_f32(f16::from_le_bytes(two).into())).collect(),
            Kind::BFloat => bytes.as_chunks().0.iter().map(|&two| T::of_f32(bf16::from_le_bytes(two).into())).collect(),
            Kind::Single => bytes.as_chunks().0.iter().map(|&four| T::of_f32(f32::from_le_bytes(four))).collect(),
            Kind::Double => bytes.as_chunks().0.iter().map(|&eight| T::of_f64(f64::from_le_bytes(eight))).collect(),
            Kind::Integer { signed, .. } => {
                let mut places = first..;
                let exact = |bytes| self.exact(integer(bytes, signed), places.next().unwrap_or(first));
                bytes.chunks_exact(width).map(exact).map(|value| value.map(T::of_f64)).collect::<Result<_>>()?
            }
        })
    }

    /// An integer as an f64, where it has no more than its 53 bits.
    fn exact(&self, integer: i128, place: usize) -> Result<f64> {
        const LARGEST: u128 = 1 << 53;
        if integer.unsigned_abs() <= LARGEST {
            return Ok(integer as f64);
        }
        let found = format!("the integer {integer} at place {place}, counted from 0");
        Err(Error::malformed(&self.path, found, TOO_LARGE))
    }
}

/// What integers beyond those of float64 should be.
const TOO_LARGE: &str = "at most 2^53 in magnitude, beyond which float64, in which all is computed, has no longer every \
                         integer; divide all of them by one number";

/// A little-endian integer.
fn integer(bytes: &[u8], signed: bool) -> i128 {
    let below_zero = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = if below_zero { [0xff; 16] } else { [0; 16] };
    all[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(all)
}
