//! How parameters are drawn and trained, as experiment files say it: plain values, without Burn.

mod initialisation;
mod training;

pub use initialisation::Initialisation;
pub use training::{Augmentation, Decay, EpochReport, Optimiser, Training};
