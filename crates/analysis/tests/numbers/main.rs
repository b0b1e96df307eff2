//! Spectra, fits and tests against other programs and exact values.
#![allow(clippy::unwrap_used)]

mod calibration;
mod comparisons;
mod entries;
mod matrix_types;
mod outliers;
mod rank;
mod scale;
mod statistics;
