//! Tables: ours beside the paper's, in several formats.

mod agreement;
mod column;
mod columns;
mod csv;
mod grid;
mod latex;
mod markdown;
mod measure;
mod notes;
mod row;
mod text;

use clap::ValueEnum;
use gradspectra_experiment::{Error, Experiment, Result, Row, RowResult, Store};
use gradspectra_files as files;
use serde::Serialize;

pub use agreement::{Agreement, Verdict};
pub use measure::Measure;
pub use row::{Figures, TableRow};
pub use text::wrapped;

pub(crate) use column::{Align, Layout, Line};
pub(crate) use csv::records as csv_records;
pub(crate) use grid::{Cell, Grid, Head, Whose};
pub(crate) use markdown::{escaped as escaped_markdown, grid as markdown_grid};
use measure::probabilities;
pub(crate) use measure::{rounded, seconds};
use notes::note_differences;
pub(crate) use row::Kind;

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

    /// The rows as the lines of its tables.
    fn lines(&self) -> Vec<Line<'_>> {
        self.rows.iter().map(|row| Line { experiment: &self.experiment, row, seconds: None }).collect()
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
