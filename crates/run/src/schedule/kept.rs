//! Finished results, which a run of other settings does not replace unless it is told to.

use std::collections::BTreeSet;

use gradspectra_data::DataRoot;
use gradspectra_experiment::{Backend, Error, Experiment, Row, RowResult, Store, seeds};
use serde_json::Value;

use crate::error::Result;
use crate::schedule::task::{Task, bare, tasks};

/// Refuses a run of `experiments` into `store` where finished results there are of other settings, another backend, other
/// data or another version: it would replace them.
///
/// # Errors
///
/// [`Error::Finished`] with all such rows and what differs; a file that a row names, or a file of a data set, cannot be read.
pub fn check_kept(
    experiments: &[Experiment],
    seeds: &[u64],
    backend: Backend,
    data: &DataRoot,
    store: &Store,
) -> Result<()> {
    check_tasks_kept(tasks(experiments, seeds, backend, data)?.iter().flatten(), store)
}

/// As [`check_kept`], for some tasks of a run.
pub(crate) fn check_tasks_kept<'a>(tasks: impl IntoIterator<Item = &'a Task>, store: &Store) -> Result<()> {
    let mut others = Others::default();
    let mut rows: Vec<Vec<&Task>> = Vec::new();
    for task in tasks {
        let is_of = |row: &&mut Vec<&Task>| (&row[0].experiment, &row[0].row.id) == (&task.experiment, &task.row.id);
        match rows.iter_mut().find(is_of) {
            Some(row) => row.push(task),
            None => rows.push(vec![task]),
        }
    }
    for row in rows {
        let first = row[0];
        let (experiment, id) = (&first.experiment, &first.row.id);
        let folder = store.experiment(experiment).join(id);
        for seed in if folder.is_dir() { seeds(&folder)? } else { Vec::new() } {
            let Some(result) = store.result(experiment, id, seed, None) else { continue };
            let differences = match row.iter().find(|task| task.seed == seed) {
                Some(task) if result.task == task.key => Vec::new(),
                Some(task) => of_result(&result, task),
                // The seeds of a row stand in one mean.
                None => of_settings(&result, first),
            };
            if !differences.is_empty() {
                others.add(format!("{experiment}/{id}/seed-{seed}"), differences);
            }
        }
    }
    others.refuse(store)
}

/// Finished things of other runs: their names, by what differs.
#[derive(Default)]
pub(crate) struct Others {
    /// In the order of the run.
    groups: Vec<(String, Vec<String>)>,
}

impl Others {
    /// One more of the name `id`, which differs from what is asked for in `differences`.
    pub(crate) fn add(&mut self, id: String, differences: Vec<String>) {
        let differences = differences.join(", ");
        match self.groups.iter_mut().find(|(known, _)| *known == differences) {
            Some((_, ids)) => ids.push(id),
            None => self.groups.push((differences, vec![id])),
        }
    }

    /// Refuses to replace them, if there are any.
    pub(crate) fn refuse(self, store: &Store) -> Result<()> {
        /// More would not be read.
        const TOLD: usize = 4;
        if self.groups.is_empty() {
            return Ok(());
        }
        let told = self.groups.iter().take(TOLD).map(|(differences, ids)| match &ids[..] {
            [id] => format!("{id} ({differences})"),
            ids => format!("{} and {} more ({differences})", ids[0], ids.len() - 1),
        });
        let mut told: Vec<String> = told.collect();
        let left = self.groups.iter().skip(TOLD).map(|(_, ids)| ids.len()).sum::<usize>();
        if left > 0 {
            told.push(format!("{left} more"));
        }
        Err(Error::Finished { path: store.root().to_owned(), results: told.join(", ") }.into())
    }
}

/// What differs in the settings of a finished result and of `task`.
fn of_settings(result: &RowResult, task: &Task) -> Vec<String> {
    let mut found = of_rows(&result.row, &task.row);
    found.extend(different("backend", result.backend.name(), task.position.backend.name()));
    found
}

/// What differs between a finished result and what `task` would make in its place; never nothing.
fn of_result(result: &RowResult, task: &Task) -> Vec<String> {
    let mut found = of_settings(result, task);
    found.extend(different("program", &result.program, &gradspectra_experiment::program()));
    let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
    let hash = |hash: &Option<String>| hash.as_deref().map_or_else(|| "none".to_owned(), short);
    let weights = [&result.position.weights_sha256, &task.position.weights_sha256].map(hash);
    found.extend(different("SHA-256 of weights", &weights[0], &weights[1]));
    let own = result.data_files.iter().filter(|file| !file.listed || file.variant.is_some());
    let own: Vec<&String> = own.map(|file| &file.sha256).collect();
    let asked: Vec<&String> = task.position.unofficial_files.iter().collect();
    let only = |these: &[&String], others: &[&String]| {
        let only: Vec<String> = these.iter().filter(|hash| !others.contains(hash)).map(|hash| short(hash)).collect();
        if only.is_empty() { "the others'".to_owned() } else { only.join(" ") }
    };
    if own != asked {
        found.extend(different("SHA-256 of data", &only(&own, &asked), &only(&asked, &own)));
    }
    told(found, &task.row)
}

/// `found`, or a word for what no value shows.
pub(crate) fn told(found: Vec<String>, row: &Row) -> Vec<String> {
    match (found.is_empty(), &row.minibatches) {
        (false, _) => found,
        (true, Some(file)) => vec![format!("{} has other minibatches", file.display())],
        (true, None) => vec!["an earlier build knew the settings by another key".to_owned()],
    }
}

/// What differs between two rows, but for what decides no result.
pub(crate) fn of_rows(there: &Row, asked: &Row) -> Vec<String> {
    let value = |row: &Row| serde_json::to_value(bare(row)).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &value(there), &value(asked), &mut found);
    found
}

fn compare(path: &str, there: &Value, asked: &Value, found: &mut Vec<String>) {
    let (Value::Object(below), Value::Object(above)) = (there, asked) else {
        found.extend(different(path, &shown(there), &shown(asked)));
        return;
    };
    let name = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if below.get("kind") != above.get("kind") {
        let kind = |table: &serde_json::Map<String, Value>| shown(table.get("kind").unwrap_or(&Value::Null));
        found.extend(different(&name("kind"), &kind(below), &kind(above)));
        return;
    }
    let keys: BTreeSet<&String> = below.keys().chain(above.keys()).collect();
    for key in keys {
        let of = |table: &serde_json::Map<String, Value>| table.get(key).cloned().unwrap_or_default();
        compare(&name(key), &of(below), &of(above), found);
    }
}

/// A setting in a few words.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(settings) => match settings.get("kind").and_then(Value::as_str) {
            Some(kind) => kind.to_owned(),
            None => "some".to_owned(),
        },
        other => other.to_string(),
    }
}

/// Both values of a setting, where they differ.
pub(crate) fn different(name: &str, there: &str, asked: &str) -> Option<String> {
    (there != asked).then(|| format!("{name} {there} there, {asked} asked for"))
}
