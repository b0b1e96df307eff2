//! Fits 10,000 synthetic power laws and writes how well exponents, their errors and p-values are calibrated:
//! `cargo run --release -p gradspectra-analysis --example calibration -- calibration.md [samples of each exponent]`.

mod calibrate;

use std::error::Error;

use calibrate::Calibration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: calibration PATH [SAMPLES]; PATH is the Markdown file to write")?;
    let samples = match arguments.next() {
        Some(samples) => samples.parse().map_err(|error| format!("SAMPLES is {samples:?}: {error}"))?,
        None => 2000,
    };
    let betas = vec![1.2, 1.5, 2.0, 3.0, 6.0];
    let calibration = Calibration { betas, samples, n: 5000, k: 1000, replicas: 199, seed: 1 };
    let table = calibration.markdown(&calibration.run()?);
    std::fs::write(&path, &table).map_err(|error| format!("cannot write {path}: {error}"))?;
    print!("{table}");
    Ok(())
}
