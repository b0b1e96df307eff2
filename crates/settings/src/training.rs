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
    /// Adam with weight decay apart from the gradient, as PyTorch's `AdamW`: θ ← (1 − η·decay) θ before each step
    /// ([Loshchilov and Hutter](https://arxiv.org/abs/1711.05101) 2019). All parameters decay, as `torch.optim.AdamW(params)` has
    /// it.
    #[serde(rename = "adamw")]
    AdamW,
}

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Along half a cosine, from the learning rate to the least one
    /// ([Loshchilov and Hutter](https://arxiv.org/abs/1608.03983) 2017), which a step after the last would have.
    Cosine,
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
    /// The first steps, over which the learning rate rises.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm_up: usize,
    /// How the learning rate falls, in place of milestones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay: Option<Decay>,
    /// The learning rate that a decay falls to, just after the last step; 0 without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_learning_rate: Option<f64>,
    /// The largest norm of a step's gradient, all parameters together: a larger one is scaled down to it, as PyTorch's
    /// `clip_grad_norm_` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clipping: Option<f64>,
}

fn is_zero(steps: &usize) -> bool {
    *steps == 0
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
            warm_up: 0,
            decay: None,
            least_learning_rate: None,
            gradient_clipping: None,
        }
    }

    /// The number of steps on `examples` examples.
    pub fn steps(&self, examples: usize) -> usize {
        self.epochs * examples.div_ceil(self.batch)
    }

    /// The learning rate of a step of the whole training that is counted from 0, on `examples` examples.
    ///
    /// In the warm-up it is (step + 1)/(warm-up + 1) of what it is afterwards. A cosine is that of
    /// [nanoGPT](https://github.com/karpathy/nanoGPT/blob/master/train.py)'s `get_lr`, its `lr_decay_iters` the number of steps.
    pub fn learning_rate_at(&self, step: usize, examples: usize) -> f64 {
        let an_epoch = examples.div_ceil(self.batch).max(1);
        let full = match self.decay {
            None => self.learning_rate_of(step / an_epoch),
            Some(Decay::Cosine) => {
                let least = self.least_learning_rate.unwrap_or(0.0);
                let falling = (self.epochs * an_epoch).saturating_sub(self.warm_up).max(1);
                let share = step.saturating_sub(self.warm_up) as f64 / falling as f64;
                least + 0.5 * (1.0 + (std::f64::consts::PI * share).cos()) * (self.learning_rate - least)
            }
        };
        match step < self.warm_up {
            true => full * (step + 1) as f64 / (self.warm_up + 1) as f64,
            false => full,
        }
    }

    /// The learning rate after the warm-up of the epoch that is counted from 0, by the milestones.
    fn learning_rate_of(&self, epoch: usize) -> f64 {
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

    #[test]
    fn milestones_divide_the_rate_of_every_step_of_an_epoch() {
        // Three steps an epoch, the last of two examples.
        let training = Training { epochs: 5, batch: 4, milestones: vec![0.4, 0.8], ..Training::mnist() };
        let rates: Vec<f64> = (0..training.steps(10)).map(|step| training.learning_rate_at(step, 10)).collect();
        let expected = [0.1, 0.1, 0.1 / 10.0, 0.1 / 10.0, 0.1 / 100.0].map(|rate| [rate; 3]);
        assert_eq!(rates, expected.as_flattened());
    }

    #[test]
    fn a_warm_up_rises_to_the_rate_of_the_milestones() {
        let training = Training { epochs: 2, batch: 5, milestones: vec![0.5], warm_up: 3, ..Training::mnist() };
        let rates: Vec<f64> = (0..4).map(|step| training.learning_rate_at(step, 10)).collect();
        // By hand: 1/4 and 2/4 of 0.1, 3/4 of 0.01, 0.01.
        for (found, expected) in rates.iter().zip([0.025, 0.05, 0.0075, 0.01]) {
            assert!((found - expected).abs() < 1e-15, "{rates:?}");
        }
    }

    /// The rates are those of nanoGPT's `get_lr`, computed by Python.
    #[test]
    fn a_warm_up_and_a_cosine_are_nanogpts() {
        let training = Training {
            epochs: 2,
            batch: 4,
            learning_rate: 0.05,
            milestones: Vec::new(),
            warm_up: 3,
            decay: Some(Decay::Cosine),
            least_learning_rate: Some(0.002),
            ..Training::mnist()
        };
        let expected = [
            0.0125,
            0.025,
            0.037500000000000006,
            0.05,
            0.04762325282965806,
            0.04096375524460961,
            0.031340502414951545,
            0.020659497585048453,
            0.011036244755390397,
            0.004376747170341943,
        ];
        for (step, expected) in expected.into_iter().enumerate() {
            let found = training.learning_rate_at(step, 18);
            assert!((found - expected).abs() < 1e-15, "step {step}: {found} is not {expected}");
        }
    }
}
