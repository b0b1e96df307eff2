//! Text in markup and in commands.

use std::fmt::Write;

use maud::Escaper;

/// `text` as text of XML or an attribute in double quotes: nothing in it is markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let _ = Escaper::new(&mut escaped).write_str(text);
    without_controls(escaped)
}

/// `text` without control characters, which XML has not and HTML forbids.
pub(crate) fn without_controls(mut text: String) -> String {
    text.retain(|character| matches!(character, '\n' | '\t') || !character.is_control());
    text
}

/// `text` as a word of a shell, in quotes where it needs some.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
