use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::check_heads;
use crate::layers::attention::self_attention;
use crate::{Architecture, Classifier, Facts, Trace};

/// The vision transformer of Dosovitskiy et al., [An image is worth 16x16 words](https://arxiv.org/abs/2010.11929) (2020), as
/// [timm](https://github.com/huggingface/pytorch-image-models) builds it: a class token, blocks that normalise first, exact
/// GELU, no dropout. Parameters are named as there.
#[derive(Module, Debug)]
pub struct Vit {
    cls_token: Param<Tensor<3>>,
    pos_embed: Param<Tensor<3>>,
    patch_embed: PatchEmbed,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    #[module(skip)]
    image: [usize; 3],
}

#[derive(Module, Debug)]
struct PatchEmbed {
    proj: Conv2d,
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
}

#[derive(Module, Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    #[module(skip)]
    heads: usize,
}

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Block {
    fn forward(&self, x: Tensor<3>, path: &str, trace: &mut Trace) -> Tensor<3> {
        let Self { norm1, attn, norm2, mlp } = self;
        let normalised = trace.layer(&format!("{path}.norm1"), norm1, x.clone());
        let projected = trace.layer(&format!("{path}.attn.qkv"), &attn.qkv, normalised);
        let attended = self_attention(projected, attn.heads, false);
        let x = x + trace.layer(&format!("{path}.attn.proj"), &attn.proj, attended);
        let normalised = trace.layer(&format!("{path}.norm2"), norm2, x.clone());
        let hidden = gelu(trace.layer(&format!("{path}.mlp.fc1"), &mlp.fc1, normalised));
        x + trace.layer(&format!("{path}.mlp.fc2"), &mlp.fc2, hidden)
    }
}

impl Classifier for Vit {
    fn logits(&self, inputs: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let [examples, _] = inputs.dims();
        let [channels, height, width] = self.image;
        let images = inputs.reshape([examples, channels, height, width]);
        let patches = trace.layer("patch_embed.proj", &self.patch_embed.proj, images);
        let [_, numbers, rows, columns] = patches.dims();
        let patches = patches.reshape([examples, numbers, rows * columns]).swap_dims(1, 2);
        let token: Tensor<4> = trace.parameter("cls_token", &self.cls_token, examples);
        let positions: Tensor<4> = trace.parameter("pos_embed", &self.pos_embed, examples);
        let x = Tensor::cat(vec![token.flatten(1, 2), patches], 1);
        let mut x = x + positions.flatten(1, 2);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &format!("blocks.{index}"), trace);
        }
        let token = trace.layer("norm", &self.norm, x).narrow(1, 0, 1).flatten(1, 2);
        trace.layer("head", &self.head, token)
    }
}

/// ViT as an experiment file writes it: `{ kind = "vit", patch = 4, layers = 4, heads = 4, width = 128 }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct VitSettings {
    /// The side of a patch, which divides those of an image.
    pub patch: usize,
    /// The number of blocks.
    pub layers: usize,
    /// The heads of attention of a block.
    pub heads: usize,
    /// The numbers that a patch is at between blocks, a multiple of `heads`.
    pub width: usize,
}

impl Default for VitSettings {
    fn default() -> Self {
        Self { patch: 4, layers: 4, heads: 4, width: 128 }
    }
}

impl Architecture for VitSettings {
    type Model = Vit;

    fn title(&self) -> String {
        format!("ViT {}×{}", self.layers, self.width)
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<Vit, String> {
        let &Self { patch, layers, heads, width } = self;
        let image: [usize; 3] = facts.input_shape[..]
            .try_into()
            .map_err(|_| format!("it takes images, and the data set has inputs of {:?}", facts.input_shape))?;
        let [channels, rows, columns] = image;
        check_heads(layers, heads, width)?;
        if patch == 0 || !rows.is_multiple_of(patch) || !columns.is_multiple_of(patch) {
            return Err(format!(
                "it has patch {patch}, and images are {rows} × {columns}; give a patch that divides both"
            ));
        }
        /// As timm's.
        const EPSILON: f64 = 1e-6;
        let norm = || LayerNormConfig::new(width).with_epsilon(EPSILON).init(device);
        let linear = |inputs: usize, outputs: usize| LinearConfig::new(inputs, outputs).init(device);
        let one = |_| Block {
            norm1: norm(),
            attn: Attention { qkv: linear(width, 3 * width), proj: linear(width, width), heads },
            norm2: norm(),
            mlp: Mlp { fc1: linear(width, 4 * width), fc2: linear(4 * width, width) },
        };
        let patches = (rows / patch) * (columns / patch);
        let projection = Conv2dConfig::new([channels, width], [patch, patch]).with_stride([patch, patch]);
        Ok(Vit {
            cls_token: Param::from_tensor(Tensor::zeros([1, 1, width], device)),
            pos_embed: Param::from_tensor(Tensor::zeros([1, patches + 1, width], device)),
            patch_embed: PatchEmbed { proj: projection.init(device) },
            blocks: (0..layers).map(one).collect(),
            norm: norm(),
            head: linear(width, facts.targets),
            image,
        })
    }
}
