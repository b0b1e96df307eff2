//! What is said below a table.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gradspectra_experiment::{Finding, Row, RowResult, SpectrumFinding};
use gradspectra_files::counted;
use gradspectra_settings::Training;

/// Notes what sets the results apart from the experiment as it is written: shorter runs, another spec, other data files.
pub(super) fn note_differences(row: &Row, results: &[RowResult], notes: &mut Vec<String>) {
    let mut note = |text: String| {
        if !notes.contains(&text) {
            notes.push(text);
        }
    };
    for result in results {
        if row.minibatches.is_none() && result.row.iterations != row.iterations {
            let (ours, full) = (result.row.iterations, row.iterations);
            note(format!("shortened: T = {ours} instead of {full}"));
        }
        let epochs = |row: &Row| row.training.as_ref().map(|training| training.epochs);
        if let (Some(ours), Some(full)) = (epochs(&result.row), epochs(row))
            && ours != full
        {
            note(format!("shortened: trained for {ours} of {}", counted(full, "epochs")));
        }
        if spec(&result.row) != spec(row) {
            note(format!("{}, seed {}: its spec was another one when it was run", row.id, result.seed));
        }
        if result.backend != results[0].backend {
            note(format!("{}: seeds ran on different backends", row.id));
        }
        if let Finding::Spectrum(SpectrumFinding { no_fit: Some(reason), .. }) = &result.finding {
            note(format!("{}, seed {}: no fit: {reason}", row.id, result.seed));
        }
        if let Some(reason) = &result.capture.why_direct {
            note(format!("{}: every minibatch took a backward pass: {reason}", row.id));
        }
        let own = row.data_set.is_of_own_files();
        for file in result.data_files.iter().filter(|file| !file.listed && !own) {
            note(format!("{} (SHA-256 {}) is not a listed file", file.name, file.sha256));
        }
        let variants: BTreeSet<_> = result.data_files.iter().filter_map(|file| file.variant.as_deref()).collect();
        for variant in variants {
            note(format!("{} in {variant}", row.data_set));
        }
    }
}

/// What decides the result of a row, but for its length and the folders of its files.
fn spec(row: &Row) -> Row {
    let training = row.training.clone().map(|training| Training { epochs: 0, ..training });
    let name = |path: &Option<PathBuf>| path.as_ref().and_then(|path| path.file_name()).map(PathBuf::from);
    let (weights, minibatches) = (name(&row.weights), name(&row.minibatches));
    let bare = Row { setting: None, reading_of: None, paper: None, iterations: 0, training, ..row.clone() };
    Row { data_set: row.data_set.anywhere(), weights, minibatches, ..bare }
}
