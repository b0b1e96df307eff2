//! A LaTeX table.

use super::Table;
use super::markdown::{HEADER, cells};

pub(super) fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
    let columns = "lllr".to_owned() + &"r".repeat(HEADER.len() - 4);
    let mut text = format!(
        "\\begin{{table}}\n  \\centering\n  \\caption{{{}: {}}}\n  \\begin{{tabular}}{{{columns}}}\n    \\hline\n",
        escaped(&table.title),
        escaped(&table.caption)
    );
    text += &line(HEADER.iter().map(|name| escaped(name)).collect());
    text += "    \\hline\n";
    for row in &table.rows {
        text += &line(cells(row).iter().map(|cell| escaped(cell)).collect());
    }
    text += "    \\hline\n  \\end{tabular}\n";
    for note in &table.notes {
        text += &format!("  \\par {}\n", escaped(note));
    }
    text + "\\end{table}\n"
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
