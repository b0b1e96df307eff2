//! What a run takes, before it is done.

pub mod cost;
pub mod memory;
pub(crate) mod meter;
pub mod plan;
