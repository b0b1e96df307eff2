use serde::{Deserialize, Serialize};

/// The rule that turns gradients into updates (§A.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Stochastic gradient descent.
    Sgd,
    /// Stochastic gradient descent with momentum 0.9, no dampening.
    Momentum,
    /// Adam with its default constants; weight decay is added to the gradient, as PyTorch's `Adam` does.
    Adam,
}

/// How training examples are varied from epoch to epoch (§A.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Not at all.
    #[default]
    None,
    /// A random horizontal flip and a random crop after padding by 4.
    CropAndFlip,
}

/// A training schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Training {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples a step.
    pub batch: usize,
    /// The update rule.
    pub optimiser: Optimiser,
    /// The learning rate of the first epoch.
    pub learning_rate: f64,
    /// The L2 penalty.
    pub weight_decay: f64,
    /// Shares of the epochs after which the learning rate is divided by 10.
    pub milestones: Vec<f64>,
    /// How the examples are varied.
    #[serde(default)]
    pub augmentation: Augmentation,
}

impl Training {
    /// The paper's schedule on MNIST (§A.3): 50 epochs, batch 128, momentum, learning rate 0.1 divided by 10 at 40%
    /// and 80% of the epochs, weight decay 5e-4.
    pub fn mnist() -> Self {
        Self {
            epochs: 50,
            batch: 128,
            optimiser: Optimiser::Momentum,
            learning_rate: 0.1,
            weight_decay: 5e-4,
            milestones: vec![0.4, 0.8],
            augmentation: Augmentation::None,
        }
    }

    /// The number of steps on `examples` examples.
    pub fn steps(&self, examples: usize) -> usize {
        self.epochs * examples.div_ceil(self.batch)
    }

    /// The learning rate of the epoch that is counted from 0.
    pub fn learning_rate_of(&self, epoch: usize) -> f64 {
        let reached = |share: f64| epoch as f64 >= share * self.epochs as f64 - 1e-9;
        let passed = self.milestones.iter().filter(|&&share| reached(share)).count();
        self.learning_rate / 10f64.powi(passed as i32)
    }
}

/// What one epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The mean training loss over the epoch's steps.
    pub loss: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milestones_are_reached_at_their_epoch_whatever_the_rounding_of_the_share() {
        for (epochs, share, expected) in [(25, 0.28, 7), (50, 0.14, 7), (100, 0.55, 55), (50, 0.4, 20), (3, 0.5, 2)] {
            let training = Training { epochs, milestones: vec![share], ..Training::mnist() };
            let reached = (0..epochs).find(|&epoch| training.learning_rate_of(epoch) < training.learning_rate);
            assert_eq!(reached, Some(expected), "{share} of {epochs}");
        }
    }
}
