//! Tables: ours beside the paper's, in several formats.

mod csv;
mod grid;
mod latex;
mod markdown;
mod text;

use std::collections::BTreeSet;

pub use text::wrapped;

use clap::ValueEnum;
use gradspectra_analysis::KsTest;
use gradspectra_models::Training;
use serde::Serialize;

use crate::experiment::{Analysis, Axis, Experiment, Matrix, PaperFigures, Row};
use crate::files;
use crate::result::{Finding, RowResult};
use crate::store::Store;
use crate::{Result, error::Error};

pub(crate) use csv::line as csv_line;
pub(crate) use markdown::escaped as escaped_markdown;

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
    /// Iteration, dimension or the matrix whose spectrum is tested.
    pub tested: &'static str,
    /// B.
    pub batch_size: usize,
    /// K.
    pub k: usize,
    /// What sets the row apart.
    pub setting: String,
    /// The seeds that are done.
    pub seeds: Vec<u64>,
    /// d_ks, of entries the mean over samples.
    pub d_ks: Option<Measure>,
    /// d_c.
    pub d_c: Option<f64>,
    /// The accuracy on the test examples, of a trained position.
    pub test_accuracy: Option<Measure>,
    /// What only spectra or only entries have.
    #[serde(flatten)]
    pub figures: Figures,
    /// The paper's figures.
    pub paper: Option<PaperFigures>,
}

/// What a table says of spectra, or of entries.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "kebab-case")]
pub enum Figures {
    /// Of a spectrum.
    Spectrum {
        /// For how many seeds the power law is accepted.
        accepted: usize,
        /// ŝ.
        s: Option<Measure>,
    },
    /// Of entries.
    Entries {
        /// In how many percent of the samples the power law is accepted.
        power_law_percent: Option<Measure>,
        /// The mean p-value of the normality tests.
        p_value: Option<Measure>,
        /// In how many percent of the samples normality is not rejected.
        gaussian_percent: Option<Measure>,
        /// In how many percent of the samples every entry is zero.
        all_zero_percent: Option<Measure>,
    },
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

    pub(crate) fn rounded(self, digits: usize) -> String {
        match self.deviation {
            None => format!("{:.digits$}", self.mean),
            Some(deviation) => format!("{:.digits$}±{deviation:.digits$}", self.mean),
        }
    }
}

