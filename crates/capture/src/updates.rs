use faer::Mat;
use gradspectra_models::Optimiser;
use rayon::prelude::*;

const MOMENTUM: f64 = 0.9;
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Parameters whose state is advanced together.
const BLOCK: usize = 1024;

/// Turns a block of rows of G, gradients taken in order at a fixed position, into the rows of the update vectors, the
/// optimiser's state advancing (§A.3, Table 8), without the learning rate.
///
/// `weight_decay` times `position` (the block's parameters) is added to each gradient first. Momentum is v ← 0.9 v + g
/// without dampening, as PyTorch's `SGD(momentum=0.9)`; Adam gives m̂/(√v̂ + 1e-8) with β₁ = 0.9, β₂ = 0.999 and bias
/// correction ([Kingma and Ba](https://arxiv.org/abs/1412.6980) 2015, Algorithm 1). AdamW adds the decay to that, in place of to
/// the gradient.
///
/// # Panics
///
/// If `position` has not one entry a row.
pub fn to_updates(block: &mut Mat<f32>, optimiser: Optimiser, weight_decay: f64, position: &[f32]) {
    assert_eq!(position.len(), block.nrows(), "one entry a parameter");
    let rows = block.as_mut().par_row_chunks_mut(BLOCK).zip(position.par_chunks(BLOCK));
    rows.for_each(|(mut rows, position)| {
        let mut states = vec![State::default(); rows.nrows()];
        for t in 0..rows.ncols() {
            for (row, state) in states.iter_mut().enumerate() {
                let decay = weight_decay * f64::from(position[row]);
                let gradient = f64::from(rows[(row, t)]);
                rows[(row, t)] = match optimiser {
                    Optimiser::AdamW => state.advance(optimiser, gradient) + decay,
                    _ => state.advance(optimiser, gradient + decay),
                } as f32;
            }
        }
    });
}

/// What an optimiser remembers of one parameter.
#[derive(Clone, Default)]
struct State {
    first: f64,
    second: f64,
    steps: i32,
}

impl State {
    fn advance(&mut self, optimiser: Optimiser, gradient: f64) -> f64 {
        self.steps += 1;
        match optimiser {
            Optimiser::Sgd => gradient,
            Optimiser::Momentum => {
                self.first = MOMENTUM * self.first + gradient;
                self.first
            }
            Optimiser::Adam | Optimiser::AdamW => {
                self.first = BETA_1 * self.first + (1.0 - BETA_1) * gradient;
                self.second = BETA_2 * self.second + (1.0 - BETA_2) * gradient * gradient;
                let mean = self.first / (1.0 - BETA_1.powi(self.steps));
                let square = self.second / (1.0 - BETA_2.powi(self.steps));
                mean / (square.sqrt() + EPSILON)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADIENTS: [f32; 3] = [0.5, -0.25, 1.0];

    fn updates(optimiser: Optimiser, weight_decay: f64) -> Vec<f32> {
        let mut block = Mat::from_fn(1, GRADIENTS.len(), |_, t| GRADIENTS[t]);
        to_updates(&mut block, optimiser, weight_decay, &[2.0]);
        (0..GRADIENTS.len()).map(|t| block[(0, t)]).collect()
    }

    fn assert_close(found: &[f32], expected: [f32; 3]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn momentum_remembers_nine_tenths() {
        assert_close(&updates(Optimiser::Momentum, 0.0), [0.5, 0.2, 1.18]);
    }

    #[test]
    fn adam_takes_the_steps_of_pytorch() {
        assert_close(&updates(Optimiser::Adam, 0.0), [1.0, 0.266_33, 0.658_11]);
    }

    #[test]
    fn adamw_decays_apart_from_the_gradient() {
        assert_close(&updates(Optimiser::AdamW, 0.1), [1.2, 0.466_33, 0.858_11]);
    }

    #[test]
    fn weight_decay_adds_the_position() {
        assert_close(&updates(Optimiser::Sgd, 0.1), [0.7, -0.05, 1.2]);
    }
}
