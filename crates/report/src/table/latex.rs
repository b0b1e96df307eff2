//! LaTeX tables.

use super::Table;
use super::column::{Align, Layout};
use super::grid::Grid;

pub(super) fn table(table: &Table) -> String {
    let mut text = format!("\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n", escaped(&table.heading()));
    for grid in Grid::all(&table.lines(), Layout::Full) {
        text += &tabular(&grid);
    }
    for note in &table.notes {
        text += &format!("  \\par {}\n", escaped(note));
    }
    text + "\\end{table}\n"
}

/// The labels that begin a row to the left, all that follows them to the right.
fn tabular(grid: &Grid) -> String {
    let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
    let labels = grid.heads.iter().take_while(|head| head.align == Align::Left).count();
    let columns = "l".repeat(labels) + &"r".repeat(grid.heads.len() - labels);
    let mut text = format!("  \\begin{{tabular}}{{{columns}}}\n    \\hline\n");
    text += &line(grid.header(|_| "paper's".to_owned()).iter().map(|head| escaped(head)).collect());
    text += "    \\hline\n";
    for cells in grid.texts() {
        text += &line(cells.map(escaped).collect());
    }
    text + "    \\hline\n  \\end{tabular}\n"
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '±' => escaped.push_str("$\\pm$"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
