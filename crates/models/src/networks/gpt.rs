use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::check_heads;
use crate::layers::attention::self_attention;
use crate::{Architecture, ExamplesError, Facts, Model, Sequences, Trace, cross_entropy, exact_cross_entropy};

/// A transformer that predicts the next token, as [nanoGPT](https://github.com/karpathy/nanoGPT) builds it: blocks that
/// normalise first, exact GELU, learned positions, no dropout. Parameters are named as there.
///
/// An example's loss is the mean cross-entropy over those of its tokens whose follower is to be predicted.
#[derive(Module, Debug)]
pub struct Gpt {
    transformer: Transformer,
    /// The head, where it is not tied to the embedding.
    lm_head: Option<Linear>,
}

#[derive(Module, Debug)]
struct Transformer {
    wte: Embedding,
    wpe: Embedding,
    h: Vec<Block>,
    ln_f: LayerNorm,
}

#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

#[derive(Module, Debug)]
struct Attention {
    c_attn: Linear,
    c_proj: Linear,
    #[module(skip)]
    heads: usize,
}

#[derive(Module, Debug)]
struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
}

impl Block {
    fn forward(&self, x: Tensor<3>, path: &str, trace: &mut Trace) -> Tensor<3> {
        let Self { ln_1, attn, ln_2, mlp } = self;
        let normalised = trace.layer(&format!("{path}.ln_1"), ln_1, x.clone());
        let projected = trace.layer(&format!("{path}.attn.c_attn"), &attn.c_attn, normalised);
        let attended = self_attention(projected, attn.heads, true);
        let x = x + trace.layer(&format!("{path}.attn.c_proj"), &attn.c_proj, attended);
        let normalised = trace.layer(&format!("{path}.ln_2"), ln_2, x.clone());
        let hidden = gelu(trace.layer(&format!("{path}.mlp.c_fc"), &mlp.c_fc, normalised));
        x + trace.layer(&format!("{path}.mlp.c_proj"), &mlp.c_proj, hidden)
    }
}

impl Gpt {
    /// The logits `[examples, length, vocabulary]` of the token that follows each of `tokens` `[examples, length]`.
    ///
    /// # Panics
    ///
    /// If the sequences are longer than the positions that the network has.
    pub fn logits(&self, tokens: Tensor<2, Int>, trace: &mut Trace) -> Tensor<3> {
        let Transformer { wte, wpe, h, ln_f } = &self.transformer;
        let [examples, length] = tokens.dims();
        let positions = Tensor::arange(0..length as i64, &tokens.device()).unsqueeze::<2>().expand([examples, length]);
        let mut x =
            trace.embedding("transformer.wte", wte, tokens) + trace.embedding("transformer.wpe", wpe, positions);
        for (index, block) in h.iter().enumerate() {
            x = block.forward(x, &format!("transformer.h.{index}"), trace);
        }
        let x = trace.layer("transformer.ln_f", ln_f, x);
        match &self.lm_head {
            Some(head) => trace.layer("lm_head", head, x),
            None => trace.unembedding("transformer.wte", wte, x),
        }
    }

    /// The mean over each example's tokens of what `of` gives for logits `[tokens, vocabulary]` and targets `[tokens]`.
    fn mean_over_tokens(
        &self,
        batch: Sequences,
        trace: &mut Trace,
        of: impl FnOnce(Tensor<2>, Tensor<1, Int>) -> Tensor<1>,
    ) -> Tensor<1> {
        let [examples, length] = batch.targets.dims();
        let logits = self.logits(batch.inputs, trace).flatten::<2>(0, 1);
        let targets = batch.targets.reshape([examples * length]);
        let predicted = targets.clone().greater_equal_elem(0).float();
        let values = of(logits, targets.clamp_min(0)) * predicted.clone();
        let sums = values.reshape([examples, length]).sum_dim(1);
        let counts = predicted.reshape([examples, length]).sum_dim(1);
        (sums / counts).flatten(0, 1)
    }
}

impl Model for Gpt {
    type Batch = Sequences;

