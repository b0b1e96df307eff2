//! The columns of a report's tables.

use super::{Agreement, RowFound, Section};
use crate::table::{Figures, TableRow, number, probability, rounded};

/// A column: its name, and where ours and the paper's stand side by side, whose it is.
pub(super) type Head = (&'static str, Option<&'static str>);

const OURS: Option<&str> = Some("ours");
const PAPER: Option<&str> = Some("paper");

const LABELS: [Head; 6] =
    [("Row", None), ("Agreement", None), ("Gradients", None), ("B", None), ("Setting", None), ("Seeds", None)];
const SPECTRUM: [Head; 7] = [
    ("d_ks", OURS),
    ("d_ks", PAPER),
    ("d_c", None),
    ("Power law", OURS),
    ("Power law", PAPER),
    ("s", OURS),
    ("s", PAPER),
];
const ENTRIES: [Head; 10] = [
    ("d_ks", OURS),
    ("d_ks", PAPER),
    ("d_c", None),
    ("Power law (%)", OURS),
    ("Power law (%)", PAPER),
    ("p-value", OURS),
    ("p-value", PAPER),
    ("Gaussian (%)", OURS),
    ("Gaussian (%)", PAPER),
    ("All zero (%)", None),
];
const END: [Head; 2] = [("Test accuracy (%)", None), ("Seconds", None)];

/// A table of spectra, or of entries, without the columns that would be empty.
pub(super) struct Columns<'a> {
    pub(super) heads: Vec<Head>,
    /// The rows, each with as many cells as there are heads.
    pub(super) rows: Vec<(&'a TableRow, &'a RowFound, Vec<String>)>,
}

impl<'a> Columns<'a> {
    /// The tables of `section` that have rows, spectra first.
    pub(super) fn of(section: &'a Section) -> impl Iterator<Item = Self> {
        [true, false].into_iter().filter_map(|of_spectra| {
            let pairs = section.table.rows.iter().zip(&section.rows).filter(|(row, _)| row.is_spectrum() == of_spectra);
            let rows: Vec<_> = pairs.map(|(row, found)| (row, found, cells(row, found))).collect();
            let heads = heads(of_spectra);
            let filled = |column: &usize| {
                let name = heads[*column].0;
                let alike = |other: usize| heads[other].0 == name;
                let columns: Vec<_> = (0..heads.len()).filter(|&other| alike(other)).collect();
                rows.iter().any(|(.., cells)| columns.iter().any(|&column| !cells[column].is_empty()))
            };
            let kept: Vec<usize> = (0..heads.len()).filter(filled).collect();
            let keep = |cells: &[String]| kept.iter().map(|&column| cells[column].clone()).collect();
            let shown = rows.iter().map(|(row, found, cells)| (*row, *found, keep(cells))).collect();
            (!rows.is_empty()).then(|| Self { heads: kept.iter().map(|&column| heads[column]).collect(), rows: shown })
        })
    }
}

/// The heads of a table of spectra, or of entries.
fn heads(of_spectra: bool) -> Vec<Head> {
    let figures = if of_spectra { &SPECTRUM[..] } else { &ENTRIES };
    [&LABELS, figures, &END].concat()
}

/// The cells of a row, as many as [`heads`]; empty where nothing is known.
fn cells(row: &TableRow, found: &RowFound) -> Vec<String> {
    let labels = [
        row.id.clone(),
        Agreement::of(row).word().to_owned(),
        format!("{} on {}, {}, {}", row.model, row.data_set, row.training.to_lowercase(), row.tested),
        row.batch_size.to_string(),
        row.setting.clone(),
        row.seeds.len().to_string(),
    ];
    let paper = row.paper;
    let start = [rounded(row.d_ks, 4), number(paper.map(|paper| paper.d_ks), 4), number(row.d_c, 4)];
    let figures = match row.figures {
        Figures::Spectrum { s, .. } => vec![
            row.verdict(),
            row.paper_verdict().to_owned(),
            rounded(s, 3),
            number(paper.and_then(|paper| paper.s), 3),
        ],
        Figures::Entries { power_law_percent, p_value, gaussian_percent, all_zero_percent } => vec![
            rounded(power_law_percent, 2),
            number(paper.and_then(|paper| paper.power_law_percent), 2),
            probability(p_value.map(|p| p.mean)),
            probability(paper.and_then(|paper| paper.p_value)),
            rounded(gaussian_percent, 1),
            number(paper.and_then(|paper| paper.gaussian_percent), 1),
            rounded(all_zero_percent, 1),
        ],
    };
    let end = [rounded(row.test_accuracy, 2), found.seconds().map_or_else(String::new, seconds)];
    labels.into_iter().chain(start).chain(figures).chain(end).collect()
}

/// Whole seconds.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { "<1".to_owned() } else { format!("{seconds:.0}") }
}
