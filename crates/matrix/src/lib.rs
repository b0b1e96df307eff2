//! Gradient matrices, spectra and values that a user brings: the whole analysis of a matrix, and a power law through a
//! file's values.

mod analyze;
mod fit;
mod matrix_file;
mod norms;
mod shape;

pub use analyze::{AnalyzeOptions, Fitted, MatrixReport, MatrixSpectrum, analyze};
pub use fit::{FileFit, Top, fit_file};
pub use matrix_file::Orientation;
