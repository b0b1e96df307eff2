//! Gradients from elsewhere, a matrix in memory: block by block into a Gram matrix, and its entries to the tests.

use faer::Mat;
use gradspectra::analysis::{EntryTestConfig, EntryTests, PowerLawFit, Spectrum};
use gradspectra::capture::{GramBuilder, Precision};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PARAMETERS: usize = 3000;
    const ITERATIONS: usize = 400;
    const BLOCK: usize = 1000;
    let entry = |row: usize, t: usize| (((row * 31 + t * 17) as f32).sin() * 43_758.547).fract() / (row + 1) as f32;

    let mut gram = GramBuilder::new(ITERATIONS, Precision::Double)?;
    let mut rows = EntryTests::new(EntryTestConfig::new(200, 1))?;
    for first in (0..PARAMETERS).step_by(BLOCK) {
        let block = Mat::from_fn(BLOCK, ITERATIONS, |row, t| entry(first + row, t));
        rows.rows(block.as_ref())?;
        gram.add(block);
    }
    let spectrum = Spectrum::of_gram(gram.finish()?.covariance())?;
    let fit = PowerLawFit::top(spectrum.top_eigenvalues(200)?, 200)?;
    let tests = rows.summary();
    println!("s = {:.3}, d_ks = {:.4}", fit.s(), fit.ks().two_sided);
    println!("iteration-wise: {} rows, Gaussian in {:.1} %", tests.samples, 100.0 * tests.gaussian_rate.unwrap_or(0.0));
    Ok(())
}
