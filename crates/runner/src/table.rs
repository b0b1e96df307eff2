//! Tables: ours beside the paper's, in several formats.

mod csv;
mod latex;
mod markdown;
mod text;

use clap::ValueEnum;
use serde::Serialize;

use crate::experiment::{Analysis, Experiment, PaperFigures, Row};
use crate::files;
use crate::result::{Finding, RowResult};
use crate::store::Store;
use crate::{Result, error::Error};

/// A format of tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns for a terminal.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// Comma-separated values, unrounded.
    Csv,
    /// A Markdown table.
    Markdown,
    /// A LaTeX tabular.
    Latex,
}

/// An experiment's rows with what was found, averaged over seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    /// The experiment's name.
    pub experiment: String,
    /// Its title.
    pub title: String,
    /// What it shows.
    pub caption: String,
    /// What a reader must know of how it was made.
    pub notes: Vec<String>,
    /// The rows, in the paper's order.
    pub rows: Vec<TableRow>,
}

/// A row of a [`Table`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableRow {
    /// The row's id.
    pub id: String,
    /// The data set.
    pub data_set: String,
    /// The model.
    pub model: String,
    /// Random, Pretrain or Weights.
    pub training: &'static str,
    /// B.
    pub batch_size: usize,
    /// K.
    pub k: usize,
    /// What sets the row apart.
    pub setting: String,
    /// The seeds that are done.
    pub seeds: Vec<u64>,
    /// d_ks.
    pub d_ks: Option<Measure>,
    /// d_c.
    pub d_c: Option<f64>,
    /// For how many seeds the power law is accepted.
    pub accepted: usize,
    /// ŝ.
    pub s: Option<Measure>,
    /// The accuracy on the test examples, of a trained position.
    pub test_accuracy: Option<Measure>,
    /// The paper's figures.
    pub paper: Option<PaperFigures>,
}

/// A mean over seeds, with the deviation where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measure {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation, of at least two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
}

impl Measure {
    /// The mean and deviation of `values`, `None` where there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (values.len() > 1).then(|| (spread / (count - 1.0)).sqrt());
        (!values.is_empty()).then_some(Self { mean, deviation })
    }

    fn rounded(self, digits: usize) -> String {
        match self.deviation {
            None => format!("{:.digits$}", self.mean),
            Some(deviation) => format!("{:.digits$}±{deviation:.digits$}", self.mean),
        }
    }
}

impl Table {
    /// The table of `experiment` from the results in `store`, whatever tasks they are of.
    pub fn of(experiment: &Experiment, seeds: &[u64], store: &Store) -> Self {
        let mut notes = Vec::new();
        let rows = experiment
            .rows
            .iter()
            .map(|row| {
                let results: Vec<_> =
                    seeds.iter().filter_map(|&seed| store.result(&experiment.name, &row.id, seed, None)).collect();
                note_differences(row, &results, &mut notes);
                TableRow::of(row, &results)
            })
            .collect();
        Self {
            experiment: experiment.name.clone(),
            title: experiment.title.clone(),
            caption: experiment.caption.clone(),
            notes,
            rows,
        }
    }

    /// The table in a format.
    ///
    /// # Errors
    ///
    /// None but JSON's, which plain data does not have.
    pub fn format(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Text => text::table(self),
            TableFormat::Json => {
                let json = serde_json::to_string_pretty(self).expect("a table is plain data");
                json + "\n"
            }
            TableFormat::Csv => csv::table(self),
            TableFormat::Markdown => markdown::table(self),
            TableFormat::Latex => latex::table(self),
        }
    }

    /// Writes the table in every format into the experiment's folder.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write(&self, store: &Store) -> Result<(), Error> {
        let folder = store.experiment(&self.experiment);
        for (format, name) in [
            (TableFormat::Text, "table.txt"),
            (TableFormat::Json, "table.json"),
            (TableFormat::Csv, "table.csv"),
            (TableFormat::Markdown, "table.md"),
            (TableFormat::Latex, "table.tex"),
        ] {
            files::write(&folder.join(name), self.format(format).as_bytes())?;
        }
        Ok(())
    }
}

