use std::collections::BTreeSet;

use crate::sequences::tokens::Tokens;

/// The vocabulary of a text whose tokens are its characters, Unicode's scalar values: the different ones in the order of
/// their numbers. A token is a place among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Characters(Vec<char>);

/// A character that is in none of a vocabulary's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// It.
    pub character: char,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its place in the line, in characters counted from 1.
    pub column: usize,
}

impl Characters {
    /// The characters of `text`.
    pub fn of(text: &str) -> Self {
        let mut ascii = [false; 128];
        let mut others = BTreeSet::new();
        for character in text.chars() {
            match ascii.get_mut(character as usize) {
                Some(there) => *there = true,
                None => _ = others.insert(character),
            }
        }
        let ascii = (0..128_u8).filter(|&byte| ascii[usize::from(byte)]).map(char::from);
        Self(ascii.chain(others).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether `character` is one of them.
    pub fn contain(&self, character: char) -> bool {
        self.0.binary_search(&character).is_ok()
    }

    /// The first that is none of `others`.
    pub fn first_beyond(&self, others: &Self) -> Option<char> {
        self.0.iter().copied().find(|&character| !others.contain(character))
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    ///
    /// A character of it is none of these.
    pub fn tokens(&self, text: &str) -> Result<Tokens, Stranger> {
        let mut tokens = Tokens::within(self.count());
        for (place, character) in text.char_indices() {
            match self.0.binary_search(&character) {
                Ok(token) => tokens.push(token as u32),
                Err(_) => return Err(stranger(&text[..place], character)),
            }
        }
        Ok(tokens)
    }

    /// The text of `tokens`; `None` where a token stands for no character.
    pub fn text(&self, tokens: impl IntoIterator<Item = u32>) -> Option<String> {
        tokens.into_iter().map(|token| self.0.get(token as usize)).collect()
    }
}

fn stranger(before: &str, character: char) -> Stranger {
    let line = before.rsplit('\n').next().unwrap_or_default();
    Stranger { character, line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
}
