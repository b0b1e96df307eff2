use std::fmt::Write;

use gradspectra_analysis::{KsTest, MonteCarloTest, PowerLawFit, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// How many synthetic power laws of each exponent are fitted, and how.
pub struct Calibration {
    /// The exponents β.
    pub betas: Vec<f64>,
    /// Samples of each exponent.
    pub samples: usize,
    /// Values in a sample.
    pub n: usize,
    /// K: how many of the largest are fitted.
    pub k: usize,
    /// Monte-Carlo replicas of each fit.
    pub replicas: usize,
    /// The seed.
    pub seed: u64,
}

/// What the fits of one exponent's samples came to.
pub struct Row {
    /// β.
    pub beta: f64,
    /// The mean of β̂ − β.
    pub bias: f64,
    /// The standard error of that mean.
    pub bias_error: f64,
    /// The standard deviation of β̂ over its mean stated standard error.
    pub spread: f64,
    /// The share of samples with β within 1.96 stated standard errors of β̂.
    pub coverage: f64,
    /// The share of samples with d_ks < d_c.
    pub accepted: f64,
    /// The share of Monte-Carlo p-values up to 0.05.
    pub rejected: f64,
    /// The Kolmogorov–Smirnov distance of the Monte-Carlo p-values from their uniform grid.
    pub p_distance: f64,
}

impl Calibration {
    /// One row for each exponent; the result does not depend on the number of threads.
    pub fn run(&self) -> Result<Vec<Row>> {
        self.betas.iter().zip(0..).map(|(&beta, stream)| self.row(beta, stream)).collect()
    }

    fn row(&self, beta: f64, stream: u64) -> Result<Row> {
        let first = stream * self.samples as u64;
        let fits: Vec<(PowerLawFit, MonteCarloTest)> = (first..first + self.samples as u64)
            .into_par_iter()
            .map(|sample| {
                let fit = PowerLawFit::top(&power_law(self.seed, sample, beta, self.n), self.k)?;
                Ok((
                    fit,
                    MonteCarloTest::of(
                        &fit,
                        self.replicas,
                        self.seed ^ (sample + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    ),
                ))
            })
            .collect::<Result<_>>()?;
        let mean = |value: &dyn Fn(&(PowerLawFit, MonteCarloTest)) -> f64| {
            fits.iter().map(value).sum::<f64>() / fits.len() as f64
        };
        let bias = mean(&|(fit, _)| fit.beta() - beta);
        let deviation = mean(&|(fit, _)| (fit.beta() - beta - bias).powi(2)).sqrt();
        let covers = |fit: &PowerLawFit| (fit.beta() - beta).abs() <= 1.96 * fit.beta_standard_error();
        let grid = self.replicas + 1;
        let p_distance = (1..=grid).map(|step| {
            let share = mean(&|(_, test)| f64::from(u8::from(test.as_far < step)));
            (share - step as f64 / grid as f64).abs()
        });
        Ok(Row {
            beta,
            bias,
            bias_error: deviation / (self.samples as f64).sqrt(),
            spread: deviation / mean(&|(fit, _)| fit.beta_standard_error()),
            coverage: mean(&|(fit, _)| f64::from(u8::from(covers(fit)))),
            accepted: mean(&|(fit, _)| f64::from(u8::from(KsTest::of(fit).is_power_law()))),
            rejected: mean(&|(_, test)| f64::from(u8::from(test.p_value <= 0.05))),
            p_distance: p_distance.fold(0.0, f64::max),
        })
    }

    /// The distance that uniform p-values exceed in 5% of runs: 1.36/√samples (§A.2).
    pub fn critical_p_distance(&self) -> f64 {
        KsTest::critical_distance(self.samples)
    }

    /// A Markdown table of `rows`, with a line on how they were made.
    pub fn markdown(&self, rows: &[Row]) -> String {
        let mut table = format!(
            "{} samples of {} values for each exponent, the largest K = {} fitted, {} Monte-Carlo replicas a fit, \
             seed {}. Uniform p-values have a distance below {:.4} in 95% of runs.\n\n\
             | β | mean β̂ − β | spread of β̂ / stated | coverage of ±1.96 | d_ks < d_c | p ≤ 0.05 | distance of p |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
            self.samples,
            self.n,
            self.k,
            self.replicas,
            self.seed,
            self.critical_p_distance(),
        );
        for row in rows {
            let Row { beta, bias, bias_error, spread, coverage, accepted, rejected, p_distance } = row;
            let (coverage, accepted, rejected) = (100.0 * coverage, 100.0 * accepted, 100.0 * rejected);
            writeln!(
                table,
                "| {beta} | {bias:.5} ± {bias_error:.5} | {spread:.3} | {coverage:.1}% | {accepted:.1}% | \
                 {rejected:.1}% | {p_distance:.4} |"
            )
            .expect("writing to a string cannot fail");
        }
        table
    }
}

/// `n` values of density ∝ x^(−β) above 1, by inversion.
fn power_law(seed: u64, sample: u64, beta: f64, n: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(sample);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..n).map(|_| uniform().powf(1.0 / (1.0 - beta))).collect()
}
