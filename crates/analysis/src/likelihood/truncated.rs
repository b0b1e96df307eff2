//! The power law with an exponential cut-off above λ_min: y = ln(λ/λ_min) has density ∝ exp(−by − c(e^y − 1 − y)).
//!
//! Its normaliser is e^c·E_α(c) = e^c·c^(α−1)·Γ(1 − α, c), an incomplete gamma function that may be of negative order
//! ([DLMF 8.19.1](https://dlmf.nist.gov/8.19.E1)). It and the moments come from one quadrature: the integrand is
//! log-concave.

use super::bend;

/// Exponent and cut-off of a truncated power law of λ/λ_min.
#[derive(Debug, Clone, Copy)]
pub(super) struct CutOff {
    /// α − 1 + c.
    pub(super) slope: f64,
    /// c, λ_min times the rate of the cut-off.
    pub(super) rate: f64,
    ln_normaliser: f64,
}

impl CutOff {
    /// The maximum-likelihood fit; `None` where the supremum is the power law, at c = 0.
    ///
    /// The log-likelihood is concave in b and c. For each c, the best b meets the mean of y; with it, the derivative by
    /// c falls with c.
    pub(super) fn fit(logarithms: &[f64]) -> Option<Self> {
        let n = logarithms.len() as f64;
        let mean = logarithms.iter().sum::<f64>() / n;
        let largest = logarithms.iter().fold(0.0, |largest: f64, &y| largest.max(y));
        let mean_bend = logarithms.iter().map(|&y| bend(y)).sum::<f64>() / n;
        let at = |ln_rate: f64| {
            let rate = ln_rate.exp();
            let (slope, moments) = best_slope(rate, mean);
            (slope, moments, moments.bend - mean_bend)
        };
        // Where c times the largest λ/λ_min is below e⁻⁶⁰, the cut-off does not show.
        let mut low = -largest - 60.0;
        if at(low).2 <= 0.0 {
            return None;
        }
        // Densities as narrow as the mean; in wide samples, which those do not fit, cut-offs far below the larger values.
        let mut high = (-2.0 * mean.ln() + 2.0).min(60.0 - mean_bend.ln());
        while at(high).2 > 0.0 && high < 700.0 {
            high += 3.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if at(middle).2 > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        let ln_rate = 0.5 * (low + high);
        let (slope, moments, _) = at(ln_rate);
        Some(Self { slope, rate: ln_rate.exp(), ln_normaliser: moments.ln_normaliser })
    }

    pub(super) fn ln_density(&self, y: f64) -> f64 {
        exponent(self.slope, self.rate, y) - self.ln_normaliser
    }
}

fn exponent(slope: f64, rate: f64, y: f64) -> f64 {
    -slope * y - rate * bend(y)
}

/// The slope at which E[y] = `mean`, and its moments: a Newton iteration kept in a bracket.
fn best_slope(rate: f64, mean: f64) -> (f64, Moments) {
    let mut high = 1.0 / mean;
    let mut step = high;
    let mut low = high - step;
    while Moments::of(low, rate).mean < mean {
        high = low;
        step *= 2.0;
        low -= step;
    }
    let mut slope = 0.5 * (low + high);
    let mut moments = Moments::of(slope, rate);
    for _ in 0..100 {
        let error = moments.mean - mean;
        if error.abs() <= 1e-13 * mean || high - low <= 1e-15 * slope.abs() {
            break;
        }
        if error > 0.0 {
            low = slope;
        } else {
            high = slope;
        }
        let newton = slope + error / moments.variance;
        slope = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        moments = Moments::of(slope, rate);
    }
    (slope, moments)
}

#[derive(Debug, Clone, Copy)]
struct Moments {
    ln_normaliser: f64,
    mean: f64,
    variance: f64,
    /// E[e^y − 1 − y].
    bend: f64,
}

impl Moments {
    /// By Gauss–Legendre quadrature in panels between the points where integrands are below e⁻⁵⁰ of their largest.
    fn of(slope: f64, rate: f64) -> Self {
        const DROP: f64 = 50.0;
        const PANELS: u32 = 48;
        /// How far beyond the drop an edge is still found finely enough.
        const FAR: f64 = 32.0;
        let density = |y: f64| exponent(slope, rate, y);
        let peak = if slope < 0.0 { (-slope / rate).ln_1p() } else { 0.0 };
        let top = density(peak);
        let start = edge(|y| density(y) < top - DROP, peak, 0.0);
        // E[e^y] reaches further than the density.
        let weighted_peak = if slope < 1.0 { ((1.0 - slope) / rate).ln_1p() } else { 0.0 };
        let weighted = |y: f64| density(y) + y;
        let weighted_top = weighted(weighted_peak);
        let mut reach = 1.0 / (1.0 + slope.abs());
        while weighted(weighted_peak + reach / FAR) < weighted_top - DROP {
            reach /= FAR;
        }
        let mut end = weighted_peak + reach;
        while weighted(end) >= weighted_top - DROP {
            end = weighted_peak + 2.0 * (end - weighted_peak);
        }
        let end = edge(|y| weighted(y) < weighted_top - DROP, weighted_peak, end);
        let half = 0.5 * (end - start) / f64::from(PANELS);
        let [mut sum, mut first, mut second, mut bends] = [0.0; 4];
        for panel in 0..PANELS {
            let middle = start + half * f64::from(2 * panel + 1);
            for (node, weight) in GAUSS_LEGENDRE.iter().flat_map(|&(node, weight)| [(-node, weight), (node, weight)]) {
                let y = middle + half * node;
                let bend = bend(y);
                let mass = weight * (-slope * y - rate * bend - top).exp();
                let from_peak = y - peak;
                sum += mass;
                first += mass * from_peak;
                second += mass * from_peak * from_peak;
                bends += mass * bend;
            }
        }
        let from_peak = first / sum;
        Self {
            ln_normaliser: top + (half * sum).ln(),
            mean: peak + from_peak,
            variance: second / sum - from_peak * from_peak,
            bend: bends / sum,
        }
    }
}

/// Where between `inside` and `outside` a condition begins to hold; `outside` where it does not hold there.
fn edge(condition: impl Fn(f64) -> bool, mut inside: f64, mut outside: f64) -> f64 {
    if !condition(outside) {
        return outside;
    }
    for _ in 0..10 {
        let middle = 0.5 * (inside + outside);
        if condition(middle) {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    outside
}

/// The positive nodes and the weights of the rule of 16 points on [−1, 1].
const GAUSS_LEGENDRE: [(f64, f64); 8] = [
    (0.09501250983763744, 0.18945061045506864),
    (0.2816035507792589, 0.18260341504492364),
    (0.45801677765722737, 0.16915651939500265),
    (0.6178762444026438, 0.1495959888165767),
    (0.755404408355003, 0.12462897125553407),
    (0.8656312023878318, 0.0951585116824926),
    (0.9445750230732326, 0.062253523938647456),
    (0.9894009349916499, 0.027152459411754176),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_neighbour_of_a_fit_is_likelier() {
        for scale in [1e-5, 0.1, 3.0] {
            let logarithms: Vec<f64> = (0..200).map(|rank| scale * (f64::from(rank) / 200.0).powf(0.7)).collect();
            let likelihood = |slope, rate| -> f64 {
                let ln_normaliser = Moments::of(slope, rate).ln_normaliser;
                logarithms.iter().map(|&y| exponent(slope, rate, y) - ln_normaliser).sum()
            };
            let fit = CutOff::fit(&logarithms).expect("the density falls faster than a power law");
            let best = likelihood(fit.slope, fit.rate);
            for step in [1e-4, 1e-2, 0.5] {
                for (slope, rate) in
                    [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step), (step, -step), (-step, step)]
                {
                    let other = likelihood(fit.slope * (1.0 + slope), fit.rate * (1.0 + rate));
                    assert!(other <= best + 1e-9, "{scale} {fit:?}: {other} at {slope} {rate} is above {best}");
                }
            }
        }
    }

    #[test]
    fn a_fit_is_at_least_as_likely_as_the_power_law_at_every_width() {
        for exponent in -50..=8 {
            for shape in [0.02, 0.3, 1.0, 4.0, 30.0] {
                let width = 2f64.powi(exponent).min(300.0);
                let logarithms: Vec<f64> = (0..40).map(|rank| width * (f64::from(rank) / 39.0).powf(shape)).collect();
                let Some(fit) = CutOff::fit(&logarithms) else { continue };
                let mean = logarithms.iter().sum::<f64>() / 40.0;
                let gain: f64 = logarithms.iter().map(|&y| fit.ln_density(y) + mean.ln() + y / mean).sum();
                assert!(gain > -1e-9, "{width}, {shape}: {gain} of {fit:?}");
            }
        }
    }

    /// ln(e^c E_α(c)) by mpmath 1.3.0 with 40 digits.
    #[test]
    fn normalisers_agree_with_mpmath() {
        let cases = [
            (1.5, 1e-6, 0.6913751558290651),
            (2.5, 0.3, -0.7000462761030635),
            (0.5, 1e-4, 5.1662875726832995),
            (-3.0, 2.0, 0.8649974374866045),
            (11.0, 5.0, -2.7304593698564728),
            (1.0, 1e-12, 3.2978276775069353),
            (-40.5, 100.0, -4.096771853805258),
            (3.2, 1e-9, -0.7884573611976036),
            (1.0001, 1e3, -6.908753883098504),
        ];
        for (alpha, rate, expected) in cases {
            let ours = Moments::of(alpha - 1.0 + rate, rate).ln_normaliser;
            assert!(
                (ours - expected).abs() < 1e-12 * (1.0 + expected.abs()),
                "{alpha}, {rate}: {ours} is not {expected}"
            );
        }
    }
}
