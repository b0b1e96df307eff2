//! The lognormal distribution above λ_min: y = ln(λ/λ_min) is normal, truncated to y ≥ 0.

#[cfg(test)]
mod tests;

use libm::erfc;

/// The truncated normal distribution of y with deviation `sigma` and its bound 0 at `bound` deviations from its mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct TruncatedNormal {
    pub(super) sigma: f64,
    pub(super) bound: f64,
}

impl TruncatedNormal {
    /// The maximum-likelihood fit; `None` where the supremum is the exponential distribution, that is where the mean
    /// square is at least twice the squared mean ([del Castillo](https://www.ism.ac.jp/editsec/aism/46/5.html) 1994).
    pub(super) fn fit(logarithms: &[f64]) -> Option<Self> {
        let n = logarithms.len() as f64;
        let mean = logarithms.iter().sum::<f64>() / n;
        let ratio = logarithms.iter().map(|y| (y / mean).powi(2)).sum::<f64>() / n;
        // 2 − ratio is about 2/bound² there: R and the differences of densities from the limit's are rounding beyond.
        const LARGEST_BOUND: f64 = 1e5;
        let (mut low, mut high) = (-1.0, 1.0);
        while square_ratio(low) > ratio {
            low *= 2.0;
        }
        while square_ratio(high) < ratio {
            high *= 2.0;
            if high > LARGEST_BOUND {
                return None;
            }
        }
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if square_ratio(middle) < ratio {
                low = middle;
            } else {
                high = middle;
            }
        }
        let bound = 0.5 * (low + high);
        Some(Self { sigma: mean / excess(bound), bound })
    }

    pub(super) fn ln_density(&self, y: f64) -> f64 {
        // Below, the bound and the excess nearly cancel.
        const LEAST_BOUND: f64 = -2.0;
        let scaled = y / self.sigma;
        if self.bound < LEAST_BOUND {
            let deviation = self.bound + scaled;
            let ln_survival = (-0.5 * erfc(-self.bound * std::f64::consts::FRAC_1_SQRT_2)).ln_1p();
            return -0.5 * (deviation * deviation + std::f64::consts::TAU.ln()) - self.sigma.ln() - ln_survival;
        }
        (self.bound + excess(self.bound)).ln() - self.sigma.ln() - scaled * (self.bound + 0.5 * scaled)
    }
}

/// The bound from which on Laplace's continued fraction is exact, and below which the difference of hazard and bound loses
/// less than a digit.
const LEAST_TAIL: f64 = 2.0;

/// h(a) − a, the mean of a standard normal above `a` beyond it, h being the hazard φ/(1 − Φ).
fn excess(a: f64) -> f64 {
    if a < LEAST_TAIL {
        let hazard =
            (2.0 / std::f64::consts::PI).sqrt() * (-0.5 * a * a).exp() / erfc(a * std::f64::consts::FRAC_1_SQRT_2);
        return hazard - a;
    }
    1.0 / (a + mills_tail(a))
}

/// 2/(a + 3/(a + 4/(a + …))) of Laplace's continued fraction of Mills' ratio
/// ([DLMF 7.9.2](https://dlmf.nist.gov/7.9.E2)), which converges like exp(−2a√(2·terms)).
fn mills_tail(a: f64) -> f64 {
    (2..250).rev().fold(0.0, |tail, term| f64::from(term) / (a + tail))
}

/// E[y²]/E[y]² for the bound `a`: rises from 1 at −∞ to 2 at +∞.
fn square_ratio(a: f64) -> f64 {
    if a < LEAST_TAIL {
        let excess = excess(a);
        return (1.0 - a * excess) / (excess * excess);
    }
    let tail = mills_tail(a);
    tail * (a + tail)
}
