use std::ops::Range;

use gradspectra_models::ExamplesError;

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
    /// A minibatch names an example whose factors were not captured.
    #[error("a minibatch names example {index}, which was not captured; capture it with the others")]
    NotCaptured {
        /// The index.
        index: u32,
    },
    /// Indices do not make whole minibatches.
    #[error("{indices} indices do not make minibatches of {batch}; give T × B indices, T and B at least 1")]
    NotRectangular {
        /// The number of indices.
        indices: usize,
        /// B.
        batch: usize,
    },
    /// Examples do not fit the model.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
    /// The device computes no gradients.
    #[error("the device computes no gradients; build the model on device.autodiff() and give that device")]
    NoAutodiff,
    /// The loss of the same examples moves from one evaluation to the next.
    #[error(
        "the loss of the same examples is {first}, then {second}: the model draws random numbers{}; set its dropout to 0 or \
         freeze it",
        listed(.suspects)
    )]
    NotRepeatable {
        /// The first loss.
        first: f32,
        /// The second.
        second: f32,
        /// The paths of modules that draw random numbers.
        suspects: Vec<String>,
    },
    /// The model's gradients do not come as factors of its examples; each minibatch takes a backward pass.
    #[error(transparent)]
    NotFactored(#[from] NotFactored),
    /// Parameters of a Gram matrix are missing, or are not those of the model.
    #[error(
        "the Gram matrix lacks some of the parameters {} to {}{}, or has others than the model; add every block of its terms \
         in order",
        parameters.start,
        parameters.end,
        listed(paths)
    )]
    Incomplete {
        /// The parameters, counted from 0.
        parameters: Range<usize>,
        /// The paths of the parameters, where they are known.
        paths: Vec<String>,
    },
    /// The system refuses threads.
    #[error("the system refuses a thread; free some, or set RAYON_NUM_THREADS to 1")]
    NoThreads,
    /// The system refuses memory.
    #[error(
        "the system refuses {} MB for {what}; lower the iterations or use a machine with more memory",
        bytes.div_ceil(1_000_000)
    )]
    OutOfMemory {
        /// What was to be held.
        what: String,
        /// Its bytes.
        bytes: u128,
    },
}

fn listed(paths: &[String]) -> String {
    if paths.is_empty() { String::new() } else { format!(" ({})", paths.join(", ")) }
}

/// Why a model's gradients do not come as factors of its examples.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFactored {
    /// No layer goes through the trace.
    #[error("no layer goes through the trace")]
    NoLayer,
    /// A parameter is in no layer that goes through the trace.
    #[error("parameter {path} is in no layer that goes through the trace")]
    Untraced {
        /// Its path.
        path: String,
    },
    /// Two layers that go through the trace have parameters in common.
    #[error("layer {path} goes through the trace with parameters that also went under another path")]
    Repeated {
        /// Its path.
        path: String,
    },
    /// The trace names a layer that the model does not have, or whose parameters do not follow each other.
    #[error("the model has no layer {path} whose parameters follow each other, as the trace names it")]
    Unknown {
        /// The path.
        path: String,
    },
    /// A layer's factors are those of another number of parameters.
    #[error("layer {path} gives the factors of {factors} parameters and has {parameters}")]
    Size {
        /// Its path.
        path: String,
        /// The parameters whose factors it gives.
        factors: usize,
        /// Its parameters.
        parameters: usize,
    },
    /// A layer's factors have another number of rows than there are examples.
    #[error("layer {path} gives {rows} rows of factors for {examples} examples, and needs one an example")]
    Rows {
        /// Its path.
        path: String,
        /// The rows.
        rows: usize,
        /// The examples.
        examples: usize,
    },
    /// The uses of a layer are not those of one layer, or are others for some examples.
    #[error("layer {path} goes through the trace in ways that do not fit each other")]
    Uses {
        /// Its path.
        path: String,
    },
    /// Examples of another length than the first ones.
    #[error("layer {path} gives {then} positions for some examples and {first} for the first; pad all to one length")]
    Positions {
        /// Its path.
        path: String,
        /// The positions of the first examples.
        first: usize,
        /// Those of others.
        then: usize,
    },
    /// The gradient by factors is not that of a backward pass.
    #[error(
        "the gradient of {path} by factors is off by {:.2} % of that of a backward pass: examples mix, or the parameter is \
         also used beside the trace",
        100.0 * difference
    )]
    Differs {
        /// The layer's path.
        path: String,
        /// The norm of the difference, relative to that of the examples' gradients.
        difference: f64,
    },
}

/// The result of a capture.
pub type Result<T, E = CaptureError> = std::result::Result<T, E>;
