//! What a convolutional network spends its time on, for the CPU: plain slices in, plain slices out.

mod convolution;
mod geometry;
mod pooling;
mod product;

pub(crate) use convolution::{convolve, example_gradients, input_gradient, weight_gradient};
pub(crate) use geometry::Geometry;
pub(crate) use pooling::{pool, pool_gradient};
