//! What is decided of a power law, and whether the paper says the same: the words for both stand here alone.

use std::fmt;

use super::{Figures, TableRow};

/// What was decided of the power law of a spectrum, over the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted, for every seed.
    Yes,
    /// It is rejected, for every seed.
    No,
    /// It is accepted for some of the seeds.
    Partly {
        /// For how many seeds it is accepted.
        accepted: usize,
        /// How many seeds there are.
        of: usize,
    },
    /// No power law can be fitted.
    NoFit,
}

impl Verdict {
    /// The verdict over one seed.
    pub fn of(accepted: bool) -> Self {
        if accepted { Self::Yes } else { Self::No }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => formatter.pad("Yes"),
            Self::No => formatter.pad("No"),
            Self::Partly { accepted, of } => formatter.pad(&format!("{accepted}/{of}")),
            Self::NoFit => formatter.pad("none"),
        }
    }
}

/// Whether a row says the same as the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// The row says the same.
    Same,
    /// The row says something else.
    Differs,
    /// The paper prints no verdict.
    NotInPaper,
    /// The row has no result.
    NotDone,
}

impl Agreement {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 4] = [Self::Same, Self::Differs, Self::NotInPaper, Self::NotDone];

    /// The agreement of spectra, whether the verdicts are the same, where no fit counts as No; of entries, whether the rates
    /// The agreement of a row, as [`TableRow::agreement`] says it.
    pub(super) fn of(row: &TableRow) -> Self {
        if row.seeds.is_empty() {
            return Self::NotDone;
        }
        let same = match row.figures {
            Figures::Spectrum { .. } => row.verdict().zip(row.paper_verdict()).map(|(ours, paper)| {
                let ours = if ours == Verdict::NoFit { Verdict::No } else { ours };
                ours == paper
            }),
            Figures::Entries { power_law_percent, gaussian_percent, .. } => row.paper.and_then(|paper| {
                let pairs = [(power_law_percent, paper.power_law_percent), (gaussian_percent, paper.gaussian_percent)];
                let sides = pairs.into_iter().filter_map(|(ours, paper)| Some((ours?.mean > 50.0) == (paper? > 50.0)));
                sides.reduce(|a, b| a && b)
            }),
        };
        match same {
            Some(true) => Self::Same,
            Some(false) => Self::Differs,
            None => Self::NotInPaper,
        }
    }

    /// Whether there are two verdicts, which can be compared.
    pub fn is_of_two(self) -> bool {
        matches!(self, Self::Same | Self::Differs)
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::NotInPaper => "not in the paper",
            Self::NotDone => "not done",
        })
    }
}
