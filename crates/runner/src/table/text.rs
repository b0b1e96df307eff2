//! Aligned columns for a terminal of 80 characters.

use super::grid::{Extent, Grid};
use super::{Table, rounded};

pub(super) fn table(table: &Table) -> String {
    let mut lines = wrapped(&table.heading());
    for grid in table.grids(Extent::Short) {
        lines.push(String::new());
        lines.extend(aligned(&grid));
    }
    let notes: Vec<_> = accuracies(table).into_iter().chain(table.notes.clone()).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().flat_map(|note| wrapped(note)));
    }
    lines.join("\n") + "\n"
}

/// The first column to the left, the others to the right; two spaces apart where that fits, else one.
fn aligned(grid: &Grid) -> Vec<String> {
    let header: Vec<String> = grid.header.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<&Vec<String>> = std::iter::once(&header).chain(&grid.rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let gap = if widths.iter().sum::<usize>() + 2 * (widths.len() - 1) <= WIDTH { "  " } else { " " };
    let line = |row: &&Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        cells.join(gap).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A line for every test accuracy, with the rows that share it.
fn accuracies(table: &Table) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &table.rows {
        let accuracy = rounded(row.test_accuracy, 2);
        match groups.iter_mut().find(|(known, _)| *known == accuracy) {
            _ if accuracy.is_empty() => {}
            Some((_, rows)) => rows.push(&row.id),
            None => groups.push((accuracy, vec![&row.id])),
        }
    }
    groups.iter().map(|(accuracy, rows)| format!("test accuracy {accuracy}%: {}", rows.join(", "))).collect()
}

const WIDTH: usize = 80;

/// `text` in lines of at most 80 characters, where its words allow.
pub fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
