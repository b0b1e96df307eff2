//! A gradient matrix in a file, read in blocks.

use std::path::Path;

use clap::ValueEnum;
use faer::Mat;
use faer::traits::RealField;
use gradspectra_files::{Kind, Number, StoredArray, counted};
use gradspectra_run::{Error, Result};

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

/// The least precision that holds the stored numbers as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Of float16, bfloat16 and float32.
    Single,
    /// Of float64, and of integers.
    Double,
}

/// G in an `.npy` or SafeTensors file.
#[derive(Debug)]
pub(crate) struct MatrixFile {
    array: StoredArray,
    pub(crate) precision: Precision,
    pub(crate) parameters: usize,
    pub(crate) iterations: usize,
    /// Whether the entries of one parameter follow each other, else those of one iteration.
    by_parameter: bool,
}

const EXPECTED: &str = "a matrix of floating-point numbers or integers in an .npy or .safetensors";

impl MatrixFile {
    /// Opens the matrix at `path`; of a SafeTensors file with several tensors, the one called `tensor`.
    pub(crate) fn open(path: &Path, tensor: Option<&str>, orientation: Orientation) -> Result<Self> {
        let array = StoredArray::open(path, tensor, EXPECTED)?;
        let [rows, columns] = array.shape[..] else {
            return Err(Error::malformed(path, format!("an array of shape {:?}", array.shape), EXPECTED));
        };
        let (parameters, iterations) = match orientation {
            Orientation::ParametersByIterations => (rows, columns),
            Orientation::IterationsByParameters => (columns, rows),
        };
        let by_parameter = array.row_major == (orientation == Orientation::ParametersByIterations);
        if parameters == 0 || iterations < 2 {
            let found = format!("{} and {}", counted(parameters, "parameters"), counted(iterations, "iterations"));
            return Err(Error::malformed(path, found, "at least 2 and 3"));
        }
        let precision = match array.kind {
            Kind::Half | Kind::BFloat | Kind::Single => Precision::Single,
            Kind::Double | Kind::Integer { .. } => Precision::Double,
        };
        Ok(Self { array, precision, parameters, iterations, by_parameter })
    }

    /// The largest relative error that the stored numbers have by being stored, as half the distance from 1 to the next
    /// one: 0 where they count as exact.
    pub(crate) fn roundoff(&self) -> f64 {
        match self.array.kind {
            Kind::Half => 2f64.powi(-11),
            Kind::BFloat => 2f64.powi(-8),
            Kind::Single => 2f64.powi(-24),
            Kind::Double | Kind::Integer { .. } => 0.0,
        }
    }

    /// The logarithm to base 2 of the largest error that a stored number has by being stored, however small it is: half
    /// the smallest positive number. `None` where numbers are exact.
    pub(crate) fn least(&self) -> Option<i32> {
        match self.array.kind {
            Kind::Half => Some(-25),
            Kind::BFloat => Some(-134),
            Kind::Single => Some(-150),
            Kind::Double => Some(-1075),
            Kind::Integer { .. } => None,
        }
    }

    /// The entries of `parameters` parameters from `first` on, as a matrix `[parameters, T]`.
    pub(crate) fn rows<T: Number + RealField>(&mut self, first: usize, parameters: usize) -> Result<Mat<T>> {
        let (iterations, all) = (self.iterations, self.parameters);
        if self.by_parameter {
            let values = self.array.read::<T>(first * iterations, parameters * iterations)?;
            return Ok(Mat::from_fn(parameters, iterations, |row, t| values[row * iterations + t]));
        }
        let mut block = Mat::zeros(parameters, iterations);
        for t in 0..iterations {
            let values = self.array.read::<T>(t * all + first, parameters)?;
            block.col_as_slice_mut(t).copy_from_slice(&values);
        }
        Ok(block)
    }

    /// The entries of `iterations` iterations from `first` on, as a matrix `[n, iterations]`.
    pub(crate) fn columns<T: Number + RealField>(&mut self, first: usize, iterations: usize) -> Result<Mat<T>> {
        let (all, parameters) = (self.iterations, self.parameters);
        let mut block = Mat::zeros(parameters, iterations);
        if self.by_parameter {
            for row in 0..parameters {
                let values = self.array.read::<T>(row * all + first, iterations)?;
                values.into_iter().enumerate().for_each(|(t, value)| block[(row, t)] = value);
            }
            return Ok(block);
        }
        for t in 0..iterations {
            let values = self.array.read::<T>((first + t) * parameters, parameters)?;
            block.col_as_slice_mut(t).copy_from_slice(&values);
        }
        Ok(block)
    }
}

#[cfg(test)]
#[path = "matrix_file_tests.rs"]
mod tests;
