use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Tensor};

use crate::layers::product::product;

/// Scaled dot-product attention ([Vaswani et al.](https://arxiv.org/abs/1706.03762) 2017, Eq. 1).
///
/// `queries`, `keys` and `values` are `[examples, heads, length, width]`, and so is what is returned; with `causal`, a
/// position attends to itself and to those before it.
pub fn attention(queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>, causal: bool) -> Tensor<4> {
    let [examples, heads, length, width] = queries.dims();
    let device = queries.device();
    let scores = product(queries * (1.0 / (width as f64).sqrt()), keys.swap_dims(2, 3));
    let scores = match causal {
        true => {
            let later = Tensor::<2, Bool>::tril_mask([length, length], 0, &device);
            scores.mask_fill(later.unsqueeze::<4>().expand([examples, heads, length, length]), f32::NEG_INFINITY)
        }
        false => scores,
    };
    product(softmax(scores, 3), values)
}

/// Attention of the heads whose queries, keys and values stand side by side in `projected` `[examples, length, 3 × width]`, as
/// nanoGPT's `c_attn` and timm's `qkv` give them: `[examples, length, width]`.
pub(crate) fn self_attention(projected: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [examples, length, triple] = projected.dims();
    let width = triple / 3;
    let part = |index: usize| {
        let part = projected.clone().narrow(2, index * width, width);
        part.reshape([examples, length, heads, width / heads]).swap_dims(1, 2)
    };
    attention(part(0), part(1), part(2), causal).swap_dims(1, 2).reshape([examples, length, width])
}
