//! Avila, ten comma-separated features and a class letter a line: doi:10.24432/C5K02X.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    data_set::{DataFacts, LabelledDataSet, LoadOptions, Loaded},
    error::Result,
    examples::Examples,
    normalisation::Normalisation,
    official::catalogue::{Source, Split},
    official::download::Progress,
    official::file::{FileProvenance, malformed},
    official::locate::DataRoot,
};

const FEATURES: usize = 10;
const CLASSES: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "W", "X", "Y"];
/// The published features are z-scores; 59 of the 104,300 training values lie outside.
const CLIP: f32 = 10.0;

/// Page layout of a manuscript: 10 features, 12 copyists.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Avila {}

pub(crate) const SOURCE: Source = Source { name: "avila", train: &[&["avila-tr.txt"]], test: &[&["avila-ts.txt"]] };

impl LabelledDataSet for Avila {
    fn title(&self) -> String {
        SOURCE.listing().title.clone()
    }

    fn facts(&self, _options: LoadOptions) -> Result<DataFacts> {
        Ok(DataFacts { shape: vec![FEATURES], classes: CLASSES.len(), examples: 10_430 })
    }

    fn load(&self, split: Split, options: LoadOptions, root: &DataRoot, progress: &mut Progress) -> Result<Loaded> {
        let mut files = Vec::new();
        let mut read = |split| {
            let read = SOURCE.read(split, root, progress)?;
            files.extend(SOURCE.provenance(&read));
            rows(&read[0].0, &read[0].1)
        };
        let rows = read(split)?;
        let features = match (options.normalisation, split) {
            (Normalisation::None, _) => rows.features,
            (_, Split::Train) => standardise(&rows.features, &rows.features),
            (_, Split::Test) => standardise(&read(Split::Train)?.features, &rows.features),
        };
        let examples = Examples::new(features, vec![FEATURES], rows.labels, CLASSES.len())?;
        Ok(Loaded { examples, files })
    }

    fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        root.check(&SOURCE, split)
    }

    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
        SOURCE.at_hand(split, root)
    }
}

/// The rows of an Avila file.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    /// `[N, 10]`
    pub features: Vec<f32>,
    /// `[N]`
    pub labels: Vec<u32>,
}

/// Parses a file; blank lines may end it.
pub(crate) fn rows(path: &Path, file: &[u8]) -> Result<Rows> {
    let text = std::str::from_utf8(file)
        .map_err(|error| malformed(path, format!("other bytes ({error})"), "text"))?
        .trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(malformed(path, "no rows", "at least one"));
    }
    let mut rows = Rows { features: Vec::new(), labels: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != FEATURES + 1 {
            return Err(malformed(
                path,
                format!("{} fields in line {number}", fields.len()),
                format!("{FEATURES} features and a class"),
            ));
        }
        let (features, class) = (&fields[..FEATURES], fields[FEATURES]);
        for (column, field) in features.iter().enumerate() {
            match field.parse::<f32>() {
                Ok(value) if value.is_finite() => rows.features.push(value),
                _ => {
                    return Err(malformed(
                        path,
                        format!("{field:?} in line {number}, column {}", column + 1),
                        "a finite number",
                    ));
                }
            }
        }
        match CLASSES.iter().position(|&name| name == class) {
            Some(label) => rows.labels.push(label as u32),
            None => {
                return Err(malformed(
                    path,
                    format!("class {class:?} in line {number}"),
                    format!("one of {}", CLASSES.join(", ")),
                ));
            }
        }
    }
    Ok(rows)
}

/// Clips the features to ±10 and standardises each by its mean and deviation over `training`, clipped alike.
///
/// Row 6620 of the training file was not normalised by its authors (upper margin 386). Unclipped, it would shrink
/// the other rows of its columns and dominate every gradient that it is part of. Median and quartiles are no way
/// out: row numbers take few values, and their quartiles lie 0.09 apart.
pub(crate) fn standardise(training: &[f32], features: &[f32]) -> Vec<f32> {
    let clipped = |&value: &f32| f64::from(value.clamp(-CLIP, CLIP));
    let count = (training.len() / FEATURES) as f64;
    let scales: Vec<(f64, f64)> = (0..FEATURES)
        .map(|column| {
            let values = || training.iter().skip(column).step_by(FEATURES).map(clipped);
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            (mean, variance.sqrt())
        })
        .collect();
    features
        .iter()
        .zip(scales.iter().cycle())
        .map(|(value, &(mean, deviation))| match deviation > 0.0 {
            true => ((clipped(value) - mean) / deviation) as f32,
            false => 0.0,
        })
        .collect()
}

#[cfg(test)]
#[path = "avila_tests.rs"]
mod tests;
