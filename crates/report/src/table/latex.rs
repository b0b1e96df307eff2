//! LaTeX tables.

use super::Table;
use super::grid::{Extent, Grid};

pub(super) fn table(table: &Table) -> String {
    let mut text = format!("\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n", escaped(&table.heading()));
    for grid in table.grids(Extent::Full) {
        text += &tabular(&grid);
    }
    for note in &table.notes {
        text += &format!("  \\par {}\n", escaped(note));
    }
    text + "\\end{table}\n"
}

fn tabular(grid: &Grid) -> String {
    let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
    let columns = "l".repeat(5) + &"r".repeat(grid.header.len() - 5);
    let mut text = format!("  \\begin{{tabular}}{{{columns}}}\n    \\hline\n");
    text += &line(grid.header.iter().map(|name| escaped(name)).collect());
    text += "    \\hline\n";
    for row in &grid.rows {
        text += &line(row.iter().map(|cell| escaped(cell)).collect());
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
