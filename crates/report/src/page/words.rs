//! A row's settings and the command that repeats it, in words.

use clap::ValueEnum;
use gradspectra_experiment::{Backend, Identity, Row, RowResult, catalogue};

use super::RowFound;
use crate::markup::quoted;

/// The row as an experiment file says it, without what the paper prints.
pub(super) fn specification(row: &Row) -> String {
    let bare = Row { paper: None, ..row.clone() };
    toml::to_string(&bare).unwrap_or_default()
}

/// The readings of what the paper leaves open that decide the row.
pub(super) fn reading(row: &Row) -> String {
    let Ok(table) = toml::Table::try_from(row) else { return String::new() };
    let mut keys = vec![
        "model",
        "initialisation",
        "normalisation",
        "sampling",
        "capture-labels",
        "capture-inputs",
        "vectors",
        "analysis",
    ];
    if row.data_set.settings().has_coarse_labels() {
        keys.push("cifar-100-labels");
    }
    let settings = keys.into_iter().filter_map(|key| Some(format!("{key} = {}", inline(table.get(key)?))));
    settings.collect::<Vec<_>>().join(", ")
}

fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => {
            let kind = table.get("kind").and_then(toml::Value::as_str).map(str::to_owned);
            let others = table.iter().filter(|(key, _)| *key != "kind");
            let others = others.map(|(key, value)| format!("{key} {}", inline(value))).collect::<Vec<_>>().join(", ");
            match (kind, others.is_empty()) {
                (Some(kind), true) => kind,
                (Some(kind), false) => format!("{kind} ({others})"),
                (None, _) => format!("({others})"),
            }
        }
        toml::Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// The program of this library, which `cargo xtask` starts.
const BUILT_IN: &str = "gradspectra";

/// The name of the program that made a result, as its command line has it.
pub(super) fn program(result: &RowResult) -> &str {
    Identity::name_in(&result.program).unwrap_or(BUILT_IN)
}

/// The command that repeats the row's results; `None` where there are none.
pub(super) fn command(experiment: &str, found: &RowFound) -> Option<String> {
    let first = found.results.first()?;
    let selection = match experiment.split_once('-') {
        Some((kind @ ("table" | "figure"), number)) if catalogue::names().any(|name| name == experiment) => {
            format!("reproduce --{kind} {number}")
        }
        _ if catalogue::names().any(|name| name == experiment) => format!("run experiments/{experiment}.toml"),
        _ => format!("run {}", quoted(&format!("{experiment}.toml"))),
    };
    let program = match program(first) {
        BUILT_IN => "cargo xtask".to_owned(),
        own => quoted(own),
    };
    let mut command = format!("{program} {selection} --rows {} --seed {}", quoted(&first.row.id), first.seed);
    let count = found.results.len() as u64;
    if count > 1 && found.results.iter().map(|result| result.seed).eq(first.seed..first.seed + count) {
        command += &format!(" --seeds {count}");
    }
    let epochs = |row: &Row| row.training.as_ref().map(|training| training.epochs);
    if found.row.minibatches.is_none() && first.row.iterations < found.row.iterations {
        command += " --quick";
    } else if let Some(epochs) = epochs(&first.row).filter(|ours| Some(*ours) != epochs(&found.row)) {
        command += &format!(" --epochs {epochs}");
    }
    if first.backend != Backend::default()
        && let Some(backend) = first.backend.to_possible_value()
    {
        command += &format!(" --backend {}", backend.get_name());
    }
    Some(command)
}
