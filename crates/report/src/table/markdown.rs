//! Markdown tables. Their cells are not padded, as a library's would be: one that grows changes no other line.

use super::Table;
use super::column::Layout;
use super::grid::Grid;

pub(super) fn table(table: &Table) -> String {
    let mut text = format!("**{}**\n", escaped(&table.heading()));
    for grid in Grid::all(&table.lines(), Layout::Full) {
        text += &self::grid(&grid, |_| "paper's".to_owned());
    }
    for note in &table.notes {
        text += &format!("\n{}\n", escaped(note));
    }
    text
}

/// An empty line and the lines of a table, where `paper` words the head of the paper's column.
pub(crate) fn grid(grid: &Grid, paper: impl Fn(&str) -> String) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = line(vec!["---".to_owned(); grid.heads.len()]);
    let header = line(grid.header(paper).iter().map(|head| escaped(head)).collect());
    let rows = grid.texts().map(|cells| line(cells.map(escaped).collect()));
    format!("\n{header}{rule}{}", rows.collect::<String>())
}

/// `text` inert in Markdown and in a cell of its tables.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' => escaped.extend(['\\', character]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
