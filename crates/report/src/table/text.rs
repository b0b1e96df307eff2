//! Aligned columns for a terminal of 80 characters.

use tabled::builder::Builder;
use tabled::settings::object::{Cell, Columns};
use tabled::settings::{Alignment, Color, Padding, Style};

use super::column::Layout;
use super::grid::Grid;
use super::{Agreement, Figures, Measure, Table, TableRow, probabilities, rounded};

pub(super) fn table(table: &Table, coloured: bool) -> String {
    let mut lines = wrapped(&table.heading());
    for grid in Grid::all(&table.lines(), Layout::Terminal) {
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
    let mut builder = Builder::default();
    builder.push_record(grid.header(|_| "paper".to_owned()));
    for cells in grid.texts() {
        builder.push_record(cells);
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Alignment::right()).modify(Columns::first(), Alignment::left());
    for gap in [2, 1] {
        table.with(Padding::new(0, gap, 0, 0)).modify(Columns::last(), Padding::zero());
        if table.total_width() <= WIDTH {
            break;
        }
    }
    for (row, (_, cells)) in grid.rows.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            if let Some(colour) = cell.agreement.filter(|_| coloured).and_then(colour) {
                table.modify(Cell::new(row + 1, column), colour);
            }
        }
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The colour of the word for an agreement: green or yellow.
fn colour(agreement: Agreement) -> Option<Color> {
    let code = match agreement {
        Agreement::Same => "32",
        Agreement::Differs => "33",
        Agreement::NotInPaper | Agreement::NotDone => return None,
    };
    Some(Color::new(format!("\x1b[{code}m"), "\x1b[0m"))
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
