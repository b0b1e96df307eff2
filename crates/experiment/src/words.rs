//! What readers of TOML, JSON and the command line say, in words of who wrote it.

pub mod lines;

use std::fmt::Display;

/// `known` as an answer to a name that is not among them, the nearest first where one is near.
pub fn among(given: &str, known: &[&str]) -> String {
    /// Names that are less alike are no misspelling.
    const ALIKE: f64 = 0.8;
    let likeness = |known: &&&str| match strsim::osa_distance(given, known) {
        // A letter too many, too few, another, or two swapped.
        0 | 1 if given.len() > 2 => 1.0,
        _ => strsim::jaro_winkler(given, known),
    };
    let nearest = known.iter().max_by(|first, second| likeness(first).total_cmp(&likeness(second)));
    /// More are no help where one is meant.
    const MANY: usize = 12;
    let all = known.join(", ");
    match nearest.filter(|nearest| likeness(nearest) >= ALIKE) {
        Some(nearest) if known.len() > MANY => format!("did you mean {nearest}?"),
        Some(nearest) => format!("did you mean {nearest}? There are {all}"),
        None => format!("expected one of {all}"),
    }
}

/// What serde found wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, with those above it, as far as they are known: `training.epochs`.
    pub path: Vec<String>,
    /// What is wrong, in one line.
    pub text: String,
}

impl Fault {
    /// The fault that `error` tells of in `table`, which is the value of the key `above`.
    pub fn of(error: &toml::de::Error, above: &[&str], table: &toml::Table) -> Self {
        let told = error.to_string();
        let keys = told.trim_end().rsplit('\n').next().and_then(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        let mut below: Vec<String> = keys.into_iter().flat_map(|keys| keys.split('.')).map(str::to_owned).collect();
        let mut message = error.message().to_owned();
        match value_at(table, &below) {
            // Of settings with a kind, serde forgets the key.
            Some(At::Table(table)) => below.extend(key_of(&message, table)),
            Some(At::Value(value)) => {
                message = message.replace("invalid type: unit variant,", &format!("invalid type: {value},"));
            }
            None => {}
        }
        Self::told(&message, above.iter().map(|&key| key.to_owned()).chain(below).collect())
    }

    /// The fault of which a reader says `message`, at the key `path`.
    pub fn told(message: &str, mut path: Vec<String>) -> Self {
        let message = message.trim().replace('\n', " ");
        let key = path.join(".");
        let (head, expected) = message.split_once(", expected ").unwrap_or((&message, ""));
        if let Some(found) = head.strip_prefix("invalid type: ").or_else(|| head.strip_prefix("invalid value: ")) {
            let (found, expected) = (found_in_words(found), expected_in_words(expected, path.last()));
            let text = match key.as_str() {
                "" => format!("{found} is written; expected {expected}"),
                key => format!("{key} is {found}; expected {expected}"),
            };
            return Self { path, text };
        }
        if let Some(given) = quoted(head, "unknown variant ") {
            let known = names(expected);
            let subject = if key.is_empty() { "a value".to_owned() } else { key };
            let text = format!("{subject} is {given:?}; {}", among(given, &known));
            return Self { path, text };
        }
        if let Some(given) = quoted(head, "unknown field ") {
            let known = names(expected);
            let place = if key.is_empty() { "here".to_owned() } else { format!("of {key}") };
            let text = match known.is_empty() {
                true => format!("{given} is not a key {place}, and there is none: leave it out"),
                false => format!("{given} is not a key {place}; {}", among(given, &known)),
            };
            path.push(given.to_owned());
            return Self { path, text };
        }
        if let Some(name) = quoted(&message, "missing field ") {
            let name = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            return Self { path, text: missing(&[name]) };
        }
        if let Some(name) = quoted(&message, "duplicate field ") {
            return Self { path, text: format!("{name} is given twice; give it once") };
        }
        let text = match &message[..] {
            "string values must be quoted, expected literal string" => {
                "text must be in quotes, numbers must not".to_owned()
            }
            _ => message.strip_suffix(", expected nothing").unwrap_or(&message).to_owned(),
        };
        Self { path, text }
    }
}

/// What is at a key.
enum At<'a> {
    Table(&'a toml::Table),
    Value(&'a toml::Value),
}

fn value_at<'a>(table: &'a toml::Table, path: &[String]) -> Option<At<'a>> {
    let mut at = At::Table(table);
    for key in path {
        let At::Table(table) = at else { return None };
        at = match table.get(key)? {
            toml::Value::Table(below) => At::Table(below),
            value => At::Value(value),
        };
    }
    Some(at)
}

