//! Spectra of stochastic gradients and tests of their structure: numbers in, verdicts out.
//!
//! ```
//! use gradspectra_analysis::{KsTest, PowerLawFit};
//!
//! let ranks: Vec<f64> = (1..=2000).map(|rank| (rank as f64).powf(-1.4)).collect();
//! let fit = PowerLawFit::top(&ranks, 1000)?;
//! assert!((fit.s() - 1.4).abs() < 0.01);
//! assert!(KsTest::of(&fit).is_power_law());
//! # Ok::<(), gradspectra_analysis::AnalysisError>(())
//! ```

mod eigenvalues;
mod entries;
mod error;
mod ks;
mod likelihood;
mod monte_carlo;
mod normality;
mod power_law;
mod random;
mod scale;
mod spectrum;
mod x_min;

pub use eigenvalues::symmetric_eigenvalues;
pub use entries::{
    AllZeroReading, DrawReading, Entry, EntryTest, EntryTestConfig, EntryTestSummary, EntryTests, UndefinedPReading,
    ZeroReading,
};
pub use error::{AnalysisError, Result};
pub use ks::{KsDistances, KsTest};
pub use likelihood::{Alternative, AlternativeFit, LikelihoodRatio};
pub use monte_carlo::MonteCarloTest;
pub use normality::NormalityTest;
pub use power_law::PowerLawFit;
pub use spectrum::{EigengapReading, Spectrum};
pub use x_min::XMinScan;
