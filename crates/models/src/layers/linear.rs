use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::layers::extension::on_cpu;
use crate::layers::product::product;
use crate::{Factors, TracedLayer, WeightLayout};

/// Rows of inputs, of which an example has as many as the sides between the first and the last make.
impl<const D: usize> TracedLayer<D, D> for Linear {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        if on_cpu(&input) && D == 2 {
            return Linear::forward(self, input);
        }
        let weight = self.weight.val();
        let [inputs, outputs] = weight.dims();
        let mut sides = input.dims();
        let rows = sides[..D - 1].iter().product();
        sides[D - 1] = outputs;
        let output = product(input.reshape([rows, inputs]), weight);
        let output = match &self.bias {
            Some(bias) => output + bias.val().unsqueeze(),
            None => output,
        };
        output.reshape(sides)
    }

    fn factors(&self, input: Tensor<D>, delta: Tensor<D>) -> Factors {
        let rows = |tensor: Tensor<D>| {
            let sides = tensor.dims();
            let positions = sides[1..D - 1].iter().product();
            tensor.reshape([sides[0], positions, sides[D - 1]])
        };
        Factors::Products {
            input: rows(input),
            delta: rows(delta),
            layout: WeightLayout::InputMajor,
            bias: self.bias.is_some(),
        }
    }

    fn multiply_adds(&self, output: [usize; D]) -> u64 {
        let [inputs, _] = self.weight.dims();
        (output.iter().product::<usize>() * inputs) as u64
    }
}
