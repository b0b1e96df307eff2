use serde::{Deserialize, Serialize};

/// How the weights and biases of linear layers and convolutions are drawn, those inside attention and recurrent layers
/// too.
///
/// Convolutions have one to three dimensions and may be transposed or deformable; the fans are those that PyTorch
/// counts. An embedding is standard normal, as PyTorch's, with each scheme but [`Transformer`](Self::Transformer). A parameter of any other layer keeps what its
/// own `init` gave it if all its entries are equal, as normalisation layers keep their ones and zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Uniform in ±1/√fan_in, weights and biases: PyTorch's and Burn's default.
    #[default]
    Uniform,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), [Glorot and Bengio](https://proceedings.mlr.press/v9/glorot10a.html)
    /// (2010); biases zero.
    Xavier,
    /// Convolutions normal with deviation √(2/fan_in), [He et al.](https://arxiv.org/abs/1502.01852) (2015), linear
    /// layers as [`Xavier`](Self::Xavier); biases zero.
    KaimingConvolutions,
    /// Weights, embeddings and bare parameters of two dimensions or more that begin at zeros normal with deviation 0.02, those
    /// of layers named `c_proj`, which end a way around of a block, with 0.02/√(their number); biases zero: GPT-2's, as
    /// [nanoGPT](https://github.com/karpathy/nanoGPT) has it.
    Transformer,
}
