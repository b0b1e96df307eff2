//! Spectra, fits and tests against other programs and exact values.
#![allow(clippy::unwrap_used)]

mod calibration;
mod comparisons;
mod entries;
mod kinds_of_matrices;
mod outliers;
mod rank;
mod scale;
mod statistics;
