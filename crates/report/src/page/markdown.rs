//! The report as Markdown: the same bytes for the same files of results.

use super::words::{command, reading};
use super::{Report, Section, introduction};
use crate::table::{Agreement, Figures, Measure, TableRow, Verdict, escaped_markdown as escaped, markdown_grid};

pub(super) fn page(report: &Report) -> String {
    let mut text = introduction::markdown(report);
    for section in &report.sections {
        text += &format!("\n## {}\n", escaped(&section.table.title));
        if !section.table.caption.is_empty() {
            text += &format!("\n{}\n", escaped(&section.table.caption));
        }
        for grid in section.grids() {
            text += &markdown_grid(&grid, |head| format!("{head} (paper)"));
        }
        for note in &section.table.notes {
            text += &format!("\n{}\n", escaped(note));
        }
        text += &readings(section);
        text += &commands(section);
    }
    if report.is_compared() {
        text += &disagreements(report);
    }
    text
}

/// The readings, each with the rows that share it.
fn readings(section: &Section) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for found in section.rows.iter() {
        let Some(result) = found.results.first() else { continue };
        let reading = reading(&result.row);
        match groups.iter_mut().find(|(known, _)| *known == reading) {
            Some((_, rows)) => rows.push(&found.row.id),
            None => groups.push((reading, vec![&found.row.id])),
        }
    }
    let lines = groups.iter().map(|(reading, rows)| format!("- {}: {}\n", escaped(&rows.join(", ")), escaped(reading)));
    format!("\nReadings:\n\n{}", lines.collect::<String>())
}

fn commands(section: &Section) -> String {
    let commands = section.rows.iter().filter_map(|found| command(&section.experiment.name, found));
    format!("\nTo repeat them:\n\n{}", commands.map(|command| format!("    {command}\n")).collect::<String>())
}

fn disagreements(report: &Report) -> String {
    let mut lines = String::new();
    for section in &report.sections {
        for (found, row) in section.rows.iter().zip(&section.table.rows) {
            if found.row.reading_of.is_some() || row.agreement() != Agreement::Differs {
                continue;
            }
            let name = format!("{}, {}", section.table.title, row.id);
            lines += &format!("- {}: {}\n", escaped(&name), escaped(&difference(row)));
            for (reading, row) in report.readings_of(&section.experiment.name, &row.id) {
                lines += &format!("  - {}: {}\n", escaped(reading), escaped(&what_was_found(row)));
            }
        }
    }
    if lines.is_empty() {
        lines = "None among the rows that are done.\n".to_owned();
    }
    format!("\n## Disagreements\n\n{lines}")
}

/// What we found and what the paper says.
pub(super) fn difference(row: &TableRow) -> String {
    let Some(paper) = row.paper else { return String::new() };
    let theirs = match row.figures {
        Figures::Spectrum { .. } => format!("{} with {}", word(row.paper_verdict()), paper.d_ks),
        Figures::Entries { .. } => {
            let percent = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| format!("{value}%"));
            format!("{} and {}", percent(paper.power_law_percent), percent(paper.gaussian_percent))
        }
    };
    format!("{}, the paper {theirs}", what_was_found(row))
}

/// Our verdict in words.
pub(super) fn what_was_found(row: &TableRow) -> String {
    let rounded = |measure: Option<Measure>, digits| measure.map(|measure| measure.rounded(digits));
    match row.figures {
        Figures::Spectrum { s, .. } => {
            let Some(d_ks) = rounded(row.d_ks, 4) else {
                return row.no_fit.as_ref().map_or_else(|| "no fit".to_owned(), |reason| format!("no fit: {reason}"));
            };
            let (verdict, d_c) = (word(row.verdict()), row.d_c.unwrap_or_default());
            let s = rounded(s, 3).map_or_else(String::new, |s| format!(", s = {s}"));
            format!("power law {verdict} with d_ks = {d_ks} (d_c = {d_c:.4}){s}")
        }
        Figures::Entries { power_law_percent, gaussian_percent, .. } => {
            let percent = |measure| rounded(measure, 2).map_or_else(|| "no".to_owned(), |percent| percent + "%");
            format!("{} power laws and {} Gaussians", percent(power_law_percent), percent(gaussian_percent))
        }
    }
}

fn word(verdict: Option<Verdict>) -> String {
    verdict.map_or_else(String::new, |verdict| verdict.to_string())
}
