//! Aligned columns of at most 80 characters.

use super::{Table, TableRow};

pub(super) fn table(table: &Table) -> String {
    let mut lines = wrapped(&format!("{}: {}", table.title, table.caption), 80);
    lines.push(String::new());
    let header = ["row", "B", "d_ks", "paper", "law", "paper", "s", "paper", ""].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(header).chain(table.rows.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let line: String = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!(" {cell:>width$}"),
            })
            .collect();
        lines.push(line.trim_end().to_owned());
    }
    let notes: Vec<_> = accuracies(table).into_iter().chain(table.notes.clone()).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().flat_map(|note| wrapped(note, 80)));
    }
    lines.join("\n") + "\n"
}

fn cells(row: &TableRow) -> [String; 9] {
    let figures = row.figures();
    [
        row.id.clone(),
        row.batch_size.to_string(),
        figures.d_ks,
        figures.paper_d_ks,
        row.verdict(),
        row.paper_verdict().to_owned(),
        figures.s,
        figures.paper_s,
        row.agreement().to_owned(),
    ]
}

/// A line for every test accuracy, with the rows that share it.
fn accuracies(table: &Table) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &table.rows {
        let accuracy = row.figures().test_accuracy;
        match groups.iter_mut().find(|(known, _)| *known == accuracy) {
            _ if accuracy.is_empty() => {}
            Some((_, rows)) => rows.push(&row.id),
            None => groups.push((accuracy, vec![&row.id])),
        }
    }
    groups.iter().map(|(accuracy, rows)| format!("test accuracy {accuracy}%: {}", rows.join(", "))).collect()
}

/// `text` in lines of at most `width` characters, where its words allow.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
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
