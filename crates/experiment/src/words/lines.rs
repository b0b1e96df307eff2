//! The lines of an experiment file on which its keys are.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML file with the places of its keys.
pub struct Lines<'a> {
    text: &'a str,
    table: Option<Spanned<DeTable<'a>>>,
}

impl<'a> Lines<'a> {
    /// Those of `text`; none, where it is no TOML.
    pub fn of(text: &'a str) -> Self {
        Self { text, table: DeTable::parse(text).ok() }
    }

    /// The line of a place in the text, counted from 1.
    pub fn at(&self, place: usize) -> usize {
        self.text[..place.min(self.text.len())].matches('\n').count() + 1
    }

    /// The text at a place.
    pub fn text(&self, place: Range<usize>) -> &'a str {
        self.text.get(place).unwrap_or_default()
    }

    /// The line of the key `path`, in which numbers count the tables of a list, or of the last key of it that is there.
    pub fn of_key(&self, path: &[&str]) -> Option<usize> {
        self.find(path).map(|(span, _)| self.at(span.start))
    }

    /// As [`of_key`](Self::of_key), where the whole of `path` is there.
    pub fn of_whole_key(&self, path: &[&str]) -> Option<usize> {
        self.find(path).filter(|(_, found)| *found == path.len()).map(|(span, _)| self.at(span.start))
    }

    /// Where the key is, and how many of its parts were found.
    fn find(&self, path: &[&str]) -> Option<(Range<usize>, usize)> {
        let mut found = None;
        let mut table = self.table.as_ref()?.get_ref();
        let mut parts = path.iter().enumerate();
        while let Some((index, part)) = parts.next() {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref().as_ref() == *part) else { break };
            found = Some((key.span(), index + 1));
            let value = match (value.get_ref(), path.get(index + 1).and_then(|number| number.parse::<usize>().ok())) {
                (DeValue::Array(list), Some(number)) => {
                    parts.next();
                    let Some(value) = list.get(number) else { break };
                    found = Some((value.span(), index + 2));
                    value
                }
                _ => value,
            };
            match value.get_ref() {
                DeValue::Table(below) => table = below,
                _ => break,
            }
        }
        found
    }

    /// The keys down to the value at a place in the text.
    pub fn key_at(&self, place: usize) -> Vec<String> {
        let mut path = self.table.as_ref().and_then(|table| search(table.get_ref(), place)).unwrap_or_default();
        path.reverse();
        if path.is_empty() {
            // The place of a table is its header alone.
            let line = self.text.lines().nth(self.at(place) - 1).and_then(|line| line.split_once('='));
            path.extend(line.map(|(key, _)| key.trim().to_owned()));
        }
        path
    }
}

/// The keys of `table` down to the innermost value at `place`, that key first.
fn search(table: &DeTable, place: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let below = match value.get_ref() {
            DeValue::Table(below) => search(below, place),
            DeValue::Array(list) => list.iter().find_map(|value| search(value.get_ref().as_table()?, place)),
            _ => None,
        };
        let here = || (key.span().contains(&place) || value.span().contains(&place)).then(Vec::new);
        let mut path = below.or_else(here)?;
        path.push(key.get_ref().to_string());
        Some(path)
    })
}
