//! Networks, trainings and checkpoints against PyTorch and each other.
#![allow(clippy::unwrap_used)]

mod checkpoint;
mod detached;
mod examples;
mod initialisation;
mod kernels;
mod lenet;
mod resnet18;
mod training_state;
