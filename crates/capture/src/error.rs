/// Why gradients could not be captured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A parameter took no part in the loss.
    #[error("parameter {path} has no gradient; use it in the model's forward pass or remove it")]
    NoGradient {
        /// Its path.
        path: String,
    },
    /// A gradient is NaN or infinite.
    #[error("the gradient of {path} is not finite ({place}); check the weights and inputs")]
    NotFinite {
        /// The parameter's or layer's path.
        path: String,
        /// The example or iteration.
        place: String,
    },
    /// A minibatch names an example that is not there.
    #[error("a minibatch names example {index}, there are {examples}; indices count from 0")]
    NoSuchExample {
        /// The index.
        index: u32,
        /// The number of examples.
        examples: usize,
    },
    /// Indices do not make whole minibatches.
    #[error("{indices} indices do not make minibatches of {batch}; give T × B indices, T and B at least 1")]
    NotRectangular {
        /// The number of indices.
        indices: usize,
        /// B.
        batch: usize,
    },
}

/// The result of a capture.
pub type Result<T, E = CaptureError> = std::result::Result<T, E>;
