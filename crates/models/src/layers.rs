//! What layers compute, on the CPU by kernels of our own, and the gradients of every example with respect to them.

pub(crate) mod attention;
mod convolution;
pub(crate) mod extension;
pub(crate) mod kernels;
mod linear;
mod normalisation;
pub(crate) mod pooling;
pub(crate) mod product;
mod transposed;
mod unfolding;
