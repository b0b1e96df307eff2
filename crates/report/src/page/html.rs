//! The report as one page of HTML, without scripts, that needs nothing else.

use gradspectra_experiment::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, RowFound, Section, article, introduction};
use crate::markup::without_controls;
use crate::plots;
use crate::table::{Agreement, Align, Cell, Grid, Head, Kind, Whose};

const STYLE: &str = include_str!("page.css");

/// What the page may load: nothing but its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn page(report: &Report) -> Result<String> {
    let title = introduction::title(report);
    let sections = report.sections.iter().map(|section| self::section(report, section)).collect::<Result<Vec<_>>>()?;
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(plots::page_style())) }
            }
            body {
                header {
                    h1 { (title) }
                    (introduction::html(report))
                }
                nav aria-label="Tables" {
                    ul {
                        @for section in &report.sections {
                            li { a href={ "#" (section.experiment.name) } { (section.table.title) } }
                        }
                    }
                }
                main { @for section in &sections { (section) } }
            }
        }
        "\n"
    };
    Ok(without_controls(page.into_string()))
}

/// The word for an agreement, in its colour.
pub(super) fn word(agreement: Agreement) -> Markup {
    let class = match agreement {
        Agreement::Same => "same",
        Agreement::Differs => "differs",
        Agreement::NotDone | Agreement::NotInPaper => "none",
    };
    html! { span class=(class) { (agreement) } }
}

/// The id of a row's part of the page.
pub(super) fn row_id(section: &Section, found: &RowFound) -> String {
    format!("{}-{}", section.experiment.name, found.row.id)
}

fn section(report: &Report, section: &Section) -> Result<Markup> {
    let table = &section.table;
    let rows = table.rows.iter().zip(&section.rows);
    let articles = rows.map(|(row, found)| article::row(report, section, row, found)).collect::<Result<Vec<_>>>()?;
    Ok(html! {
        "\n"
        section id=(section.experiment.name) {
            h2 { (table.title) }
            @if !table.caption.is_empty() { p { (table.caption) } }
            @if !table.notes.is_empty() {
                ul { @for note in &table.notes { li { (note) } } }
            }
            @for grid in section.grids() { (self::table(section, &grid)) }
            div class="rows" { @for article in articles { (article) } }
        }
    })
}

fn table(section: &Section, grid: &Grid) -> Markup {
    let name = match grid.kind {
        Kind::Spectrum => "spectra",
        Kind::Entries => "entries",
    };
    let beside = if section.is_compared() { ": ours beside the paper’s" } else { "" };
    let caption = format!("{}, tests of {name}{beside}", section.table.title);
    html! {
        "\n"
        div class="scroll" role="region" tabindex="0" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { (heads(&grid.heads)) }
                tbody {
                    @for (place, cells) in &grid.rows {
                        tr {
                            @for (column, (head, cell)) in grid.heads.iter().zip(cells).enumerate() {
                                @if column == 0 {
                                    th scope="row" { (name_of(section, &section.rows[*place], cell)) }
                                } @else {
                                    td class=[words(head)] { (self::cell(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The name of a row, which leads to its part of the page where there is one.
fn name_of(section: &Section, found: &RowFound, cell: &Cell) -> Markup {
    html! {
        @if found.results.is_empty() { (cell.text) }
        @else { a href={ "#" (row_id(section, found)) } { (cell.text) } }
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell.agreement {
        Some(agreement) => word(agreement),
        None => html! { (cell.text) },
    }
}

/// The class of cells of words, which stand to the left.
fn words(head: &Head) -> Option<&'static str> {
    (head.align == Align::Left).then_some("words")
}

/// Heads in one line; in two where ours stand beside the paper's, under one name.
fn heads(heads: &[Head]) -> Markup {
    let in_two = heads.iter().any(|head| head.whose == Whose::Paper);
    html! {
        tr {
            @for head in heads {
                @match head.whose {
                    Whose::OursAlone => {
                        th scope="col" rowspan=[in_two.then_some("2")] class=[words(head)] { (with_subscript(head.name)) }
                    }
                    Whose::Ours => th scope="colgroup" colspan="2" { (with_subscript(head.name)) },
                    Whose::Paper => {}
                }
            }
        }
        @if in_two {
            tr {
                @for head in heads {
                    @match head.whose {
                        Whose::OursAlone => {}
                        Whose::Ours => th scope="col" { "ours" },
                        Whose::Paper => th scope="col" { "paper" },
                    }
                }
            }
        }
    }
}

fn with_subscript(name: &str) -> Markup {
    match name.split_once('_') {
        Some((base, below)) => html! { (base) sub { (below) } },
        None => html! { (name) },
    }
}
