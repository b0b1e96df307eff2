//! From TOML to rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{Experiment, Row};
use crate::error::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExperimentFile {
    title: String,
    #[serde(default)]
    caption: String,
    #[serde(default)]
    trainings: BTreeMap<String, toml::Table>,
    #[serde(default)]
    defaults: toml::Table,
    #[serde(rename = "row")]
    rows: Vec<toml::Table>,
}

impl Experiment {
    /// Reads the experiment file at `path`; the files that its rows name are taken relative to its folder.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, has an unknown key, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, "read", source))?;
        let mut experiment = Self::parse(&name, &text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for row in &mut experiment.rows {
            for file in [&mut row.weights, &mut row.minibatches].into_iter().flatten() {
                *file = folder.join(&*file);
            }
        }
        Ok(experiment)
    }

    /// Parses the text of an experiment file; `source` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: &str, source: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::Experiment { path: source.to_owned(), reason };
        let file: ExperimentFile = toml::from_str(text).map_err(|error| refuse(in_one_line(&error, text)))?;
        let mut ids = BTreeSet::new();
        let mut rows = Vec::with_capacity(file.rows.len());
        for (index, table) in file.rows.into_iter().enumerate() {
            let label = match table.get("id").and_then(toml::Value::as_str) {
                Some(id) => format!("row {id}"),
                None => format!("row {}", index + 1),
            };
            let refuse = |reason: String| refuse(format!("{label}: {reason}"));
            let table = name_training(merged(file.defaults.clone(), table), &file.trainings).map_err(refuse)?;
            let row: Row = table.try_into().map_err(|error: toml::de::Error| refuse(in_one_line(&error, "")))?;
            row.check().map_err(refuse)?;
            if !ids.insert(row.id.clone()) {
                return Err(refuse("two rows have this id; give each its own".to_owned()));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(refuse("has no row; write at least one [[row]]".to_owned()));
        }
        Ok(Self { name: name.to_owned(), title: file.title, caption: file.caption, rows })
    }
}

/// `table` over `defaults`; sub-tables are merged as long as they are of one `kind`.
fn merged(mut defaults: toml::Table, table: toml::Table) -> toml::Table {
    for (key, value) in table {
        let value = match (defaults.remove(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above))
                if above.get("kind").is_none_or(|kind| below.get("kind") == Some(kind)) =>
            {
                toml::Value::Table(merged(below, above))
            }
            (_, value) => value,
        };
        defaults.insert(key, value);
    }
    defaults
}

/// Puts the schedule in place of its name; the name `none` stands for no training.
fn name_training(
    mut row: toml::Table,
    trainings: &BTreeMap<String, toml::Table>,
) -> std::result::Result<toml::Table, String> {
    let Some(name) = row.get("training").and_then(toml::Value::as_str) else {
        return Ok(row);
    };
    if name == "none" {
        row.remove("training");
        return Ok(row);
    }
    let Some(schedule) = trainings.get(name) else {
        let known: Vec<_> = trainings.keys().map(String::as_str).chain(["none"]).collect();
        return Err(format!("training is {name:?}; expected one of {}", known.join(", ")));
    };
    row.insert("training".to_owned(), toml::Value::Table(schedule.clone()));
    Ok(row)
}

fn in_one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) if !text.is_empty() => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        _ => error.to_string().trim().replace('\n', " "),
    }
}
