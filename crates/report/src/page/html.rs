//! The report as one page of HTML, without scripts, that needs nothing else.

use gradspectra_experiment::Result;

use super::columns::{Columns, Head};
use super::{Agreement, Report, RowFound, Section, article};
use crate::markup::escaped;
use crate::plots;

const STYLE: &str = include_str!("page.css");

pub(super) fn page(report: &Report) -> Result<String> {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>Stochastic gradients beside the \
         paper</title>\n<style>\n{STYLE}{}\n</style>\n</head>\n<body>\n",
        plots::page_style()
    );
    text += &header(report);
    text += "<main>\n";
    for section in &report.sections {
        text += &self::section(report, section)?;
    }
    text += "</main>\n</body>\n</html>\n";
    Ok(text)
}

fn header(report: &Report) -> String {
    let rows = report.own_rows().count();
    let counts = [Agreement::Same, Agreement::Differs, Agreement::NotInPaper, Agreement::NotDone]
        .map(|agreement| (report.count(agreement), agreement))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, agreement)| format!("{count} {}", word(agreement)))
        .collect::<Vec<_>>();
    let links = report.sections.iter().map(|section| {
        let (id, title) = (escaped(&section.experiment.name), escaped(&section.table.title));
        format!("<li><a href=\"#{id}\">{title}</a></li>\n")
    });
    format!(
        "<header>\n<h1>Stochastic gradients beside the paper</h1>\n<p>Results of {} beside <cite>On the Overlooked \
         Structure of Stochastic Gradients</cite> (Xie, Tang, Sun, Li; NeurIPS 2023). Of {rows} rows: {}.</p>\n\
         <p>A spectrum is the <em>same</em> where the verdict (d<sub>ks</sub> &lt; d<sub>c</sub>) is the paper’s; \
         entries where the rates of power laws and of Gaussians are both on the paper’s side of 50%. Figures are means \
         over the seeds, ± the deviation where there are several.</p>\n</header>\n\
         <nav aria-label=\"Tables\">\n<ul>\n{}</ul>\n</nav>\n",
        escaped(&gradspectra_experiment::program()),
        counts.join(", "),
        links.collect::<String>()
    )
}

/// The word for an agreement, in its colour.
pub(super) fn word(agreement: Agreement) -> String {
    let class = match agreement {
        Agreement::Same => "same",
        Agreement::Differs => "differs",
        Agreement::NotDone | Agreement::NotInPaper => "none",
    };
    format!("<span class=\"{class}\">{}</span>", agreement.word())
}

/// The id of a row's part of the page.
pub(super) fn row_id(section: &Section, found: &RowFound) -> String {
    escaped(&format!("{}-{}", section.experiment.name, found.row.id))
}

fn section(report: &Report, section: &Section) -> Result<String> {
    let table = &section.table;
    let mut text = format!(
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>\n",
        escaped(&section.experiment.name),
        escaped(&table.title),
        escaped(&table.caption)
    );
    if !table.notes.is_empty() {
        let notes = table.notes.iter().map(|note| format!("<li>{}</li>\n", escaped(note)));
        text += &format!("<ul>\n{}</ul>\n", notes.collect::<String>());
    }
    for columns in Columns::of(section) {
        text += &self::table(section, &columns);
    }
    text += "<div class=\"rows\">\n";
    for (row, found) in table.rows.iter().zip(&section.rows) {
        if !found.results.is_empty() {
            text += &article::row(report, section, row, found)?;
        }
    }
    Ok(text + "</div>\n</section>\n")
}

fn table(section: &Section, columns: &Columns) -> String {
    let title = escaped(&section.table.title);
    let of_spectra = columns.rows.iter().any(|(row, ..)| row.is_spectrum());
    let name = if of_spectra { "spectra" } else { "entries" };
    let caption = format!("{title}, tests of {name}: ours beside the paper’s");
    let mut text = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n<table>\n\
         <caption>{caption}</caption>\n{}<tbody>\n",
        table_head(&columns.heads)
    );
    for (row, found, cells) in &columns.rows {
        text += "<tr>";
        for ((name, _), cell) in columns.heads.iter().zip(cells) {
            let cell = escaped(cell);
            text += &match *name {
                "Row" if found.results.is_empty() => format!("<th scope=\"row\">{cell}</th>"),
                "Row" => format!("<th scope=\"row\"><a href=\"#{}\">{cell}</a></th>", row_id(section, found)),
                "Gradients" | "Setting" => format!("<td class=\"words\">{cell}</td>"),
                "Agreement" => format!("<td class=\"words\">{}</td>", word(Agreement::of(row))),
                _ => format!("<td>{cell}</td>"),
            };
        }
        text += "</tr>\n";
    }
    text + "</tbody>\n</table>\n</div>\n"
}

/// Two lines of heads: columns of the same name stand under it as ours and the paper's.
fn table_head(heads: &[Head]) -> String {
    let (mut first, mut second) = (String::new(), String::new());
    for (name, whose) in heads {
        let shown = with_subscript(name);
        let class =
            if matches!(*name, "Row" | "Gradients" | "Setting" | "Agreement") { " class=\"words\"" } else { "" };
        match *whose {
            None => first += &format!("<th scope=\"col\" rowspan=\"2\"{class}>{shown}</th>"),
            Some("paper") => second += "<th scope=\"col\">paper</th>",
            Some(whose) => {
                first += &format!("<th scope=\"colgroup\" colspan=\"2\">{shown}</th>");
                second += &format!("<th scope=\"col\">{whose}</th>");
            }
        }
    }
    format!("<thead>\n<tr>{first}</tr>\n<tr>{second}</tr>\n</thead>\n")
}

fn with_subscript(name: &str) -> String {
    match name.split_once('_') {
        Some((base, below)) => format!("{}<sub>{}</sub>", escaped(base), escaped(below)),
        None => escaped(name),
    }
}
