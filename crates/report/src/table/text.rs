//! Aligned columns for a terminal of 80 characters.

use clap::builder::styling::{AnsiColor, Style};

use super::grid::{Extent, Grid};
use super::{Figures, Measure, Table, TableRow, probabilities, rounded};

const SAME: Style = AnsiColor::Green.on_default();
const DIFFERS: Style = AnsiColor::Yellow.on_default();

pub(super) fn table(table: &Table, coloured: bool) -> String {
    let mut lines = wrapped(&table.heading());
    for grid in table.grids(Extent::Short) {
        lines.push(String::new());
        lines.extend(aligned(&grid, coloured));
    }
    let notes: Vec<_> = accuracies(table).into_iter().chain(p_values(table)).chain(table.notes.clone()).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().flat_map(|note| wrapped(note)));
    }
    lines.join("\n") + "\n"
}

/// The first column to the left, the others to the right; two spaces apart where that fits, else one.
fn aligned(grid: &Grid, coloured: bool) -> Vec<String> {
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
                _ => painted(format!("{cell:>width$}"), coloured),
            })
            .collect();
        cells.join(gap).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// `cell` with the colour of its word.
fn painted(cell: String, coloured: bool) -> String {
    let style = match cell.trim() {
        "same" if coloured => SAME,
        "differs" if coloured => DIFFERS,
        _ => return cell,
    };
    format!("{style}{cell}{style:#}")
}

/// The p-values that vary over the seeds, for which the columns have no room.
fn p_values(table: &Table) -> Option<String> {
    let p_value = |row: &TableRow| match row.figures {
        Figures::Entries { p_value: Some(p @ Measure { deviation: Some(_), .. }), .. } => {
            Some(format!("{} {}", row.id, probabilities(Some(p))))
        }
        _ => None,
    };
    let listed: Vec<_> = table.rows.iter().filter_map(p_value).collect();
    (!listed.is_empty()).then(|| format!("p and its deviation: {}", listed.join(", ")))
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
