//! Gradients and Gram matrices against PyTorch and each other, and what is refused.
#![allow(clippy::unwrap_used)]

mod beyond;
mod direct;
mod exactness;
mod fixtures;
mod layers;
mod networks;
mod refusals;
mod terms;
