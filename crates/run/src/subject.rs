//! What is studied: a network and its data, whatever their types. The built-in ones and a user's go through the same calls.

mod array_files;
mod augmented;
pub(crate) mod fit;
mod labelled;
mod loaded;
mod measured;
mod network;
mod registry;
mod source;
mod sources;

pub use array_files::ArrayFiles;
pub(crate) use loaded::{LoadedSet, Seen};
pub(crate) use measured::{Measured, measured};
pub(crate) use network::network;
pub use registry::{register_data_set, register_labelled_data_set, register_model};
pub use source::{BoxError, DataSource};
pub(crate) use source::{Loading, Set, load, provenance, source};
