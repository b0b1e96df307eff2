//! Writes how far the numbers are to be trusted: `cargo run --release -p gradspectra-analysis --example numbers --
//! docs/numbers.md`.

mod calibrate;
mod matrix_types;

use std::error::Error;

use calibrate::Calibration;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: numbers PATH; PATH is the Markdown file to write")?;
    let calibration =
        Calibration { betas: vec![1.2, 1.5, 2.0, 3.0, 6.0], samples: 2000, n: 5000, k: 1000, replicas: 199, seed: 1 };
    let page = include_str!("page.md")
        .replace("{matrix-types}", matrix_types::markdown(&[100, 500, 1000], 3)?.trim_end())
        .replace("{calibration}", calibration.markdown(&calibration.run()?).trim_end());
    std::fs::write(&path, page).map_err(|error| format!("cannot write {path}: {error}"))?;
    Ok(())
}
