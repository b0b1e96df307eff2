//! Stochastic gradients of Burn models at a fixed position, and the Gram matrices of their spectra.
//!
//! A minibatch's gradient is the mean of its examples' gradients, unless the model mixes examples (BatchNorm in
//! training mode). So [`ExampleFactors`] runs every example through the model once and serves any minibatches of any
//! size; [`direct_history`] makes one backward pass an iteration and serves every model.

mod checks;
mod compensated;
mod direct;
mod error;
mod factors;
mod gram;
mod history;
mod layout;
mod minibatch;
mod products;
mod reductions;
mod scale;
mod square;
mod updates;

pub use direct::{Trajectory, direct_block, direct_history, for_each_gradient};
pub use error::{CaptureError, NotFactored, Result};
pub use factors::{ExampleFactors, LayerSize, PlainWay, examples_at_once, threads_at_once};
pub use gram::{Gram, GramBuilder, Precision, gram_terms};
pub use history::GradientHistory;
pub use layout::{ParameterLayout, ParameterSlot};
pub use minibatch::MinibatchIndices;
pub use square::SquareMatrix;
pub use updates::to_updates;
