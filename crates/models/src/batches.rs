//! What networks other than classifiers take.

use burn::tensor::{Int, Tensor};

/// A batch of sequences of tokens, each token with the one that follows it.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// The tokens, `[examples, length]`.
    pub inputs: Tensor<2, Int>,
    /// The token that follows each, `[examples, length]`; a negative number where none is to be predicted.
    pub targets: Tensor<2, Int>,
}

/// A batch of inputs, each with the numbers that a network is to predict from it.
#[derive(Debug, Clone)]
pub struct Regression {
    /// `[examples, features]`.
    pub inputs: Tensor<2>,
    /// `[examples, outputs]`.
    pub targets: Tensor<2>,
}