impl Table {
    /// The table of `experiment` from the results that `result` gives for its rows and seeds.
    pub fn of(experiment: &Experiment, seeds: &[u64], result: impl Fn(&Row, u64) -> Option<RowResult>) -> Self {
        let mut notes = Vec::new();
        let rows = experiment
            .rows
            .iter()
            .map(|row| {
                let results: Vec<_> = seeds.iter().filter_map(|&seed| result(row, seed)).collect();
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

    /// The title with what the table shows.
    fn heading(&self) -> String {
        match self.caption.as_str() {
            "" => self.title.clone(),
            caption => format!("{}: {caption}", self.title),
        }
    }

    /// The table as text for a terminal, its agreement with the paper coloured.
    pub fn coloured(&self) -> String {
        text::table(self, true)
    }

    /// The table in a format.
    pub fn format(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Text => text::table(self, false),
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

/// Notes what sets the results apart from the experiment as it is written: shorter runs, another spec, other data files.
fn note_differences(row: &Row, results: &[RowResult], notes: &mut Vec<String>) {
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
            note(format!("shortened: trained for {ours} of {full} epochs"));
        }
        if spec(&result.row) != spec(row) {
            note(format!("{}, seed {}: its spec was another one when it was run", row.id, result.seed));
        }
        if result.backend != results[0].backend {
            note(format!("{}: seeds ran on different backends", row.id));
        }
        for file in result.data_files.iter().filter(|file| !file.listed) {
            note(format!("{} (SHA-256 {}) is not a listed file", file.name, file.sha256));
        }
        let variants: BTreeSet<_> = result.data_files.iter().filter_map(|file| file.variant.as_deref()).collect();
        for variant in variants {
            note(format!("{} in {variant}", row.data_set));
        }
    }
}

/// What decides the result of a row, but for its length.
fn spec(row: &Row) -> Row {
    let training = row.training.clone().map(|training| Training { epochs: 0, ..training });
    Row { setting: None, reading_of: None, paper: None, iterations: 0, training, ..row.clone() }
}

impl TableRow {
    fn of(row: &Row, results: &[RowResult]) -> Self {
        let measure = |value: &dyn Fn(&RowResult) -> Option<f64>| {
            Measure::of(&results.iter().filter_map(value).collect::<Vec<_>>())
        };
        let spectrum = |result: &RowResult| match &result.finding {
            Finding::Spectrum(finding) => Some(finding.clone()),
            Finding::Entries(_) => None,
        };
        let entries = |result: &RowResult| match &result.finding {
            Finding::Entries(finding) => Some(finding.summary),
            Finding::Spectrum(_) => None,
        };
        let percent = |share: f64| 100.0 * share;
        let (tested, figures) = match row.analysis {
            Analysis::Spectrum { matrix, .. } => {
                let tested = match matrix {
                    Matrix::Covariance => "covariance",
                    Matrix::SecondMoment => "second moment",
                };
                let findings = results.iter().filter_map(spectrum);
                let accepted = findings.filter(|finding| finding.power_law.accepted).count();
                (tested, Figures::Spectrum { accepted, s: measure(&|result| Some(spectrum(result)?.power_law.s)) })
            }
            Analysis::Entries { along, .. } => {
                let tested = match along {
                    Axis::Dimension => "dimension",
                    Axis::Iteration => "iteration",
                };
                let all_zero = |result: &RowResult| {
                    let summary = entries(result)?;
                    Some(percent(summary.all_zero as f64 / summary.samples as f64))
                };
                let figures = Figures::Entries {
                    power_law_percent: measure(&|result| entries(result)?.power_law_rate.map(percent)),
                    p_value: measure(&|result| entries(result)?.mean_p_value),
                    gaussian_percent: measure(&|result| entries(result)?.gaussian_rate.map(percent)),
                    all_zero_percent: measure(&all_zero),
                };
                (tested, figures)
            }
        };
        let d_ks = |result: &RowResult| match &result.finding {
            Finding::Spectrum(finding) => Some(finding.power_law.test.d_ks),
            Finding::Entries(finding) => finding.summary.mean_ks.map(|ks| ks.two_sided),
        };
        Self {
            id: row.id.clone(),
            data_set: row.data_set.to_string(),
            model: row.model.to_string(),
            training: row.position_title(),
            tested,
            batch_size: results.first().map_or(row.batch_size, |result| result.capture.batch_size),
            k: row.analysis.top(),
            setting: row.setting.clone().unwrap_or_default(),
            seeds: results.iter().map(|result| result.seed).collect(),
            d_ks: measure(&d_ks),
            d_c: (!results.is_empty()).then(|| KsTest::critical_distance(row.analysis.top())),
            test_accuracy: measure(&|result| result.position.test_accuracy.map(percent)),
            figures,
            paper: row.paper,
        }
    }

    /// Whether the row is of a spectrum, not of entries.
    pub(crate) fn is_spectrum(&self) -> bool {
        matches!(self.figures, Figures::Spectrum { .. })
    }

    /// `Yes`, `No`, or for how many of the seeds; empty where nothing is done, or for entries.
    pub fn verdict(&self) -> String {
        match (&self.figures, self.seeds.len()) {
            (Figures::Entries { .. }, _) | (_, 0) => String::new(),
            (Figures::Spectrum { accepted: 0, .. }, _) => "No".to_owned(),
            (Figures::Spectrum { accepted, .. }, seeds) if *accepted == seeds => "Yes".to_owned(),
            (Figures::Spectrum { accepted, .. }, seeds) => format!("{accepted}/{seeds}"),
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

    /// d_ks, or that the row is not done.
    fn rounded_d_ks(&self) -> String {
        let none = if self.seeds.is_empty() { "not done" } else { "none" };
        self.d_ks.map_or_else(|| none.to_owned(), |d_ks| d_ks.rounded(4))
    }
}

pub(crate) fn rounded(measure: Option<Measure>, digits: usize) -> String {
    measure.map_or_else(String::new, |measure| measure.rounded(digits))
}

pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

/// A probability to three digits, in powers of ten where it is small.
pub(crate) fn probability(value: Option<f64>) -> String {
    value.map_or_else(String::new, |p| if p < 0.01 { format!("{p:.1e}") } else { format!("{p:.3}") })
}

/// The mean of probabilities, with the deviation where there are several.
fn probabilities(measure: Option<Measure>) -> String {
    let deviation = measure.and_then(|measure| measure.deviation);
    let deviation = deviation.map_or_else(String::new, |deviation| format!("±{}", probability(Some(deviation))));
    probability(measure.map(|measure| measure.mean)) + &deviation
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
