//! Reports: all results of a folder in one page, ours beside the paper's.

mod article;
mod found;
mod html;
mod introduction;
mod markdown;
mod words;

use std::path::PathBuf;

use clap::ValueEnum;
use gradspectra_experiment::{Error, Experiment, Result, Row, RowResult, Store, Timings, catalogue};
use gradspectra_files as files;

use crate::table::{Agreement, Grid, Layout, Line, Table, TableRow};

/// A report as a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// `report.html`, one page with plots that needs no network.
    #[default]
    Html,
    /// `REPORT.md`, the same bytes for the same results.
    Markdown,
}

impl Page {
    /// The name of its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Markdown => "REPORT.md",
        }
    }
}

/// All results of a folder.
#[derive(Debug)]
pub struct Report<'a> {
    store: &'a Store,
    sections: Vec<Section>,
    left_out: Vec<PathBuf>,
}

/// An experiment that has results.
#[derive(Debug)]
struct Section {
    experiment: Experiment,
    table: Table,
    rows: Vec<RowFound>,
}

/// A row with its results, none where it is not done.
#[derive(Debug)]
struct RowFound {
    row: Row,
    results: Vec<RowResult>,
    timings: Vec<Timings>,
}

impl<'a> Report<'a> {
    /// The report of all results in `store`.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or has no result.
    pub fn of(store: &'a Store) -> Result<Self> {
        let mut left_out = Vec::new();
        let sections = found::sections(store, &mut left_out)?;
        if sections.is_empty() {
            return Err(Error::NoResult { path: store.root().to_owned() });
        }
        Ok(Self { store, sections, left_out })
    }

    /// The files of results that are not whole, which the report leaves out.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    /// The text of a page.
    ///
    /// # Errors
    ///
    /// Eigenvalues that are to be plotted cannot be read.
    pub fn text(&self, page: Page) -> Result<String> {
        match page {
            Page::Html => html::page(self),
            Page::Markdown => Ok(markdown::page(self)),
        }
    }

    /// The place of a page.
    pub fn file(&self, page: Page) -> PathBuf {
        self.store.root().join(page.file_name())
    }

    /// Writes a page into the folder.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text), or the file cannot be written.
    pub fn write(&self, page: Page) -> Result<()> {
        Ok(files::write(&self.file(page), self.text(page)?.as_bytes())?)
    }

    /// Refuses a page in the folder that is not what [`write`](Self::write) would write.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], or as [`text`](Self::text).
    pub fn check(&self, page: Page) -> Result<()> {
        let path = self.file(page);
        match std::fs::read(&path) {
            Ok(bytes) if bytes == self.text(page)?.as_bytes() => Ok(()),
            _ => Err(Error::Stale { path }),
        }
    }

    /// Whether there are results of the paper's experiments.
    fn is_of_the_paper(&self) -> bool {
        self.sections.iter().any(Section::is_of_the_paper)
    }

    /// Whether a row can be compared with the paper.
    fn is_compared(&self) -> bool {
        self.sections.iter().any(Section::is_compared)
    }

    /// The rows that are no other reading of a row.
    fn own_rows(&self) -> impl Iterator<Item = &TableRow> {
        let rows = self.sections.iter().flat_map(|section| section.rows.iter().zip(&section.table.rows));
        rows.filter(|(found, _)| found.row.reading_of.is_none()).map(|(_, row)| row)
    }

    /// How many of them there are of an agreement.
    fn count(&self, agreement: Agreement) -> usize {
        self.own_rows().filter(|row| row.agreement() == agreement).count()
    }

    /// The other readings of a row that were tried: each one's name and what was found.
    fn readings_of(&self, experiment: &str, row: &str) -> impl Iterator<Item = (&str, &TableRow)> {
        let name = format!("{experiment} {row}");
        let rows = self.sections.iter().flat_map(|section| section.rows.iter().zip(&section.table.rows));
        rows.filter(move |(found, row)| found.row.reading_of.as_ref() == Some(&name) && !row.seeds.is_empty())
            .map(|(found, row)| (found.row.setting.as_deref().unwrap_or(&found.row.id), row))
    }
}

impl Section {
    /// Whether it is one of the experiments that are built in.
    fn is_of_the_paper(&self) -> bool {
        catalogue::names().any(|name| name == self.experiment.name)
    }

    /// Whether its rows stand beside figures of the paper, or of a paper that its own file names.
    fn is_compared(&self) -> bool {
        self.is_of_the_paper() || self.table.rows.iter().any(|row| row.paper.is_some())
    }

    /// Its tables.
    fn grids(&self) -> impl Iterator<Item = Grid> {
        let rows = self.table.rows.iter().zip(&self.rows);
        let line =
            |(row, found): (_, &RowFound)| Line { experiment: &self.experiment.name, row, seconds: found.seconds() };
        let lines: Vec<_> = rows.map(line).collect();
        Grid::all(&lines, Layout::Page { compared: self.is_compared() }).collect::<Vec<_>>().into_iter()
    }
}

impl RowFound {
    /// The mean seconds that a seed took, where that is known.
    fn seconds(&self) -> Option<f64> {
        let total: f64 = self.timings.iter().map(Timings::total).sum();
        (!self.timings.is_empty()).then(|| total / self.timings.len() as f64)
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
