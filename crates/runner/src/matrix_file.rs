//! A gradient matrix in a file, read in blocks.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use faer::Mat;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::error::{Error, Result};
use crate::npy;

/// What the rows and columns of a stored matrix are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Orientation {
    /// Rows are parameters, columns iterations, as the paper's G.
    #[value(name = "n×T", alias = "nxT", alias = "n*T")]
    ParametersByIterations,
    /// Rows are iterations, columns parameters.
    #[default]
    #[value(name = "T×n", alias = "Txn", alias = "T*n")]
    IterationsByParameters,
}

/// The kind of a stored number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Single,
    Double,
}

impl Precision {
    fn bytes(self) -> u64 {
        match self {
            Self::Single => 4,
            Self::Double => 8,
        }
    }
}

/// G in an `.npy` or SafeTensors file.
#[derive(Debug)]
pub(crate) struct MatrixFile {
    path: PathBuf,
    file: File,
    /// Where the numbers begin.
    start: u64,
    pub(crate) precision: Precision,
    pub(crate) parameters: usize,
    pub(crate) iterations: usize,
    /// Whether the entries of one parameter follow each other, else those of one iteration.
    by_parameter: bool,
}

const EXPECTED: &str = "a matrix of float32 or float64, little-endian, in an .npy or .safetensors";
/// The longest header of a SafeTensors file.
const LONGEST_HEADER: u64 = 100_000_000;

impl MatrixFile {
    /// Opens the matrix at `path`; of a SafeTensors file with several tensors, the one called `tensor`.
    pub(crate) fn open(path: &Path, tensor: Option<&str>, orientation: Orientation) -> Result<Self> {
        let safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        let stored = if safetensors { stored_tensor(path, tensor)? } else { stored_array(path)? };
        let Stored { start, precision, shape: [rows, columns], row_major } = stored;
        let (parameters, iterations) = match orientation {
            Orientation::ParametersByIterations => (rows, columns),
            Orientation::IterationsByParameters => (columns, rows),
        };
        let by_parameter = row_major == (orientation == Orientation::ParametersByIterations);
        let file = File::open(path).map_err(|source| Error::io(path, "read", source))?;
        let length = file.metadata().map_err(|source| Error::io(path, "read", source))?.len();
        let size = rows.checked_mul(columns).and_then(|count| (count as u64).checked_mul(precision.bytes()));
        if size.and_then(|size| size.checked_add(start)).is_none_or(|end| end > length) {
            let found = format!("{length} bytes for a matrix of {rows} × {columns}");
            return Err(Error::malformed(path, found, EXPECTED));
        }
        if parameters == 0 || iterations < 2 {
            let found = format!("{parameters} parameters and {iterations} iterations");
            return Err(Error::malformed(path, found, "at least 1 and 2; --orientation swaps them"));
        }
        Ok(Self { path: path.to_owned(), file, start, precision, parameters, iterations, by_parameter })
    }

    /// The entries of `parameters` parameters from `first` on, as a matrix `[parameters, T]`.
    pub(crate) fn rows<T: Number>(&mut self, first: usize, parameters: usize) -> Result<Mat<T>> {
        let (iterations, all) = (self.iterations, self.parameters);
        if self.by_parameter {
            let values = self.read::<T>(first * iterations, parameters * iterations)?;
            return Ok(Mat::from_fn(parameters, iterations, |row, t| values[row * iterations + t]));
        }
        let mut block = Mat::zeros(parameters, iterations);
        for t in 0..iterations {
            let values = self.read::<T>(t * all + first, parameters)?;
            block.col_as_slice_mut(t).copy_from_slice(&values);
        }
        Ok(block)
    }

    /// The unit roundoff of the stored numbers; 0 of f64, whose is that of the products.
    pub(crate) fn roundoff(&self) -> f64 {
        match self.precision {
            Precision::Single => f64::from(f32::EPSILON) / 2.0,
            Precision::Double => 0.0,
        }
    }