    fn losses(&self, batch: Sequences, trace: &mut Trace) -> Tensor<1> {
        self.try_losses(batch, trace).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_losses(&self, batch: Sequences, trace: &mut Trace) -> Result<Tensor<1>, ExamplesError> {
        let [vocabulary, _] = self.transformer.wte.weight.dims();
        check(&batch, vocabulary)?;
        let loss = if trace.captures() { exact_cross_entropy } else { cross_entropy };
        Ok(self.mean_over_tokens(batch, trace, loss))
    }

    /// The share of an example's tokens whose follower has the largest logit.
    fn scores(&self, batch: Sequences) -> Option<Tensor<1>> {
        let right = |logits: Tensor<2>, targets| logits.argmax(1).flatten::<1>(0, 1).equal(targets).float();
        Some(self.mean_over_tokens(batch, &mut Trace::off(), right))
    }
}

/// Refuses tokens that are not of the vocabulary, and examples without a token to predict.
fn check(batch: &Sequences, vocabulary: usize) -> Result<(), ExamplesError> {
    let [_, length] = batch.inputs.dims();
    let read = |tokens: &Tensor<2, Int>| tokens.clone().into_data().iter::<i64>().collect::<Vec<_>>();
    let (inputs, targets) = (read(&batch.inputs), read(&batch.targets));
    let is_known = |token: i64| usize::try_from(token).is_ok_and(|token| token < vocabulary);
    let unknown = |place: usize, token: i64| ExamplesError::Token { example: place / length, token, vocabulary };
    if let Some(place) = inputs.iter().position(|&token| !is_known(token)) {
        return Err(unknown(place, inputs[place]));
    }
    if let Some(place) = targets.iter().position(|&token| token >= 0 && !is_known(token)) {
        return Err(unknown(place, targets[place]));
    }
    match targets.chunks(length).position(|targets| targets.iter().all(|&token| token < 0)) {
        Some(example) => Err(ExamplesError::NothingToPredict { example }),
        None => Ok(()),
    }
}

/// GPT as an experiment file writes it: `{ kind = "gpt", layers = 4, heads = 4, width = 128, tied = true }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GptSettings {
    /// The number of blocks.
    pub layers: usize,
    /// The heads of attention of a block.
    pub heads: usize,
    /// The numbers that a token is at between blocks, a multiple of `heads`.
    pub width: usize,
    /// Whether the head is the embedding's table.
    pub tied: bool,
    /// Whether linear layers and normalisations have biases.
    pub bias: bool,
    /// The most tokens of a sequence; those of the data without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<usize>,
}

impl Default for GptSettings {
    fn default() -> Self {
        Self { layers: 4, heads: 4, width: 128, tied: true, bias: true, block: None }
    }
}

impl Architecture for GptSettings {
    type Model = Gpt;

    fn title(&self) -> String {
        format!("GPT {}×{}", self.layers, self.width)
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<Gpt, String> {
        let &[length] = &facts.input_shape[..] else {
            return Err(format!("it takes sequences of tokens, the data set has inputs of {:?}", facts.input_shape));
        };
        let &Self { layers, heads, width, tied, bias, block } = self;
        check_heads(layers, heads, width)?;
        let positions = block.unwrap_or(length);
        if positions < length {
            return Err(format!(
                "it has block {positions}, and the data's sequences have {length} tokens; give a larger block"
            ));
        }
        let linear = |inputs: usize, outputs: usize| LinearConfig::new(inputs, outputs).with_bias(bias).init(device);
        let norm = || LayerNormConfig::new(width).with_bias(bias).init(device);
        let one = |_| Block {
            ln_1: norm(),
            attn: Attention { c_attn: linear(width, 3 * width), c_proj: linear(width, width), heads },
            ln_2: norm(),
            mlp: Mlp { c_fc: linear(width, 4 * width), c_proj: linear(4 * width, width) },
        };
        let transformer = Transformer {
            wte: EmbeddingConfig::new(facts.targets, width).init(device),
            wpe: EmbeddingConfig::new(positions, width).init(device),
            h: (0..layers).map(one).collect(),
            ln_f: norm(),
        };
        let head = || LinearConfig::new(width, facts.targets).with_bias(false).init(device);
        Ok(Gpt { transformer, lm_head: (!tied).then(head) })
    }
}
