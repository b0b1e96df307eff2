//! A Markdown table.

use super::{Table, TableRow};

pub(super) const HEADER: [&str; 15] = [
    "Row",
    "Data set",
    "Model",
    "Training",
    "Batch",
    "K",
    "Setting",
    "d_ks",
    "paper's",
    "d_c",
    "Power law",
    "paper's",
    "s",
    "paper's",
    "Test accuracy (%)",
];

pub(super) fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("**{}: {}**\n\n", escaped(&table.title), escaped(&table.caption));
    text += &line(HEADER.iter().map(|name| escaped(name)).collect());
    text += &line(vec!["---".to_owned(); HEADER.len()]);
    for row in &table.rows {
        text += &line(cells(row).iter().map(|cell| escaped(cell)).collect());
    }
    for note in &table.notes {
        text += &format!("\n{}\n", escaped(note));
    }
    text
}

pub(super) fn cells(row: &TableRow) -> [String; 15] {
    let figures = row.figures();
    [
        row.id.clone(),
        row.data_set.clone(),
        row.model.clone(),
        row.training.to_owned(),
        row.batch_size.to_string(),
        row.k.to_string(),
        row.setting.clone(),
        figures.d_ks,
        figures.paper_d_ks,
        figures.d_c,
        row.verdict(),
        row.paper_verdict().to_owned(),
        figures.s,
        figures.paper_s,
        figures.test_accuracy,
    ]
}

fn escaped(text: &str) -> String {
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
