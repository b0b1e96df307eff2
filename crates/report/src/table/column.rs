//! What a column is.

use gradspectra_experiment::PaperFigures;

use super::grid::Cell;
use super::measure::{number, probabilities, probability, seconds};
use super::{Agreement, Kind, Measure, TableRow};

/// A row of a table with what is not in the row itself.
pub(crate) struct Line<'a> {
    /// The experiment's name.
    pub(crate) experiment: &'a str,
    pub(crate) row: &'a TableRow,
    /// The mean seconds that a seed took, where that is known.
    pub(crate) seconds: Option<f64>,
}

/// A column: the exact value of ours and of the paper's, how they are rounded, and what it is called in each layout that
/// has it.
#[derive(Clone, Copy)]
pub(super) struct Column {
    ours: Ours,
    paper: Option<Theirs>,
    digits: Digits,
    align: Align,
    /// Which rows have it; all where it is `None`.
    of: Option<Kind>,
    /// Says `not done` or `none` where there is no value.
    says_what_is_missing: bool,
    csv: Option<&'static str>,
    terminal: Option<&'static str>,
    /// Which rows have it in a terminal, where there is less room.
    terminal_of: Option<Kind>,
    full: Option<&'static str>,
    page: Option<&'static str>,
}

/// Our value.
#[derive(Clone, Copy)]
enum Ours {
    Word(fn(&Line) -> String),
    Number(fn(&Line) -> Option<f64>),
    Measure(fn(&TableRow) -> Option<Measure>),
    Agreement(fn(&TableRow) -> Option<Agreement>),
}

/// The paper's value.
#[derive(Clone, Copy)]
enum Theirs {
    Word(fn(&TableRow) -> String),
    Number(fn(&PaperFigures) -> Option<f64>),
}

/// How a number is rounded.
#[derive(Clone, Copy)]
pub(super) enum Digits {
    /// Digits behind the point.
    Fixed(usize),
    /// Three digits, in powers of ten where it is small; the deviation only where there is room.
    Probability,
    /// Whole seconds.
    Seconds,
}

/// To which side the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Which columns a table has, and what they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// What fits a terminal; rows by their ids.
    Terminal,
    /// All that the paper's tables say.
    Full,
    /// The tables of a page, without the columns that would be empty.
    Page {
        /// Sets ours beside the paper's.
        compared: bool,
    },
}

impl Column {
    pub(super) const fn word(word: fn(&Line) -> String) -> Self {
        Self::new(Ours::Word(word), Digits::Fixed(0), Align::Left)
    }

    pub(super) const fn number(number: fn(&Line) -> Option<f64>, digits: Digits) -> Self {
        Self::new(Ours::Number(number), digits, Align::Right)
    }

    pub(super) const fn measure(measure: fn(&TableRow) -> Option<Measure>, digits: Digits) -> Self {
        Self::new(Ours::Measure(measure), digits, Align::Right)
    }

    pub(super) const fn agreement(agreement: fn(&TableRow) -> Option<Agreement>) -> Self {
        Self::new(Ours::Agreement(agreement), Digits::Fixed(0), Align::Right)
    }

    const fn new(ours: Ours, digits: Digits, align: Align) -> Self {
        Self {
            ours,
            paper: None,
            digits,
            align,
            of: None,
            says_what_is_missing: false,
            csv: None,
            terminal: None,
            terminal_of: None,
            full: None,
            page: None,
        }
    }

    /// The paper's number stands beside ours.
    pub(super) const fn paper(self, number: fn(&PaperFigures) -> Option<f64>) -> Self {
        Self { paper: Some(Theirs::Number(number)), ..self }
    }

    /// The paper's word stands beside ours.
    pub(super) const fn paper_word(self, word: fn(&TableRow) -> String) -> Self {
        Self { paper: Some(Theirs::Word(word)), ..self }
    }

    pub(super) const fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// Only rows of this kind have it.
    pub(super) const fn of(self, kind: Kind) -> Self {
        Self { of: Some(kind), ..self }
    }

    pub(super) const fn or_what_is_missing(self) -> Self {
        Self { says_what_is_missing: true, ..self }
    }

    /// Its name in CSV.
    pub(super) const fn csv(self, name: &'static str) -> Self {
        Self { csv: Some(name), ..self }
    }