/// Notes what sets the results apart from the experiment as it is written: shorter runs, other data files.
fn note_differences(row: &Row, results: &[RowResult], notes: &mut Vec<String>) {
    let mut note = |text: String| {
        if !notes.contains(&text) {
            notes.push(text);
        }
    };
    for result in results {
        if row.minibatches.is_none() && result.row.iterations != row.iterations {
            let (ours, full) = (result.row.iterations, row.iterations);
            note(format!("quick: T = {ours} instead of {full}"));
        }
        let epochs = |row: &Row| row.training.as_ref().map(|training| training.epochs);
        if let (Some(ours), Some(full)) = (epochs(&result.row), epochs(row))
            && ours != full
        {
            note(format!("quick: trained for {ours} of {full} epochs"));
        }
        for file in result.data_files.iter().filter(|file| !file.listed) {
            note(format!("{} (SHA-256 {}) is not a listed file", file.name, file.sha256));
        }
        for file in &result.data_files {
            if let Some(variant) = &file.variant {
                note(format!("{} is the {variant} variant", file.name));
            }
        }
    }
}

impl TableRow {
    fn of(row: &Row, results: &[RowResult]) -> Self {
        let Analysis::Spectrum { top, .. } = row.analysis;
        let findings: Vec<_> = results
            .iter()
            .map(|result| match &result.finding {
                Finding::Spectrum(finding) => finding,
            })
            .collect();
        let measure = |values: Vec<f64>| Measure::of(&values);
        let accuracies = results.iter().filter_map(|result| result.position.test_accuracy).collect();
        Self {
            id: row.id.clone(),
            data_set: row.data_set.to_string(),
            model: row.model.to_string(),
            training: row.position_title(),
            batch_size: results.first().map_or(row.batch_size, |result| result.capture.batch_size),
            k: top,
            setting: row.setting.clone().unwrap_or_default(),
            seeds: results.iter().map(|result| result.seed).collect(),
            d_ks: measure(findings.iter().map(|finding| finding.test.d_ks).collect()),
            d_c: findings.first().map(|finding| finding.test.d_c),
            accepted: findings.iter().filter(|finding| finding.power_law).count(),
            s: measure(findings.iter().map(|finding| finding.s).collect()),
            test_accuracy: measure(accuracies),
            paper: row.paper,
        }
    }

    /// `Yes`, `No`, or for how many of the seeds; empty where nothing is done.
    pub fn verdict(&self) -> String {
        match (self.accepted, self.seeds.len()) {
            (_, 0) => String::new(),
            (0, _) => "No".to_owned(),
            (accepted, seeds) if accepted == seeds => "Yes".to_owned(),
            (accepted, seeds) => format!("{accepted}/{seeds}"),
        }
    }

    /// The paper's verdict.
    pub fn paper_verdict(&self) -> &'static str {
        match self.paper.and_then(|paper| paper.power_law) {
            Some(true) => "Yes",
            Some(false) => "No",
            None => "",
        }
    }

    /// Whether the verdicts agree: `same` or `differs`; empty where one is missing.
    pub fn agreement(&self) -> &'static str {
        match (self.verdict(), self.paper_verdict()) {
            (ours, paper) if ours.is_empty() || paper.is_empty() => "",
            (ours, paper) if ours == paper => "same",
            _ => "differs",
        }
    }

    fn figures(&self) -> Figures {
        let paper = self.paper;
        let number = |value: Option<f64>, digits: usize| value.map_or(String::new(), |x| format!("{x:.digits$}"));
        Figures {
            d_ks: self.d_ks.map_or_else(|| "not done".to_owned(), |d_ks| d_ks.rounded(4)),
            paper_d_ks: number(paper.map(|paper| paper.d_ks), 4),
            d_c: number(self.d_c, 4),
            s: self.s.map_or_else(String::new, |s| s.rounded(3)),
            paper_s: number(paper.and_then(|paper| paper.s), 3),
            test_accuracy: self.test_accuracy.map_or_else(String::new, |accuracy| {
                let percent = |share: f64| 100.0 * share;
                let deviation = accuracy.deviation.map(percent);
                Measure { mean: percent(accuracy.mean), deviation }.rounded(2)
            }),
        }
    }
}

/// The rounded numbers of a row, as every format but CSV and JSON prints them.
struct Figures {
    d_ks: String,
    paper_d_ks: String,
    d_c: String,
    s: String,
    paper_s: String,
    test_accuracy: String,
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
