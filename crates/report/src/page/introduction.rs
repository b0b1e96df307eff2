//! What a page says first: of the paper where results are of the paper's tables, else of the user's own experiments.

use std::collections::BTreeSet;

use gradspectra_experiment::RowResult;
use maud::{Markup, html};

use super::html::word;
use super::words::program;
use super::{Agreement, Report};
use crate::table::escaped_markdown as escaped;

/// The title of a page.
pub(super) fn title(report: &Report) -> String {
    if report.is_of_the_paper() {
        return "Stochastic gradients beside the paper".to_owned();
    }
    let titles: Vec<_> = report.sections.iter().map(|section| section.table.title.as_str()).collect();
    format!("Stochastic gradients: {}", titles.join(", "))
}

/// The first paragraphs of the page of HTML.
pub(super) fn html(report: &Report) -> Markup {
    let rows = report.own_rows().count();
    let counts = Agreement::ALL.map(|agreement| (report.count(agreement), agreement));
    let counts: Vec<_> = counts.into_iter().filter(|(count, _)| *count > 0).collect();
    html! {
        p {
            "Results of " (programs(report))
            @if report.is_of_the_paper() {
                " beside " cite { "On the Overlooked Structure of Stochastic Gradients" }
                " (Xie, Tang, Sun, Li; NeurIPS 2023)"
            }
            @if report.is_compared() {
                ". Of " (rows) " rows: "
                @for (place, (count, agreement)) in counts.iter().enumerate() {
                    @if place > 0 { ", " }
                    (count) " " (word(*agreement))
                }
                "."
            } @else {
                ": " (done(report))
            }
        }
        p {
            @if report.is_compared() {
                @if !report.is_of_the_paper() { "The paper’s figures are those that the experiment file gives. " }
                "A spectrum is the " em { "same" } " where the verdict (d" sub { "ks" } " < d" sub { "c" }
                ") is the paper’s, and no fit counts as No; entries where the rates of power laws and of Gaussians are both "
                "on the paper’s side of 50%. "
            } @else {
                "The verdict on a power law is Yes where d" sub { "ks" } " < d" sub { "c" } ". "
            }
            "Figures are means over the seeds, ± the deviation where there are several."
        }
    }
}

/// The title and the first paragraphs of the page of Markdown.
pub(super) fn markdown(report: &Report) -> String {
    let (title, writer) = match report.is_of_the_paper() {
        true => ("Results beside the paper's".to_owned(), "gradspectra"),
        false => (escaped(&title(report)), first_program(report)),
    };
    let verdict = match report.is_compared() {
        true => format!(
            "Of {} rows, {} say the same as the paper, {} differ, {} are not in the paper and {} are not done. {}Spectra \
             say the same where the verdict (d_ks < d_c) is the paper's, and no fit counts as No; entries where the rates of power laws and of \
             Gaussians are both on the paper's side of 50%.",
            report.own_rows().count(),
            report.count(Agreement::Same),
            report.count(Agreement::Differs),
            report.count(Agreement::NotInPaper),
            report.count(Agreement::NotDone),
            if report.is_of_the_paper() {
                ""
            } else {
                "The paper's figures are those that the experiment file gives. "
            },
        ),
        false => format!("{} The verdict on a power law is Yes where d_ks < d_c.", done(report)),
    };
    format!(
        "# {title}\n\nWritten by `{writer} report --format markdown` from the results in this folder; `--check` holds it to \
         them.\n\n{verdict} Figures are means over the seeds, ± the deviation where there are several. Seconds are a \
         seed's, without what rows before it had made.\n"
    )
}

/// How many rows are done.
fn done(report: &Report) -> String {
    let (rows, open) = (report.own_rows().count(), report.count(Agreement::NotDone));
    let noun = if rows == 1 { "row" } else { "rows" };
    match open {
        0 => format!("{rows} {noun}."),
        open => format!("{rows} {noun}, {open} of them not done."),
    }
}

/// The programs of the results, with their versions.
fn programs(report: &Report) -> String {
    let programs: BTreeSet<_> = results(report).map(|result| result.program.as_str()).collect();
    let named: Vec<_> = programs.into_iter().filter(|program| !program.is_empty()).collect();
    if named.is_empty() { gradspectra_experiment::program() } else { named.join(" and ") }
}

/// The name of the program of the first result.
fn first_program<'a>(report: &'a Report) -> &'a str {
    results(report).next().map_or("gradspectra", program)
}

fn results<'a>(report: &'a Report) -> impl Iterator<Item = &'a RowResult> {
    report.sections.iter().flat_map(|section| section.rows.iter().flat_map(|found| &found.results))
}
