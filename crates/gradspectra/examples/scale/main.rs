//! Writes what a row costs as its sizes grow: `cargo run --release -p gradspectra --example scale -- docs/scale.md`.

mod page;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: scale PATH; PATH is the Markdown file to write")?;
    std::fs::write(&path, page::markdown()).map_err(|error| format!("cannot write {path}: {error}"))?;
    Ok(())
}
