use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::product;

/// How a layer stores its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// `[in, out]`, as Burn's `Linear`.
    InputMajor,
    /// `[out, in]`, as convolutions and tables of embeddings.
    OutputMajor,
}

/// The gradients of all examples with respect to one layer, as factors or in full.
#[derive(Debug, Clone)]
pub enum Factors {
    /// The weight's gradient of example i is A_iᵀ D_i, a sum over its positions; the bias's is the sum of the rows of D_i.
    Products {
        /// A, `[examples, positions, in]`.
        input: Tensor<3>,
        /// D, `[examples, positions, out]`.
        delta: Tensor<3>,
        /// The order of the weight's entries.
        layout: WeightLayout,
        /// Whether a bias of `out` entries follows the weight.
        bias: bool,
    },
    /// Rows of a table `[rows, width]` that are looked up: the gradient of a row is the sum of the derivatives where it was.
    Lookup {
        /// The row of each position, `[examples, positions]`.
        tokens: Tensor<2, Int>,
        /// The derivatives, `[examples, positions, width]`.
        delta: Tensor<3>,
        /// The rows of the table.
        rows: usize,
    },
    /// The gradients themselves, `[examples, parameters of the layer]`.
    Explicit(Tensor<2>),
}

impl Factors {
    /// Outer products a_i δ_iᵀ of `input` `[examples, in]` and `delta` `[examples, out]`: an example has one position.
    pub fn outer(input: Tensor<2>, delta: Tensor<2>, layout: WeightLayout, bias: bool) -> Self {
        Self::Products { input: input.unsqueeze_dim(1), delta: delta.unsqueeze_dim(1), layout, bias }
    }

    /// The number of parameters whose gradients these are.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Products { input, delta, bias, .. } => {
                let (inputs, outputs) = (input.dims()[2], delta.dims()[2]);
                inputs * outputs + if *bias { outputs } else { 0 }
            }
            Self::Lookup { delta, rows, .. } => rows * delta.dims()[2],
            Self::Explicit(gradients) => gradients.dims()[1],
        }
    }

    /// The examples that each tensor has rows for.
    pub fn examples(&self) -> [usize; 2] {
        match self {
            Self::Products { input, delta, .. } => [input.dims()[0], delta.dims()[0]],
            Self::Lookup { tokens, delta, .. } => [tokens.dims()[0], delta.dims()[0]],
            Self::Explicit(gradients) => [gradients.dims()[0]; 2],
        }
    }

    /// The numbers of an example that these are.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Products { input, delta, .. } => input.dims()[1] * (input.dims()[2] + delta.dims()[2]),
            Self::Lookup { delta, .. } => delta.dims()[1] * (delta.dims()[2] + 1),
            Self::Explicit(gradients) => gradients.dims()[1],
        }
    }

    /// The gradients themselves.
    pub fn explicit(self) -> Tensor<2> {
        match self {
            Self::Explicit(gradients) => gradients,
            Self::Products { input, delta, layout, bias } => {
                let biases = bias.then(|| delta.clone().sum_dim(1).flatten::<2>(1, 2));
                let weight = match layout {
                    WeightLayout::InputMajor => product(input.swap_dims(1, 2), delta),
                    WeightLayout::OutputMajor => product(delta.swap_dims(1, 2), input),
                };
                let weight = weight.flatten::<2>(1, 2);
                match biases {
                    Some(biases) => Tensor::cat(vec![weight, biases], 1),
                    None => weight,
                }
            }
            Self::Lookup { tokens, delta, rows } => {
                let [examples, positions, width] = delta.dims();
                let table = Tensor::zeros([examples, rows, width], &delta.device());
                let tokens = tokens.reshape([examples, positions, 1]).expand([examples, positions, width]);
                table.scatter(1, tokens, delta, IndexingUpdateOp::Add).flatten(1, 2)
            }
        }
    }

    /// As they are, or the gradients themselves where these are fewer numbers; of one position they stay factors, whose inner
    /// products are the fastest.
    pub fn smallest(self) -> Self {
        let stays = match &self {
            Self::Products { input, .. } if input.dims()[1] == 1 => true,
            factors => factors.numbers() < factors.parameters(),
        };
        if stays { self } else { Self::Explicit(self.explicit()) }
    }

    /// The gradients of the layer's uses here and in `other`, added up; both are of equal parameters and examples.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Products { input, delta, layout, bias },
                Self::Products { input: inputs, delta: deltas, layout: other_layout, bias: other_bias },
            ) if (layout, bias) == (other_layout, other_bias) && input.dims()[2] == inputs.dims()[2] => {
                Self::Products {
                    input: Tensor::cat(vec![input, inputs], 1),
                    delta: Tensor::cat(vec![delta, deltas], 1),
                    layout,
                    bias,
                }
            }
            (
                Self::Lookup { tokens, delta, rows },
                Self::Lookup { tokens: others, delta: deltas, rows: other_rows },
            ) if rows == other_rows => Self::Lookup {
                tokens: Tensor::cat(vec![tokens, others], 1),
                delta: Tensor::cat(vec![delta, deltas], 1),
                rows,
            },
            (first, second) => Self::Explicit(first.explicit() + second.explicit()),
        }
    }
}

/// The factors of one use of a layer in a traced pass.
#[derive(Debug, Clone)]
pub struct LayerFactors {
    /// The layer's path in the model, e.g. `fc1`.
    pub path: String,
    /// Its examples' gradients.
    pub factors: Factors,
}
