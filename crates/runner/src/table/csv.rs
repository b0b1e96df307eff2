//! Comma-separated values (RFC 4180), unrounded.

use super::{Measure, Table, TableRow};

const HEADER: [&str; 20] = [
    "experiment",
    "row",
    "data-set",
    "model",
    "training",
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
    "test-accuracy",
    "verdict",
];

pub(super) fn table(table: &Table) -> String {
    let line = |cells: &[String]| cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(",") + "\r\n";
    let rows = table.rows.iter().map(|row| line(&cells(&table.experiment, row)));
    std::iter::once(line(&HEADER.map(str::to_owned))).chain(rows).collect()
}

fn cells(experiment: &str, row: &TableRow) -> [String; 20] {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mean = |measure: Option<Measure>| number(measure.map(|measure| measure.mean));
    let deviation = |measure: Option<Measure>| number(measure.and_then(|measure| measure.deviation));
    let paper = row.paper;
    [
        experiment.to_owned(),
        row.id.clone(),
        row.data_set.clone(),
        row.model.clone(),
        row.training.to_owned(),
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
        mean(row.s),
        deviation(row.s),
        number(paper.and_then(|paper| paper.s)),
        mean(row.test_accuracy),
        row.agreement().to_owned(),
    ]
}

/// Quoted where need be; a text that a spreadsheet would take for a formula begins with an apostrophe.
fn escaped(cell: &str) -> String {
    let formula =
        cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err());
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}
