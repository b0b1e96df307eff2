//! A row's part of the page: what was found, plots, settings, the command that repeats it.

use gradspectra_experiment::{Finding, Products, Result, RowResult, Way};
use maud::{Markup, PreEscaped, html};

use super::html::{row_id, word};
use super::markdown::{difference, what_was_found};
use super::words::{command, specification};
use super::{Report, RowFound, Section};
use crate::plots;
use crate::table::{Agreement, TableRow, rounded, seconds};

/// The part of a row that has a result, else nothing; its plots are those of the first seed.
pub(super) fn row(report: &Report, section: &Section, row: &TableRow, found: &RowFound) -> Result<Markup> {
    let Some(first) = found.results.first() else { return Ok(Markup::default()) };
    let setting = if row.setting.is_empty() { String::new() } else { format!(", {}", row.setting) };
    let readings = report.readings_of(&section.experiment.name, &row.id);
    let plots = plots::inline(report.store, first)?;
    Ok(html! {
        "\n"
        article id=(row_id(section, found)) class=[(plots.len() > 1).then_some("wide")] {
            h3 { (row.id) }
            p { (row.model) " on " (row.data_set) ", " (row.training.to_lowercase()) ", " (row.tested) (setting) }
            dl {
                @if section.is_compared() { dt { "Agreement" } dd { (agreement(row)) } }
                @for (name, value) in facts(row, found, first) { dt { (name) } dd { (value) } }
                @for (reading, row) in readings {
                    dt { "Other reading" } dd { (reading) ": " (what_was_found(row)) }
                }
            }
            figure {
                div class="plots" { @for plot in &plots { (PreEscaped(plot)) } }
                figcaption { "Seed " (first.seed) "." }
            }
            p { "To repeat it:" }
            pre class="command" { code { (command(&section.experiment.name, found).unwrap_or_default()) } }
            details {
                summary { "Settings" }
                pre tabindex="0" { code { (specification(&first.row)) } }
            }
        }
    })
}

fn agreement(row: &TableRow) -> Markup {
    let agreement = row.agreement();
    html! {
        (word(agreement))
        @if agreement == Agreement::Differs { ": " (difference(row)) }
    }
}

fn facts(row: &TableRow, found: &RowFound, first: &RowResult) -> Vec<(&'static str, String)> {
    let capture = &first.capture;
    let way = match capture.way {
        Way::Factored => "from one pass over the examples",
        Way::Direct => "a backward pass each",
    };
    let why = capture.why_direct.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let mut facts = vec![(
        "Gradients",
        format!("n = {}, T = {}, B = {}, {way}{why}", capture.parameters, capture.iterations, capture.batch_size),
    )];
    if !capture.frozen.is_empty() {
        facts.push(("Frozen", capture.frozen.join(", ")));
    }
    if let Finding::Spectrum(finding) = &first.finding {
        if let Some(law) = &finding.power_law {
            let test = law.monte_carlo;
            let p = if test.p_value < 0.001 { "< 0.001".to_owned() } else { format!("= {:.3}", test.p_value) };
            facts.push(("Monte Carlo", format!("p {p} of {} replicas", test.replicas)));
        }
        if let Some(reason) = &finding.no_fit {
            facts.push(("No fit", reason.clone()));
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
    let seeds: Vec<_> = row.seeds.iter().map(u64::to_string).collect();
    facts.push(("Seeds", seeds.join(", ")));
    if !found.timings.is_empty() {
        let seconds: Vec<_> = found.timings.iter().map(|timings| seconds(timings.total())).collect();
        facts.push(("Seconds", format!("{}, one figure for each seed", seconds.join(", "))));
    }
    facts
}