    /// The entries of `iterations` iterations from `first` on, as a matrix `[n, iterations]`.
    pub(crate) fn columns<T: Number>(&mut self, first: usize, iterations: usize) -> Result<Mat<T>> {
        let (all, parameters) = (self.iterations, self.parameters);
        let mut block = Mat::zeros(parameters, iterations);
        if self.by_parameter {
            for row in 0..parameters {
                let values = self.read::<T>(row * all + first, iterations)?;
                values.into_iter().enumerate().for_each(|(t, value)| block[(row, t)] = value);
            }
            return Ok(block);
        }
        for t in 0..iterations {
            let values = self.read::<T>((first + t) * parameters, parameters)?;
            block.col_as_slice_mut(t).copy_from_slice(&values);
        }
        Ok(block)
    }

    /// `count` numbers from the place `first` on.
    fn read<T: Number>(&mut self, first: usize, count: usize) -> Result<Vec<T>> {
        let width = self.precision.bytes();
        let mut bytes = vec![0; count * width as usize];
        let place = SeekFrom::Start(self.start + first as u64 * width);
        let read = self.file.seek(place).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|source| Error::io(&self.path, "read", source))?;
        Ok(match self.precision {
            Precision::Single => bytes.as_chunks().0.iter().map(|&four| T::of_f32(f32::from_le_bytes(four))).collect(),
            Precision::Double => {
                bytes.as_chunks().0.iter().map(|&eight| T::of_f64(f64::from_le_bytes(eight))).collect()
            }
        })
    }
}

/// A number that a matrix is read as.
pub(crate) trait Number: faer::traits::RealField + Copy {
    fn of_f32(value: f32) -> Self;
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

/// A matrix as its file's header describes it.
struct Stored {
    start: u64,
    precision: Precision,
    shape: [usize; 2],
    row_major: bool,
}

fn stored_array(path: &Path) -> Result<Stored> {
    let npy = npy::open(path, EXPECTED)?;
    let malformed = |found: String| Error::malformed(path, found, EXPECTED);
    let precision = match npy.dtype().descr().as_str() {
        "'<f4'" => Precision::Single,
        "'<f8'" => Precision::Double,
        other => return Err(malformed(format!("numbers of type {other}"))),
    };
    let [rows, columns] = *npy.shape() else {
        return Err(malformed(format!("an array of shape {:?}", npy.shape())));
    };
    let row_major = npy.order() == npyz::Order::C;
    let length = std::fs::metadata(path).map_err(|source| Error::io(path, "read", source))?.len();
    let size = rows.checked_mul(columns).and_then(|count| count.checked_mul(precision.bytes()));
    let start = size.and_then(|size| length.checked_sub(size));
    let start = start.ok_or_else(|| malformed(format!("{length} bytes for a matrix of {rows} × {columns}")))?;
    Ok(Stored { start, precision, shape: [rows as usize, columns as usize], row_major })
}

fn stored_tensor(path: &Path, name: Option<&str>) -> Result<Stored> {
    let malformed = |found: String| Error::malformed(path, found, EXPECTED);
    let io = |source| Error::io(path, "read", source);
    let mut file = File::open(path).map_err(io)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| malformed(error.to_string()))?;
    let header = u64::from_le_bytes(length);
    if header > LONGEST_HEADER {
        return Err(malformed(format!("a header of {header} bytes")));
    }
    let mut bytes = Vec::new();
    file.take(header).read_to_end(&mut bytes).map_err(io)?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    let tensors = metadata.tensors();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    let chosen = match (name, &names[..]) {
        (Some(name), _) => tensors.get(name),
        (None, [only]) => tensors.get(*only),
        (None, _) => None,
    };
    let Some(tensor) = chosen else {
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        return Err(Error::malformed(
            path,
            format!("the tensors {}", names.join(", ")),
            "one of them, named with --tensor",
        ));
    };
    let precision = match tensor.dtype {
        Dtype::F32 => Precision::Single,
        Dtype::F64 => Precision::Double,
        other => return Err(malformed(format!("numbers of type {other:?}"))),
    };
    let [rows, columns] = tensor.shape[..] else {
        return Err(malformed(format!("a tensor of shape {:?}", tensor.shape)));
    };
    let start = 8 + header + tensor.data_offsets.0 as u64;
    Ok(Stored { start, precision, shape: [rows, columns], row_major: true })
}
