//! A small language model of one's own: an embedding whose weight is used again for the output, positions, and a head of
//! attention, of Burn's layers. Its loss is the mean cross-entropy over an example's tokens.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use gradspectra::data::Split;
use gradspectra::models::{Architecture, Examples, Facts, Model, Trace};
use gradspectra::{BoxError, DataSource};
use serde::{Deserialize, Serialize};

/// A decoder of one layer.
#[derive(Module, Debug)]
pub struct LanguageModel {
    embedding: Embedding,
    positions: Embedding,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl LanguageModel {
    /// Logits `[examples, tokens, vocabulary]` of the token that follows each of `tokens` `[examples, tokens]`.
    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [_, length] = tokens.dims();
        let x = self.embedding.forward(tokens) + self.positions.weight.val().slice([0..length]).unsqueeze();
        let [_, _, width] = x.dims();
        let (query, key) = (self.query.forward(x.clone()), self.key.forward(x.clone()));
        let scores = query.matmul(key.swap_dims(1, 2)) / (width as f64).sqrt();
        let later = Tensor::<2, Bool>::tril_mask([length, length], 0, &x.device()).unsqueeze();
        let attention = softmax(scores.mask_fill(later, f32::NEG_INFINITY), 2);
        let x = x.clone() + self.output.forward(attention.matmul(self.value.forward(x)));
        x.matmul(self.embedding.weight.val().transpose().unsqueeze())
    }
}

impl Model for LanguageModel {
    type Batch = Tensor<2, Int>;

    fn losses(&self, tokens: Tensor<2, Int>, _: &mut Trace) -> Tensor<1> {
        let [examples, length] = tokens.dims();
        let logits = self.logits(tokens.clone().slice([0..examples, 0..length - 1]));
        let next = tokens.slice([0..examples, 1..length]).unsqueeze_dim(2);
        log_softmax(logits, 2).gather(2, next).flatten::<2>(1, 2).mean_dim(1).flatten(0, 1).neg()
    }
}

/// `model = { kind = "language-model", width = 8 }`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LanguageModelSettings {
    /// The numbers that stand for a token.
    pub width: usize,
}

impl Architecture for LanguageModelSettings {
    type Model = LanguageModel;

    fn title(&self) -> String {
        "language model".to_owned()
    }

    fn build(&self, facts: &Facts, device: &Device) -> Result<LanguageModel, String> {
        let [length] = facts.input_shape[..] else { return Err("it takes sequences of tokens".to_owned()) };
        let (width, linear) = (self.width, || LinearConfig::new(self.width, self.width).init(device));
        Ok(LanguageModel {
            embedding: EmbeddingConfig::new(facts.targets, width).init(device),
            positions: EmbeddingConfig::new(length, width).init(device),
            query: linear(),
            key: linear(),
            value: linear(),
            output: linear(),
        })
    }
}

/// `data-set = { kind = "sequences", examples = 600 }`: made-up sequences of tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sequences {
    /// How many.
    pub examples: usize,
}

const VOCABULARY: u32 = 11;
const LENGTH: u32 = 6;

impl DataSource for Sequences {
    type Batch = Tensor<2, Int>;

    fn title(&self) -> String {
        "sequences".to_owned()
    }

    fn facts(&self) -> Result<Facts, BoxError> {
        Ok(Facts { input_shape: vec![LENGTH as usize], targets: VOCABULARY as usize, examples: self.examples })
    }

    fn load(&self, split: Split) -> Result<Option<Box<dyn Examples<Batch = Self::Batch>>>, BoxError> {
        Ok((split == Split::Train).then(|| Box::new(self.clone()) as Box<dyn Examples<Batch = Self::Batch>>))
    }
}

impl Examples for Sequences {
    type Batch = Tensor<2, Int>;

    fn len(&self) -> usize {
        self.examples
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Self::Batch {
        let token = |i: u32, t: u32| (((i.wrapping_mul(2_654_435_761) >> (3 * t)) ^ t) % VOCABULARY) as i32;
        let tokens: Vec<i32> = indices.iter().flat_map(|&i| (0..LENGTH).map(move |t| token(i, t))).collect();
        Tensor::from_data(TensorData::new(tokens, [indices.len(), LENGTH as usize]), device)
    }
}
