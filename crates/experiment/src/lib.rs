//! What is to be run and what came out: experiment files, the paper's tables, rows, keys and results, and the folder that
//! keeps them. Without Burn.

mod backend;
pub mod catalogue;
mod error;
mod identity;
mod power_law;
mod result;
mod row;
pub mod spec;
mod store;
mod track;
pub mod words;

pub use backend::{Backend, DeviceReport};
pub use error::{Error, Result};
pub use identity::{Identity, identity, program};
pub use power_law::{AtHalf, PowerLawReport, of_few};
pub use result::{
    CaptureReport, EntriesFinding, Finding, Histogram, LayerWay, PositionReport, Products, RowResult, SpectrumFinding,
    SpectrumSummary, Timings, Way,
};
pub use row::{
    Analysis, Axis, CaptureInputs, Experiment, MINIBATCHES, Matrix, PaperFigures, Row, SpectrumValues, Vectors,
    minibatch_sizes,
};
pub use spec::{DataSpec, ModelSpec};
pub use store::{PLOTS, POSITIONS, Store, TERMS, folders, names, seeds, short_key};
pub use track::{Track, TrackPoint, TrackedLaw};
