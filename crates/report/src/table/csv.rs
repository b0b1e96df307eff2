//! Comma-separated values (RFC 4180), unrounded.

use super::{Figures, Measure, Table, TableRow};

const HEADER: [&str; 33] = [
    "experiment",
    "row",
    "data-set",
    "model",
    "training",
    "tested",
    "batch-size",
    "k",
    "setting",
    "seeds",
    "d-ks",
    "d-ks-deviation",
    "d-ks-paper",
    "d-c",
    "power-law",
    "power-law-paper",
    "s",
    "s-deviation",
    "s-paper",
    "verdict",
    "power-law-percent",
    "power-law-percent-deviation",
    "power-law-percent-paper",
    "p-value",
    "p-value-deviation",
    "p-value-paper",
    "gaussian-percent",
    "gaussian-percent-deviation",
    "gaussian-percent-paper",
    "all-zero-percent",
    "all-zero-percent-deviation",
    "test-accuracy",
    "test-accuracy-deviation",
];

pub(super) fn table(table: &Table) -> String {
    let rows = table.rows.iter().map(|row| line(&cells(&table.experiment, row)));
    std::iter::once(line(&HEADER.map(str::to_owned))).chain(rows).collect()
}

/// A line of `cells`, escaped.
pub(crate) fn line(cells: &[String]) -> String {
    cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn cells(experiment: &str, row: &TableRow) -> [String; 33] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let mean = |measure: Option<Measure>| number(measure.map(|measure| measure.mean));
    let deviation = |measure: Option<Measure>| number(measure.and_then(|measure| measure.deviation));
    let paper = row.paper;
    let (s, [power_law_percent, p_value, gaussian_percent, all_zero_percent]) = match row.figures {
        Figures::Spectrum { s, .. } => (s, [None; 4]),
        Figures::Entries { power_law_percent, p_value, gaussian_percent, all_zero_percent } => {
            (None, [power_law_percent, p_value, gaussian_percent, all_zero_percent])
        }
    };
    [
        experiment.to_owned(),
        row.id.clone(),
        row.data_set.clone(),
        row.model.clone(),
        row.training.to_owned(),
        row.tested.to_owned(),
        row.batch_size.to_string(),
        row.k.to_string(),
        row.setting.clone(),
        row.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
        mean(row.d_ks),
        deviation(row.d_ks),
        number(paper.map(|paper| paper.d_ks)),
        number(row.d_c),
        row.verdict(),
        row.paper_verdict().to_owned(),
        mean(s),
        deviation(s),
        number(paper.and_then(|paper| paper.s)),
        row.agreement().to_owned(),
        mean(power_law_percent),
        deviation(power_law_percent),
        number(paper.and_then(|paper| paper.power_law_percent)),
        mean(p_value),
        deviation(p_value),
        number(paper.and_then(|paper| paper.p_value)),
        mean(gaussian_percent),
        deviation(gaussian_percent),
        number(paper.and_then(|paper| paper.gaussian_percent)),
        mean(all_zero_percent),
        deviation(all_zero_percent),
        mean(row.test_accuracy),
        deviation(row.test_accuracy),
    ]
}

/// Quoted where need be; a text that a spreadsheet would take for a formula begins with an apostrophe.
fn escaped(cell: &str) -> String {
    let formula =
        cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err());
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}