/// The key of `table` whose value a message about a type or a name is of, where one has it.
fn key_of(message: &str, table: &toml::Table) -> Option<String> {
    let (head, _) = message.split_once(", expected ")?;
    let is_meant = |value: &toml::Value| match (value, quoted(head, "unknown variant ")) {
        (toml::Value::String(text), Some(given)) => text == given,
        (_, Some(_)) | (toml::Value::Table(_), None) => false,
        (value, None) => {
            let found = head.strip_prefix("invalid type: ").or_else(|| head.strip_prefix("invalid value: "));
            let same = |found: &str| match value {
                toml::Value::Array(_) => found == "sequence",
                value => found_in_words(found) == value.to_string(),
            };
            found.is_some_and(same)
        }
    };
    table.iter().find(|(_, value)| is_meant(value)).map(|(key, _)| key.clone())
}

/// What is said of keys that are not given.
pub fn missing(names: &[impl Display]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    match &names[..] {
        [name] => format!("{name} is missing; give it"),
        [first @ .., last] => format!("{} and {last} are missing; give them", first.join(", ")),
        [] => String::new(),
    }
}

/// The keys of `required` that `table` lacks.
pub fn missing_of<'a>(table: &toml::Table, required: &[&'a str]) -> Vec<&'a str> {
    required.iter().copied().filter(|key| !table.contains_key(*key)).collect()
}

/// The name in backticks behind `before`.
fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.strip_prefix('`')?.split('`').next()
}

/// The names in backticks.
fn names(expected: &str) -> Vec<&str> {
    expected.split('`').skip(1).step_by(2).collect()
}

/// A value that was found, as serde names it.
fn found_in_words(found: &str) -> String {
    for kind in ["integer `", "floating point `", "boolean `", "character `"] {
        if let Some(value) = found.strip_prefix(kind) {
            return value.split('`').next().unwrap_or_default().to_owned();
        }
    }
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a group of settings".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        other => other.strip_prefix("string ").unwrap_or(other).to_owned(),
    }
}

/// What was expected of the key `key`, as serde names it.
fn expected_in_words(expected: &str, key: Option<&String>) -> String {
    /// Counts that are not 0, with the least that they are.
    const COUNTS: [(&str, u32); 9] = [
        ("batch-size", 1),
        ("batch", 1),
        ("epochs", 1),
        ("width", 1),
        ("iterations", 2),
        ("top", 2),
        ("sampled-parameters", 1),
        ("cpus", 1),
        ("at-once", 1),
    ];
    let least = || COUNTS.iter().find(|(name, _)| key.is_some_and(|key| key == name)).map_or(0, |(_, least)| *least);
    match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => format!("a whole number from {}", least()),
        "isize" | "i64" | "i32" | "i16" | "i8" => "a whole number".to_owned(),
        "f64" | "f32" | "a float" => "a number".to_owned(),
        "any valid TOML value" => "a number below 2^63".to_owned(),
        "a string" | "string" | "str" => "text in quotes".to_owned(),
        "path string" | "a path string" => "the path of a file in quotes".to_owned(),
        "a boolean" | "bool" => "true or false".to_owned(),
        "a sequence" => "a list in [ ]".to_owned(),
        "a map" => "settings, as { key = value }".to_owned(),
        _ if expected.starts_with("internally tagged enum") => "settings, as { kind = \"…\" }".to_owned(),
        _ if expected.starts_with("struct ") => "settings, as { key = value }".to_owned(),
        _ if expected.contains("enum")
            || expected.contains("variant")
            || ["string or map", "string only"].contains(&expected) =>
        {
            "a name in quotes".to_owned()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
