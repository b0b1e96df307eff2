//! What layers compute, on the CPU by kernels of our own.

mod convolution;
pub(crate) mod extension;
pub(crate) mod kernels;
pub(crate) mod pooling;
pub(crate) mod product;
