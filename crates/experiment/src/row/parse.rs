//! From TOML to rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gradspectra_data::LabelCorruption;
use gradspectra_settings::Training;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Experiment, Row, Vectors};
use crate::catalogue;
use crate::error::{Error, Result};
use crate::words::lines::Lines;
use crate::words::{Fault, missing, missing_of};

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
        let (mut experiment, written) = parsed(&name, &text, path)?;
        if catalogue::experiment(&name).is_ok_and(|built_in| built_in.rows != experiment.rows) {
            let reason =
                format!("its rows are not those of the built-in {name}, whose name it has: give the file another");
            return Err(Error::Experiment { path: path.to_owned(), reason });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for (row, written) in experiment.rows.iter_mut().zip(written) {
            row.data_set = row.data_set.in_folder(folder);
            for file in [&mut row.weights, &mut row.minibatches].into_iter().flatten() {
                *file = folder.join(&*file);
            }
            written.check(row, path)?;
        }
        Ok(experiment)
    }

    /// Parses the text of an experiment file; `source` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: &str, source: &Path) -> Result<Self> {
        Ok(parsed(name, text, source)?.0)
    }
}

/// The sizes that a row writes, which its file of minibatches must have too.
struct Written {
    batch_size: bool,
    iterations: bool,
}

impl Written {
    fn of(table: &toml::Table) -> Self {
        Self { batch_size: table.contains_key("batch-size"), iterations: table.contains_key("iterations") }
    }

    /// Refuses sizes of `row`, of the experiment file `source`, that its file of minibatches does not have.
    fn check(&self, row: &Row, source: &Path) -> Result<()> {
        let Some(file) = &row.minibatches else { return Ok(()) };
        let sized = row.sized()?;
        let of_row = [("batch-size", self.batch_size, row.batch_size), ("iterations", self.iterations, row.iterations)];
        for ((name, is_written, written), found) in of_row.into_iter().zip([sized.batch_size, sized.iterations]) {
            if is_written && written != found {
                let reason = format!(
                    "row {}: {name} is {written}, and the minibatches of {} have {found}; leave {name} out, which the file \
                     sets, or name another file",
                    row.id,
                    file.display()
                );
                return Err(Error::Experiment { path: source.to_owned(), reason });
            }
        }
        Ok(())
    }
}

/// The experiment of a file's text, and the sizes that its rows write.
fn parsed(name: &str, text: &str, source: &Path) -> Result<(Experiment, Vec<Written>)> {
    let refuse = |reason: String| Error::Experiment { path: source.to_owned(), reason };
    let lines = Lines::of(text);
    let file: ExperimentFile = toml::from_str(text).map_err(|error| refuse(of_file(&error, &lines)))?;
    check_keys_of_defaults(&file, &lines).map_err(refuse)?;
    let mut ids = BTreeSet::new();
    let (mut rows, mut written) = (Vec::with_capacity(file.rows.len()), Vec::with_capacity(file.rows.len()));
    for (index, table) in file.rows.into_iter().enumerate() {
        let label = match table.get("id").and_then(toml::Value::as_str) {
            Some(id) => format!("row {id}"),
            None => format!("row {}", index + 1),
        };
        let refuse = |reason: String| refuse(format!("{label}: {reason}"));
        let training = table.get("training").or_else(|| file.defaults.get("training")).and_then(toml::Value::as_str);
        let place = Place { lines: &lines, index: index.to_string(), training: training.map(str::to_owned) };
        check_effect(&table).map_err(refuse)?;
        check_settings(&table).map_err(refuse)?;
        let table = name_training(merged(file.defaults.clone(), table), &file.trainings).map_err(refuse)?;
        written.push(Written::of(&table));
        let row = row_of(table).map_err(|fault| match place.line(&fault.path) {
            Some(line) => {
                Error::Experiment { path: source.to_owned(), reason: format!("line {line}: {label}: {}", fault.text) }
            }
            None => refuse(fault.text),
        })?;
        row.check().map_err(refuse)?;
        if !ids.insert(row.id.clone()) {
            return Err(refuse("two rows have this id; give each its own".to_owned()));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(refuse("has no row; write at least one [[row]]".to_owned()));
    }
    Ok((Experiment { name: name.to_owned(), title: file.title, caption: file.caption, rows }, written))
}

/// Refuses a key that a file beside it leaves without effect.
fn check_effect(row: &toml::Table) -> std::result::Result<(), String> {
    for (file, key) in [("minibatches", "sampling"), ("weights", "initialisation")] {
        if row.contains_key(file) && row.contains_key(key) {
            return Err(format!(
                "{key} and {file} are both given, and the file of {file} leaves {key} no effect; give one"
            ));
        }
    }
    Ok(())
}

/// Refuses defaults whose settings have keys without effect, and schedules that are none.
fn check_keys_of_defaults(file: &ExperimentFile, lines: &Lines) -> std::result::Result<(), String> {
    check_settings(&file.defaults).map_err(|reason| format!("defaults: {reason}"))?;
    for (name, schedule) in &file.trainings {
        check_training(schedule, &[]).map_err(|fault| {
            let path: Vec<&str> =
                ["trainings", name].into_iter().chain(fault.path.iter().map(String::as_str)).collect();
            let line = lines.of_key(&path).map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{line}training {name}: {}", fault.text)
        })?;
    }
    Ok(())
}

/// The keys that a row must have, of itself or of the defaults.
const KEYS_OF_ROW: [&str; 4] = ["id", "data-set", "model", "analysis"];
/// The keys that a training must have.
const KEYS_OF_TRAINING: [&str; 6] = ["epochs", "batch", "optimiser", "learning-rate", "weight-decay", "milestones"];

/// Refuses a schedule at the key `path` that is none, with all the keys that it lacks.
fn check_training(schedule: &toml::Table, path: &[&str]) -> std::result::Result<(), Fault> {
    let parsed = schedule.clone().try_into::<Training>();
    parsed.map_err(|error| with_all_missing(Fault::of(&error, path, schedule), schedule, &KEYS_OF_TRAINING)).map(|_| ())
}

/// `fault` of `table`, with all the keys of `required` that are missing where one is.
fn with_all_missing(fault: Fault, table: &toml::Table, required: &[&str]) -> Fault {
    let names = missing_of(table, required);
    let name = |name: &&str| fault.path.iter().map(String::as_str).chain([*name]).collect::<Vec<_>>().join(".");
    let names: Vec<String> = names.iter().map(name).collect();
    match names.iter().any(|name| fault.text == missing(&[name])) {
        true => Fault { text: missing(&names), ..fault },
        false => fault,
    }
}

/// The row of its keys.
fn row_of(table: toml::Table) -> std::result::Result<Row, Fault> {
    if let Some(toml::Value::Table(schedule)) = table.get("training") {
        check_training(schedule, &["training"])?;
    }
    let parsed = table.clone().try_into();
    parsed.map_err(|error| with_all_missing(Fault::of(&error, &[], &table), &table, &KEYS_OF_ROW))
}

/// Where the keys of a row are written.
struct Place<'a> {
    lines: &'a Lines<'a>,
    index: String,
    /// The name of its training, where it has one.
    training: Option<String>,
}

