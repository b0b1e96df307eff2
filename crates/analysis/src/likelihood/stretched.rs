//! The stretched exponential distribution above λ_min: y = ln(λ/λ_min) has the Gompertz survival exp(−c(e^{βy} − 1)).

use super::bend;

/// The Gompertz distribution of y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gompertz {
    pub(super) beta: f64,
    pub(super) ln_c: f64,
}

impl Gompertz {
    /// The maximum-likelihood fit; `None` where the supremum is the exponential distribution, at β = 0.
    pub(super) fn fit(logarithms: &[f64]) -> Option<Self> {
        let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
        // The mean log-density at the best c.
        let profile = |ln_beta: f64| {
            let beta = ln_beta.exp();
            ln_beta + beta * mean + Self::best_ln_c(logarithms, beta) - 1.0
        };
        // β·E[y] from 1e-7 to 1e5, or n where that is more, beyond which the likelihood only falls; first by tenths of a
        // decade, then by golden sections beside the best.
        const STEP: f64 = std::f64::consts::LN_10 / 10.0;
        let last = ((logarithms.len() as f64).ln() / STEP).ceil().max(50.0) as i32;
        let grid = (-70..=last).map(|tenth| f64::from(tenth) * STEP - mean.ln());
        let best = grid.max_by(|&a, &b| profile(a).total_cmp(&profile(b)))?;
        let ln_beta = maximum(profile, best - STEP, best + STEP);
        let beta = ln_beta.exp();
        let exponential = -mean.ln() - 1.0;
        let near = beta * logarithms.iter().fold(0.0, |largest: f64, &y| largest.max(y)) < 1.0;
        let gain = if near { Self::gain(logarithms, mean, beta) } else { profile(ln_beta) - exponential };
        (gain > 0.0).then(|| Self { beta, ln_c: Self::best_ln_c(logarithms, beta) })
    }

    /// The mean log-density at the best c less that of the exponential distribution, without a difference of the two.
    fn gain(logarithms: &[f64], mean: f64, beta: f64) -> f64 {
        let bends = logarithms.iter().map(|y| bend(beta * y)).sum::<f64>() / logarithms.len() as f64;
        beta * mean - (bends / (beta * mean)).ln_1p()
    }

    /// −ln of the mean of e^{βy} − 1, without overflow.
    fn best_ln_c(logarithms: &[f64], beta: f64) -> f64 {
        let n = logarithms.len() as f64;
        let largest = beta * logarithms.iter().fold(0.0, |largest: f64, &y| largest.max(y));
        if largest < 100.0 {
            return -(logarithms.iter().map(|y| (beta * y).exp_m1()).sum::<f64>() / n).ln();
        }
        let scaled: f64 = logarithms.iter().map(|y| (beta * y - largest).exp() - (-largest).exp()).sum();
        -largest - (scaled / n).ln()
    }

    pub(super) fn ln_density(&self, y: f64) -> f64 {
        let power = self.beta * y;
        let cumulative_hazard = (self.ln_c + power).exp() - self.ln_c.exp();
        let cumulative_hazard = if power < 1.0 { self.ln_c.exp() * power.exp_m1() } else { cumulative_hazard };
        self.ln_c + self.beta.ln() + power - cumulative_hazard
    }
}

/// The place of the maximum of a function with one maximum between `low` and `high`, by golden sections.
fn maximum(function: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    for _ in 0..60 {
        if at_left < at_right {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = function(right);
        } else {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = function(left);
        }
    }
    0.5 * (low + high)
}
