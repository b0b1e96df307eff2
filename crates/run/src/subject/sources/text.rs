//! A user's own text, a token a character.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradspectra_data::{Characters, Split, Stranger, Tokens, Windows};
use gradspectra_files::counted;
use gradspectra_models::{Facts, Sequences};
use serde::{Deserialize, Serialize};

use super::sequences::{BoxedSequences, InMemory, specimen};
use super::{Learnt, titled, unfit};
use crate::error::{Error, Result};
use crate::subject::source::{BoxError, DataSource};

/// A text in UTF-8, as an experiment file writes it: `data-set = { kind = "text", file = "my.txt", length = 64 }`. Its
/// characters, Unicode's scalar values, are the tokens, and it is cut into [`Windows`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::subject) struct TextFile {
    /// The text, whose characters are the vocabulary.
    file: PathBuf,
    /// The characters in an example: 64 without it.
    #[serde(default = "usual_length")]
    length: usize,
    /// A text to test a trained network on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_file: Option<PathBuf>,
    /// The name as tables show it; that of the file without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

fn usual_length() -> usize {
    64
}

/// The different characters of a text, and the number of all.
type Known = Arc<(Characters, usize)>;

static KNOWN: Learnt<Known> = Learnt::new();

fn known(path: &Path) -> Result<Known> {
    KNOWN.of(path, || {
        let text = read(path)?;
        Ok(Arc::new((Characters::of(&text), text.chars().count())))
    })
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|source| Error::io(path, "read", source))?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let found = format!("the byte {:#04x} at place {place}, counted from 0", error.as_bytes()[place]);
        Error::malformed(path, found, "text in UTF-8; save it as that")
    })
}

impl TextFile {
    /// The number of windows in the text at `path` of `characters`.
    fn windows(&self, path: &Path, characters: usize) -> Result<usize> {
        let length = self.length;
        if length == 0 {
            return Err(unfit("its length is 0; give 1 or more, the characters of an example"));
        }
        match Windows::count(characters, length) {
            0 => Err(Error::malformed(
                path,
                counted(characters, "characters"),
                format!("more than {length}, the length, as each character of an example has a follower"),
            )),
            windows => Ok(windows),
        }
    }

    fn facts_of_files(&self) -> Result<Facts> {
        let training = known(&self.file)?;
        let (characters, count) = &*training;
        let examples = self.windows(&self.file, *count)?;
        if let Some(path) = &self.test_file {
            let test = known(path)?;
            self.windows(path, test.1)?;
            if test.0.first_beyond(characters).is_some() {
                self.tokens(path, characters)?;
            }
        }
        Ok(Facts { input_shape: vec![self.length], targets: characters.count(), examples })
    }

    /// The tokens of the text at `path`, whose characters are among `characters`.
    fn tokens(&self, path: &Path, characters: &Characters) -> Result<Tokens> {
        characters.tokens(&read(path)?).map_err(|Stranger { character, line, column }| {
            let found = format!("the character {character:?} in line {line}, column {column}");
            Error::malformed(path, found, format!("characters that {} has", self.file.display()))
        })
    }

    fn examples(&self, split: Split) -> Result<Option<BoxedSequences>> {
        self.facts_of_files()?;
        let path = match (split, &self.test_file) {
            (Split::Train, _) => &self.file,
            (Split::Test, Some(path)) => path,
            (Split::Test, None) => return Ok(None),
        };
        let tokens = self.tokens(path, &known(&self.file)?.0)?;
        Ok(Some(Box::new(InMemory::Windows(Windows::new(tokens, self.length)?))))
    }
}

impl DataSource for TextFile {
    type Batch = Sequences;

    fn title(&self) -> String {
        titled(&self.title, &self.file)
    }

    fn facts(&self) -> Result<Facts, BoxError> {
        Ok(self.facts_of_files()?)
    }

    fn load(&self, split: Split) -> Result<Option<BoxedSequences>, BoxError> {
        Ok(self.examples(split)?)
    }

    fn specimen(&self) -> Result<BoxedSequences, BoxError> {
        Ok(specimen(&self.facts_of_files()?)?)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        [&mut self.file].into_iter().chain(&mut self.test_file).collect()
    }
}
