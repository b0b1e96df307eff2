//! A row's part of the page: what was found, plots, settings, the command that repeats it.

use gradspectra_experiment::{Finding, Products, Result, RowResult, Way};

use super::columns::seconds;
use super::html::{row_id, word};
use super::markdown::{difference, what_was_found};
use super::words::{command, specification};
use super::{Agreement, Report, RowFound, Section};
use crate::markup::escaped;
use crate::plots;
use crate::table::{TableRow, rounded};

/// The part of a row that has a result; its plots are those of the first seed.
pub(super) fn row(report: &Report, section: &Section, row: &TableRow, found: &RowFound) -> Result<String> {
    let Some(first) = found.results.first() else { return Ok(String::new()) };
    let setting = if row.setting.is_empty() { String::new() } else { format!(", {}", row.setting) };
    let subtitle =
        format!("{} on {}, {}, {}{setting}", row.model, row.data_set, row.training.to_lowercase(), row.tested);
    let readings = report.readings_of(&section.experiment.name, &row.id);
    let readings = readings
        .map(|(reading, row)| ("Other reading", format!("{}: {}", escaped(reading), escaped(&what_was_found(row)))));
    let facts: String = facts(row, found, first)
        .into_iter()
        .chain(readings)
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n"))
        .collect();
    let plots = plots::inline(report.store, first)?;
    let wide = if plots.len() > 1 { " class=\"wide\"" } else { "" };
    let command = command(&section.experiment.name, found).unwrap_or_default();
    Ok(format!(
        "<article id=\"{}\"{wide}>\n<h3>{}</h3>\n<p>{}</p>\n<dl>\n{facts}</dl>\n<figure>\n<div class=\"plots\">\n{}</div>\n\
         <figcaption>Seed {}.</figcaption>\n</figure>\n<p>To repeat it:</p>\n<pre \
         class=\"command\"><code>{}</code></pre>\n<details>\n<summary>Settings</summary>\n<pre \
         tabindex=\"0\"><code>{}</code></pre>\n</details>\n</article>\n",
        row_id(section, found),
        escaped(&row.id),
        escaped(&subtitle),
        plots.concat(),
        first.seed,
        escaped(&command),
        escaped(&specification(&first.row))
    ))
}

fn facts(row: &TableRow, found: &RowFound, first: &RowResult) -> Vec<(&'static str, String)> {
    let agreement = Agreement::of(row);
    let mut verdict = word(agreement);
    if agreement == Agreement::Differs {
        verdict += &format!(": {}", escaped(&difference(row)));
    }
    let capture = &first.capture;
    let way = match capture.way {
        Way::Factored => "from one pass over the examples",
        Way::Direct => "a backward pass each",
    };
    let why = capture.why_direct.as_ref().map_or_else(String::new, |reason| format!(": {}", escaped(reason)));
    let seeds: Vec<_> = row.seeds.iter().map(u64::to_string).collect();
    let mut facts = vec![
        ("Agreement", verdict),
        (
            "Gradients",
            format!("n = {}, T = {}, B = {}, {way}{why}", capture.parameters, capture.iterations, capture.batch_size),
        ),
    ];
    if let Finding::Spectrum(finding) = &first.finding {
        if let Some(law) = &finding.power_law {
            let test = law.monte_carlo;
            facts.push(("Monte Carlo", format!("p = {:.3} of {} replicas", test.p_value, test.replicas)));
        }
        if let Some(reason) = &finding.no_fit {
            facts.push(("No fit", escaped(reason)));
        }
        if let Some(rank) = finding.spectrum.rank {
            let products = match capture.products {
                Some(Products::F64) => ", of products in f64",
                _ => "",
            };
            facts.push(("Rank", format!("{rank} of {} eigenvalues are above rounding{products}", capture.iterations)));
        }
    }
    if row.test_accuracy.is_some() {
        facts.push(("Test accuracy", format!("{}%", rounded(row.test_accuracy, 2))));
    }
    facts.push(("Seeds", seeds.join(", ")));
    if !found.timings.is_empty() {
        let seconds: Vec<_> = found.timings.iter().map(|timings| seconds(timings.total())).collect();
        facts.push(("Seconds", format!("{} (a seed each)", escaped(&seconds.join(", ")))));
    }
    facts
}
