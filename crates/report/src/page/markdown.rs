//! The report as Markdown: the same bytes for the same files of results.

use super::columns::Columns;
use super::words::{command, reading};
use super::{Agreement, Report, Section};
use crate::table::{Figures, Measure, TableRow, escaped_markdown as escaped};

pub(super) fn page(report: &Report) -> String {
    let mut text = "# Results beside the paper's\n\n".to_owned();
    text += "Written by `gradspectra report --format markdown` from the results in this folder; \
             `--check` holds it to them.\n\n";
    text += &format!(
        "Of {} rows, {} say the same as the paper, {} differ, {} are not in the paper and {} are not done. Spectra say \
         the same where the verdict (d_ks < d_c) is the paper's; entries where the rates of power laws and of Gaussians \
         are both on the paper's side of 50%. Figures are means over the seeds, ± the deviation where there are \
         several. Seconds are a seed's, without what rows before it had made.\n",
        report.own_rows().count(),
        report.count(Agreement::Same),
        report.count(Agreement::Differs),
        report.count(Agreement::NotInPaper),
        report.count(Agreement::NotDone),
    );
    for section in &report.sections {
        text += &format!("\n## {}\n\n{}\n", escaped(&section.table.title), escaped(&section.table.caption));
        text += &tables(section);
        for note in &section.table.notes {
            text += &format!("\n{}\n", escaped(note));
        }
        text += &readings(section);
        text += &commands(section);
    }
    text + &disagreements(report)
}

fn tables(section: &Section) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    for columns in Columns::of(section) {
        text.push('\n');
        text += &line(
            columns
                .heads
                .iter()
                .map(|(name, whose)| match whose {
                    Some("paper") => format!("{} (paper)", escaped(name)),
                    _ => escaped(name),
                })
                .collect(),
        );
        text += &line(vec!["---".to_owned(); columns.heads.len()]);
        for (.., cells) in &columns.rows {
            text += &line(cells.iter().map(|cell| escaped(cell)).collect());
        }
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
            if found.row.reading_of.is_some() || Agreement::of(row) != Agreement::Differs {
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
        Figures::Spectrum { .. } => format!("{} with {}", row.paper_verdict(), paper.d_ks),
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
                return "no fit: K is beyond the numerical rank".to_owned();
            };
            let (verdict, d_c) = (row.verdict(), row.d_c.unwrap_or_default());
            let s = rounded(s, 3).map_or_else(String::new, |s| format!(", s = {s}"));
            format!("power law {verdict} with d_ks = {d_ks} (d_c = {d_c:.4}){s}")
        }
        Figures::Entries { power_law_percent, gaussian_percent, .. } => {
            let percent = |measure| rounded(measure, 2).map_or_else(|| "no".to_owned(), |percent| percent + "%");
            format!("{} power laws and {} Gaussians", percent(power_law_percent), percent(gaussian_percent))
        }
    }
}
