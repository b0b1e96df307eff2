use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Model;

/// The settings of a network, as an experiment file writes them in `model = { kind = "…", … }`.
///
/// Derive `Serialize` and `Deserialize` with `deny_unknown_fields`, and give every setting a default that the name of the
/// network stands for; what is serialised is part of the keys of results.
pub trait Architecture: std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The network.
    type Model: Model;

    /// The network's name in tables.
    fn title(&self) -> String;

    /// Builds the network for data of which `facts` are known, on `device`; its parameters are drawn afterwards.
    ///
    /// # Errors
    ///
    /// Settings or data that the network cannot have: what was expected, in a sentence without its subject's name, e.g.
    /// `it takes images`.
    fn build(&self, facts: &Facts, device: &Device) -> Result<Self::Model, String>;
}

/// What a network may ask of data before they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The shape of one input, as the network takes it.
    pub input_shape: Vec<usize>,
    /// What a network gives for one example: classes, or the numbers that it predicts.
    pub targets: usize,
    /// The training examples.
    pub examples: usize,
}

impl Facts {
    /// The numbers in one input.
    pub fn features(&self) -> usize {
        self.input_shape.iter().product()
    }
}
