//! Tables as rounded text: one for spectra, one for entries.

use super::column::{Align, Layout, Line};
use super::columns::COLUMNS;
use super::{Agreement, Kind};

/// Whose figures a column of a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Ours, and the paper has none.
    OursAlone,
    /// Ours, with the paper's in the next column.
    Ours,
    /// The paper's.
    Paper,
}

/// The head of a column of a table.
pub(crate) struct Head {
    pub(crate) name: &'static str,
    pub(crate) whose: Whose,
    pub(crate) align: Align,
}

/// What a table says at one place.
pub(crate) struct Cell {
    pub(crate) text: String,
    /// What the text is the word for, where it is of an agreement.
    pub(crate) agreement: Option<Agreement>,
}

/// A table of the rows of one kind, rounded.
pub(crate) struct Grid {
    pub(crate) kind: Kind,
    pub(crate) heads: Vec<Head>,
    /// The place of each row among the lines, and as many cells as there are heads.
    pub(crate) rows: Vec<(usize, Vec<Cell>)>,
}

impl Grid {
    /// The tables of `lines` that have rows: the one of spectra, then the one of entries.
    pub(crate) fn all(lines: &[Line], layout: Layout) -> impl Iterator<Item = Self> {
        [Kind::Spectrum, Kind::Entries].into_iter().filter_map(move |kind| Self::of(lines, kind, layout))
    }

    fn of(lines: &[Line], kind: Kind, layout: Layout) -> Option<Self> {
        let rows: Vec<_> = (0..lines.len()).filter(|&place| lines[place].row.kind() == kind).collect();
        if rows.is_empty() {
            return None;
        }
        let mut grid = Self { kind, heads: Vec::new(), rows: rows.iter().map(|&place| (place, Vec::new())).collect() };
        for column in COLUMNS {
            let Some(name) = column.head(kind, layout) else { continue };
            let cells = |cell: &dyn Fn(&Line) -> Cell| rows.iter().map(|&row| cell(&lines[row])).collect::<Vec<_>>();
            let ours = cells(&|line| column.ours(line, layout));
            let paper = column.is_beside_the_papers(layout).then(|| cells(&|line| column.theirs(line.row)));
            let is_empty = |cells: &[Cell]| cells.iter().all(|cell| cell.text.is_empty());
            if matches!(layout, Layout::Page { .. }) && is_empty(&ours) && paper.as_deref().is_none_or(is_empty) {
                continue;
            }
            let whose = if paper.is_some() { Whose::Ours } else { Whose::OursAlone };
            let head = |whose| Head { name, whose, align: column.side() };
            grid.push(head(whose), ours);
            if let Some(paper) = paper {
                grid.push(head(Whose::Paper), paper);
            }
        }
        Some(grid)
    }

    fn push(&mut self, head: Head, cells: Vec<Cell>) {
        self.heads.push(head);
        for ((_, row), cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }

    /// The heads as one line, where `paper` words the head of the paper's column.
    pub(crate) fn header(&self, paper: impl Fn(&str) -> String) -> Vec<String> {
        let head = |head: &Head| if head.whose == Whose::Paper { paper(head.name) } else { head.name.to_owned() };
        self.heads.iter().map(head).collect()
    }

    /// The texts of the cells of each row.
    pub(crate) fn texts(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        self.rows.iter().map(|(_, cells)| cells.iter().map(|cell| cell.text.as_str()))
    }
}