    /// Its head in a terminal.
    pub(super) const fn terminal(self, head: &'static str) -> Self {
        Self { terminal: Some(head), ..self }
    }

    /// Only rows of this kind have it in a terminal.
    pub(super) const fn in_terminal_only_of(self, kind: Kind) -> Self {
        Self { terminal_of: Some(kind), ..self }
    }

    /// Its head in full tables.
    pub(super) const fn full(self, head: &'static str) -> Self {
        Self { full: Some(head), ..self }
    }

    /// Its head on a page.
    pub(super) const fn page(self, head: &'static str) -> Self {
        Self { page: Some(head), ..self }
    }

    /// The head of the column in a table of rows of `kind`; `None` where the table is without it.
    pub(super) fn head(&self, kind: Kind, layout: Layout) -> Option<&'static str> {
        let is_of = |of: Option<Kind>| of.is_none_or(|of| of == kind);
        let head = match layout {
            Layout::Terminal => self.terminal.filter(|_| is_of(self.terminal_of)),
            Layout::Full => self.full,
            Layout::Page { compared } => self.page.filter(|_| compared || !matches!(self.ours, Ours::Agreement(_))),
        };
        head.filter(|_| is_of(self.of))
    }

    /// To which side its cells are.
    pub(super) fn side(&self) -> Align {
        self.align
    }

    /// Our value in a table.
    pub(super) fn ours(&self, line: &Line, layout: Layout) -> Cell {
        let text = match self.ours {
            Ours::Word(word) => word(line),
            Ours::Number(value) => self.rounded(value(line)),
            Ours::Measure(measure) => match (measure(line.row), self.digits) {
                (None, _) if self.says_what_is_missing && !matches!(layout, Layout::Page { .. }) => {
                    if line.row.seeds.is_empty() { "not done".to_owned() } else { "none".to_owned() }
                }
                (None, _) => String::new(),
                (measure, Digits::Probability) if layout == Layout::Full => probabilities(measure),
                (Some(measure), Digits::Fixed(digits)) => measure.rounded(digits),
                (Some(measure), _) => self.rounded(Some(measure.mean)),
            },
            Ours::Agreement(agreement) => {
                let agreement = agreement(line.row);
                return Cell { text: agreement.map_or_else(String::new, |word| word.to_string()), agreement };
            }
        };
        Cell { text, agreement: None }
    }

    /// Whether the paper's value stands beside ours.
    pub(super) fn is_beside_the_papers(&self, layout: Layout) -> bool {
        self.paper.is_some() && layout != Layout::Page { compared: false }
    }

    /// The paper's value in a table.
    pub(super) fn theirs(&self, row: &TableRow) -> Cell {
        let text = match self.paper {
            Some(Theirs::Word(word)) => word(row),
            Some(Theirs::Number(value)) => self.rounded(row.paper.as_ref().and_then(value)),
            None => String::new(),
        };
        Cell { text, agreement: None }
    }

    fn rounded(&self, value: Option<f64>) -> String {
        match self.digits {
            Digits::Fixed(digits) => number(value, digits),
            Digits::Probability => probability(value),
            Digits::Seconds => value.map_or_else(String::new, seconds),
        }
    }

    /// The names in CSV: of ours, of its deviation, of the paper's.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let deviation = matches!(self.ours, Ours::Measure(_)).then_some("-deviation");
        let endings = [Some(""), deviation, self.paper.map(|_| "-paper")];
        self.csv.into_iter().flat_map(move |name| endings.into_iter().flatten().map(move |end| format!("{name}{end}")))
    }

    /// The exact values in CSV, as many as [`names`](Self::names).
    pub(super) fn exact(&self, line: &Line) -> Vec<String> {
        if self.csv.is_none() {
            return Vec::new();
        }
        let exact = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let mut cells = match self.ours {
            Ours::Number(value) => vec![exact(value(line))],
            Ours::Measure(measure) => {
                let measure = measure(line.row);
                vec![exact(measure.map(|measure| measure.mean)), exact(measure.and_then(|measure| measure.deviation))]
            }
            Ours::Word(_) | Ours::Agreement(_) => vec![self.ours(line, Layout::Full).text],
        };
        cells.extend(self.paper.map(|theirs| match theirs {
            Theirs::Word(word) => word(line.row),
            Theirs::Number(value) => exact(line.row.paper.as_ref().and_then(value)),
        }));
        cells
    }
}
