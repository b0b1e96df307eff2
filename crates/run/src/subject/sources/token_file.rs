//! Files of tokens: arrays of integers, and bare ones as nanoGPT writes them.

use std::path::Path;

use gradspectra_data::Tokens;
use gradspectra_files::{FileKind, Kind, StoredArray};

use super::arrays::by_rows;
use crate::error::{Error, Result};

/// No vocabulary is larger: tokens are also held as float32 on some devices, which has every integer up to here.
pub(super) const LARGEST_VOCABULARY: usize = 1 << 24;

const SEQUENCE: &str = "integers of shape [N], one long sequence of tokens: an .npy, or a .bin of uint16 as nanoGPT \
                        writes it";
const ROWS: &str = "integers of shape [N, length], an example a row, in an .npy";

/// A file of tokens that is open.
pub(super) struct TokenFile {
    array: StoredArray,
    expected: &'static str,
}

/// The largest token of a file and its place in the file's order; `None` where no token is to be predicted.
pub(super) type Largest = Option<(u32, usize)>;

impl TokenFile {
    /// Opens one sequence.
    pub(super) fn sequence(path: &Path) -> Result<Self> {
        let kind = FileKind::of(path).map_err(|source| Error::io(path, "read", source))?;
        let is_bare = path.extension().is_some_and(|ending| ending == "bin")
            && !matches!(kind, FileKind::Npy | FileKind::Npz | FileKind::Hdf5 | FileKind::GitLfs);
        let array = match is_bare {
            true => StoredArray::bare(path, Kind::Integer { bytes: 2, signed: false }, SEQUENCE)?,
            false => StoredArray::open(path, None, SEQUENCE)?,
        };
        Self { array, expected: SEQUENCE }.of_sides(1)
    }

    /// Opens sequences of one length.
    pub(super) fn rows(path: &Path) -> Result<Self> {
        Self { array: StoredArray::open(path, None, ROWS)?, expected: ROWS }.of_sides(2)
    }

    fn of_sides(self, sides: usize) -> Result<Self> {
        let found = match (self.array.kind, self.array.shape.len()) {
            (Kind::Integer { .. }, found) if found == sides => return Ok(self),
            (Kind::Integer { .. }, _) => format!("an array of shape {:?}", self.array.shape),
            (kind, _) => format!("numbers of type {kind}"),
        };
        Err(self.refused(found))
    }

    fn refused(&self, found: String) -> Error {
        Error::malformed(&self.array.path, found, self.expected)
    }

    /// The sides: the number of tokens, or of rows and of tokens in each.
    pub(super) fn shape(&self) -> &[usize] {
        &self.array.shape
    }

    /// The largest token; `least` is the smallest that there may be.
    pub(super) fn largest(&mut self, least: i64) -> Result<Largest> {
        let mut largest: Largest = None;
        self.each(least, LARGEST_VOCABULARY, |place, token| {
            if token >= 0 && largest.is_none_or(|(known, _)| token as u32 > known) {
                largest = Some((token as u32, place));
            }
        })?;
        Ok(largest)
    }

    /// All tokens, the last index varying fastest.
    ///
    /// # Errors
    ///
    /// One is negative or not below `vocabulary`.
    pub(super) fn tokens(&mut self, vocabulary: usize) -> Result<Tokens> {
        let mut tokens = Tokens::within(vocabulary);
        tokens.reserve(self.array.count());
        self.each(0, vocabulary, |_, token| tokens.push(token as u32))?;
        if self.array.row_major || self.shape().len() == 1 {
            return Ok(tokens);
        }
        let all: Vec<u32> = tokens.at(0..tokens.len()).collect();
        Ok(Tokens::of(vocabulary, by_rows(&all, self.shape())))
    }

    /// All tokens to predict, the last index varying fastest; -1 stands for none.
    ///
    /// # Errors
    ///
    /// One is below -1 or not below `vocabulary`.
    pub(super) fn targets(&mut self, vocabulary: usize) -> Result<Vec<i32>> {
        let mut targets = Vec::with_capacity(self.array.count());
        self.each(-1, vocabulary, |_, token| targets.push(token as i32))?;
        Ok(if self.array.row_major { targets } else { by_rows(&targets, self.shape()) })
    }

    /// Gives `to` each integer with its place in the file's order, a piece of the file at a time.
    fn each(&mut self, least: i64, vocabulary: usize, mut to: impl FnMut(usize, i64)) -> Result<()> {
        const PIECE: usize = 1 << 20;
        let count = self.array.count();
        for first in (0..count).step_by(PIECE) {
            let piece = self.array.read::<f64>(first, PIECE.min(count - first));
            for (place, number) in (first..).zip(piece.map_err(|error| error.expecting(expected(least, vocabulary)))?) {
                if number < least as f64 || number >= vocabulary as f64 {
                    return Err(self.beyond(number, place, &expected(least, vocabulary)));
                }
                to(place, number as i64);
            }
        }
        Ok(())
    }

    /// The refusal of a token at a place of the file's order.
    pub(super) fn beyond(&self, token: impl std::fmt::Display, place: usize, expected: &str) -> Error {
        let found = match (self.shape(), self.array.row_major) {
            (&[_, length], true) => format!("{token} in example {}, place {}", place / length, place % length),
            (&[examples, _], false) => format!("{token} in example {}, place {}", place % examples, place / examples),
            _ => format!("{token} at place {place}"),
        };
        Error::malformed(&self.array.path, format!("the token {found}, counted from 0"), expected)
    }
}

/// The words for tokens from `least` to below `vocabulary`.
fn expected(least: i64, vocabulary: usize) -> String {
    let below = match vocabulary {
        LARGEST_VOCABULARY => "2^24".to_owned(),
        vocabulary => format!("{vocabulary}, the vocabulary"),
    };
    match least {
        0 => format!("tokens from 0 to below {below}"),
        _ => format!("tokens from 0 to below {below}, or -1 where none is predicted"),
    }
}
