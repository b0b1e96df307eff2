//! Comma-separated values (RFC 4180), unrounded.

use std::borrow::Cow;

use ::csv::{Terminator, WriterBuilder};

use super::Table;
use super::columns::COLUMNS;

pub(super) fn table(table: &Table) -> String {
    let header = COLUMNS.iter().flat_map(|column| column.names()).collect();
    let lines = table.lines();
    let rows = lines.iter().map(|line| COLUMNS.iter().flat_map(|column| column.exact(line)).collect());
    records(std::iter::once(header).chain(rows))
}

/// Records of as many cells as the first, with nothing that a spreadsheet takes for a formula.
pub(crate) fn records(records: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        let cells = record.iter().map(|cell| inert(cell));
        writer.write_record(cells.map(Cow::into_owned)).expect("memory takes every record");
    }
    String::from_utf8(writer.into_inner().expect("memory takes every record")).expect("cells are text")
}

/// A text that a spreadsheet would take for a formula begins with an apostrophe.
fn inert(cell: &str) -> Cow<'_, str> {
    let formula =
        cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err());
    if formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}
