//! The results in a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gradspectra_experiment::{Experiment, Result, Store, catalogue, folders, seeds};
use gradspectra_files::read_json;

use super::{RowFound, Section};
use crate::table::Table;

/// The experiments that have results: the paper's in their order, then the user's by name; files that are not whole go to
/// `left_out`.
pub(super) fn sections(store: &Store, left_out: &mut Vec<PathBuf>) -> Result<Vec<Section>> {
    let folders = folders(store.root())?;
    let known = catalogue::names().map(str::to_owned).filter(|name| folders.contains(name));
    let own = folders.iter().filter(|name| catalogue::names().all(|known| known != *name)).cloned();
    let mut sections = Vec::new();
    for name in known.chain(own) {
        let section = section(store, &name, left_out)?;
        if section.rows.iter().any(|row| !row.results.is_empty()) {
            sections.push(section);
        }
    }
    Ok(sections)
}

fn section(store: &Store, name: &str, left_out: &mut Vec<PathBuf>) -> Result<Section> {
    let folder = store.experiment(name);
    let mut experiment = match catalogue::experiment(name) {
        Ok(experiment) => experiment,
        Err(_) => titled(name, &folder),
    };
    let mut all_seeds = BTreeSet::new();
    let found = ordered(folders(&folder)?, &folder);
    for row in found {
        let seeds = seeds(&folder.join(&row))?;
        let cut_off = seeds.iter().filter(|seed| store.result(name, &row, **seed, None).is_none());
        left_out.extend(cut_off.map(|&seed| store.row_file(name, &row, seed, "json")));
        if experiment.rows.iter().all(|known| known.id != row)
            && let Some(result) = seeds.iter().find_map(|&seed| store.result(name, &row, seed, None))
        {
            experiment.rows.push(result.row);
        }
        all_seeds.extend(seeds);
    }
    let all_seeds: Vec<_> = all_seeds.into_iter().collect();
    let rows = experiment.rows.iter().map(|row| {
        let results: Vec<_> = all_seeds.iter().filter_map(|&seed| store.result(name, &row.id, seed, None)).collect();
        let timings = results.iter().filter_map(|result| store.timings(name, &row.id, result.seed)).collect();
        RowFound { row: row.clone(), results, timings }
    });
    let rows = rows.collect();
    let table = Table::of(&experiment, &all_seeds, |row, seed| store.result(name, &row.id, seed, None));
    Ok(Section { experiment, table, rows })
}

/// A user's experiment with the title that its table has.
fn titled(name: &str, folder: &Path) -> Experiment {
    let table: Option<serde_json::Value> = read_json(&folder.join("table.json"));
    let text = |key| Some(table.as_ref()?.get(key)?.as_str()?.to_owned());
    Experiment {
        name: name.to_owned(),
        title: text("title").unwrap_or_else(|| name.to_owned()),
        caption: text("caption").unwrap_or_default(),
        rows: Vec::new(),
    }
}

/// Rows in the order of the table, where it names them.
fn ordered(rows: BTreeSet<String>, folder: &Path) -> Vec<String> {
    let table: Option<serde_json::Value> = read_json(&folder.join("table.json"));
    let listed: Vec<&str> = table
        .as_ref()
        .and_then(|table| table.get("rows")?.as_array())
        .map(|rows| rows.iter().filter_map(|row| row.get("id")?.as_str()).collect())
        .unwrap_or_default();
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|row| listed.iter().position(|id| id == row).unwrap_or(listed.len()));
    rows
}