impl Place<'_> {
    /// The line of the key `path` of the row: in the row, in its schedule or in the defaults, or that of the row.
    fn line(&self, path: &[String]) -> Option<usize> {
        let below = |above: &[&'_ str], path: &[String]| {
            let path: Vec<&str> = above.iter().copied().chain(path.iter().map(String::as_str)).collect();
            self.lines.of_whole_key(&path)
        };
        let of_training = || match (&self.training, path) {
            (Some(name), [first, rest @ ..]) if first == "training" => below(&["trainings", name], rest),
            _ => None,
        };
        let of_row = || below(&["row", &self.index], path).filter(|_| !path.is_empty());
        let of_defaults = || below(&["defaults"], path).filter(|_| !path.is_empty());
        of_row().or_else(of_training).or_else(of_defaults).or_else(|| below(&["row", &self.index], &[]))
    }
}

/// What is wrong with a file as a whole.
fn of_file(error: &toml::de::Error, lines: &Lines) -> String {
    let Some(span) = error.span() else { return Fault::of(error, &[], &toml::Table::new()).text };
    let mut path = lines.key_at(span.start);
    if error.message().starts_with("unknown field") {
        path.pop();
    }
    if error.message().starts_with("missing field") {
        // Of the whole file, whatever is on its first line.
        path.clear();
    }
    let line = lines.at(span.start);
    match error.message() {
        "duplicate key" => format!("line {line}: {} is given twice; give it once", lines.text(span)),
        message => format!("line {line}: {}", Fault::told(message, path).text),
    }
}

/// Refuses keys of a row's settings that their kind does not have.
fn check_settings(row: &toml::Table) -> std::result::Result<(), String> {
    check_keys::<LabelCorruption>(row, "labels")?;
    check_keys::<LabelCorruption>(row, "capture-labels")?;
    check_keys::<Vectors>(row, "vectors")
}

/// Refuses keys of the settings `name` of `row` that are lost when they are read as `T`: serde lets a kind without settings
/// have any.
fn check_keys<T: Serialize + DeserializeOwned>(row: &toml::Table, name: &str) -> std::result::Result<(), String> {
    let Some(toml::Value::Table(written)) = row.get(name) else { return Ok(()) };
    // What cannot be read by itself is refused with the rest of the row, over the defaults.
    let Ok(read) = written.clone().try_into::<T>() else { return Ok(()) };
    let known = toml::Table::try_from(read).map_err(|error| error.to_string())?;
    match written.keys().find(|key| !known.contains_key(*key)) {
        Some(key) => {
            let kind = written.get("kind").map(ToString::to_string).unwrap_or_default();
            Err(format!("{name} of kind {kind} has no {key}; leave it out, or name another kind"))
        }
        None => Ok(()),
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

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
