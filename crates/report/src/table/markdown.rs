//! Markdown tables.

use super::Table;
use super::grid::Extent;

pub(super) fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("**{}**\n", escaped(&table.heading()));
    for grid in table.grids(Extent::Full) {
        text.push('\n');
        text += &line(grid.header.iter().map(|name| escaped(name)).collect());
        text += &line(vec!["---".to_owned(); grid.header.len()]);
        for row in &grid.rows {
            text += &line(row.iter().map(|cell| escaped(cell)).collect());
        }
    }
    for note in &table.notes {
        text += &format!("\n{}\n", escaped(note));
    }
    text
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
