//! Layers that scale and shift what they have normalised: their gradients are Σ x̂ ∘ δ and Σ δ over the positions.

use burn::module::Param;
use burn::nn::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RmsNorm};
use burn::tensor::Tensor;

use crate::{Factors, TracedLayer};

/// The gradients of a scale, and of a shift where there is one, that follow the side `side` of what is normalised.
fn scale_and_shift<const D: usize>(normalised: Tensor<D>, delta: Tensor<D>, side: usize, shift: bool) -> Factors {
    let sides = delta.dims();
    let [before, features, after] =
        [sides[1..side].iter().product(), sides[side], sides[side + 1..].iter().product::<usize>()];
    let sum = |tensor: Tensor<D>| {
        let tensor = tensor.reshape([sides[0], before, features, after]);
        tensor.sum_dim(3).sum_dim(1).reshape([sides[0], features])
    };
    let scale = sum(normalised * delta.clone());
    Factors::Explicit(if shift { Tensor::cat(vec![scale, sum(delta)], 1) } else { scale })
}

fn ones(parameter: &Param<Tensor<1>>) -> Param<Tensor<1>> {
    Param::from_tensor(parameter.val().ones_like())
}

fn zeros(parameter: &Param<Tensor<1>>) -> Param<Tensor<1>> {
    Param::from_tensor(parameter.val().zeros_like())
}

impl<const D: usize> TracedLayer<D, D> for LayerNorm {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        LayerNorm::forward(self, input)
    }

    fn factors(&self, input: Tensor<D>, delta: Tensor<D>) -> Factors {
        let mut plain = self.clone();
        plain.gamma = ones(&self.gamma);
        plain.beta = self.beta.as_ref().map(zeros);
        scale_and_shift(plain.forward(input), delta, D - 1, self.beta.is_some())
    }
}

impl<const D: usize> TracedLayer<D, D> for RmsNorm {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        RmsNorm::forward(self, input)
    }

    fn factors(&self, input: Tensor<D>, delta: Tensor<D>) -> Factors {
        let plain = RmsNorm { gamma: ones(&self.gamma), epsilon: self.epsilon };
        scale_and_shift(plain.forward(input), delta, D - 1, false)
    }
}

/// Without scale and shift it has no parameters, and its factors are empty.
macro_rules! traced_by_channel {
    ($($norm:ty),*) => {$(
        impl<const D: usize> TracedLayer<D, D> for $norm {
            fn forward(&self, input: Tensor<D>) -> Tensor<D> {
                <$norm>::forward(self, input)
            }

            fn factors(&self, input: Tensor<D>, delta: Tensor<D>) -> Factors {
                let mut plain = self.clone();
                plain.gamma = self.gamma.as_ref().map(ones);
                plain.beta = self.beta.as_ref().map(zeros);
                scale_and_shift(plain.forward(input), delta, 1, true)
            }

            fn has_factors(&self) -> bool {
                self.affine
            }
        }
    )*};
}

traced_by_channel!(GroupNorm, InstanceNorm);

/// By its running statistics, so where `training` is off: by those of a minibatch its examples mix.
impl<const D: usize> TracedLayer<D, D> for BatchNorm {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        BatchNorm::forward(self, input)
    }

    fn factors(&self, input: Tensor<D>, delta: Tensor<D>) -> Factors {
        let mut plain = self.clone();
        plain.gamma = ones(&self.gamma);
        plain.beta = zeros(&self.beta);
        scale_and_shift(plain.forward(input), delta, 1, true)
    }

    fn has_factors(&self) -> bool {
        !self.training.is_enabled()
    }
}
