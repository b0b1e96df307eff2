//! Tables as rounded text: one grid for spectra, one for entries.

use super::{Figures, Table, TableRow, number, probabilities, probability, rounded};

/// A header and rows of as many cells.
pub(super) struct Grid {
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// How much a grid says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What fits a terminal; rows by their ids.
    Short,
    /// All that the paper's tables say.
    Full,
}

impl Table {
    /// The grids of the table that have rows.
    pub(super) fn grids(&self, extent: Extent) -> Vec<Grid> {
        let grid = |of_spectra: bool| Grid {
            header: match (of_spectra, extent) {
                (true, Extent::Short) => vec!["row", "B", "d_ks", "paper", "law", "paper", "s", "paper", ""],
                (false, Extent::Short) => {
                    vec!["row", "d_ks", "paper", "law %", "paper", "p", "paper", "Gauss %", "paper"]
                }
                (true, Extent::Full) => [LABELS.as_slice(), &SPECTRUM].concat(),
                (false, Extent::Full) => [LABELS.as_slice(), &ENTRIES].concat(),
            },
            rows: self
                .rows
                .iter()
                .filter(|row| row.is_spectrum() == of_spectra)
                .map(|row| match extent {
                    Extent::Short => short(row),
                    Extent::Full => full(row),
                })
                .collect(),
        };
        [grid(true), grid(false)].into_iter().filter(|grid| !grid.rows.is_empty()).collect()
    }
}

const LABELS: [&str; 10] =
    ["Row", "Data set", "Model", "Training", "Tested", "Batch", "K", "Setting", "d_ks", "paper's"];
const SPECTRUM: [&str; 7] = ["d_c", "Power law", "paper's", "s", "paper's", "Verdict", "Test accuracy (%)"];
const ENTRIES: [&str; 9] =
    ["d_c", "Power law (%)", "paper's", "p", "paper's", "Gaussian (%)", "paper's", "All zero (%)", "Test accuracy (%)"];

fn short(row: &TableRow) -> Vec<String> {
    let start = [row.id.clone()];
    match &row.figures {
        Figures::Spectrum { .. } => {
            let figures = figures(row);
            let [d_ks, paper_d_ks, _, law, paper_law, s, paper_s, verdict, _] = &figures[..] else {
                unreachable!("a spectrum has nine figures");
            };
            let batch = row.batch_size.to_string();
            let cells = [&batch, d_ks, paper_d_ks, law, paper_law, s, paper_s, verdict];
            start.into_iter().chain(cells.map(Clone::clone)).collect()
        }
        Figures::Entries { p_value, .. } => {
            let mut figures = figures(row);
            figures[5] = probability(p_value.map(|p| p.mean));
            let without_d_c = figures[..2].iter().chain(&figures[3..9]);
            start.into_iter().chain(without_d_c.cloned()).collect()
        }
    }
}

fn full(row: &TableRow) -> Vec<String> {
    let labels = [
        row.id.clone(),
        row.data_set.clone(),
        row.model.clone(),
        row.training.to_owned(),
        row.tested.to_owned(),
        row.batch_size.to_string(),
        row.k.to_string(),
        row.setting.clone(),
    ];
    labels.into_iter().chain(figures(row)).collect()
}

/// Ours beside the paper's, from d_ks on.
fn figures(row: &TableRow) -> Vec<String> {
    let paper = row.paper;
    let start = [row.rounded_d_ks(), number(paper.map(|paper| paper.d_ks), 4), number(row.d_c, 4)];
    let own = match row.figures {
        Figures::Spectrum { s, .. } => vec![
            row.verdict(),
            row.paper_verdict().to_owned(),
            rounded(s, 3),
            number(paper.and_then(|paper| paper.s), 3),
            row.agreement().to_owned(),
        ],
        Figures::Entries { power_law_percent, p_value, gaussian_percent, all_zero_percent } => vec![
            rounded(power_law_percent, 2),
            number(paper.and_then(|paper| paper.power_law_percent), 2),
            probabilities(p_value),
            probability(paper.and_then(|paper| paper.p_value)),
            rounded(gaussian_percent, 1),
            number(paper.and_then(|paper| paper.gaussian_percent), 1),
            rounded(all_zero_percent, 1),
        ],
    };
    start.into_iter().chain(own).chain([rounded(row.test_accuracy, 2)]).collect()
}
