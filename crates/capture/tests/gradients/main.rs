//! Gradients and Gram matrices against PyTorch and each other, and what is refused.
#![allow(clippy::unwrap_used)]

mod direct;
mod exactness;
mod fixtures;
mod networks;
mod refusals;
mod terms;
