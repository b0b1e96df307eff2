//! A user's own tokens.

use std::path::{Path, PathBuf};

use gradspectra_data::{Split, Windows};
use gradspectra_files::counted;
use gradspectra_models::{Facts, Sequences};
use serde::{Deserialize, Serialize};

use super::sequences::{BoxedSequences, InMemory, specimen};
use super::token_file::{LARGEST_VOCABULARY, Largest, TokenFile};
use super::{Learnt, both, titled, unfit};
use crate::error::{Error, Result};
use crate::subject::source::{BoxError, DataSource};

/// Tokens in files, as an experiment file writes them: one sequence that is cut into [`Windows`],
/// `data-set = { kind = "tokens", file = "train.bin", length = 256 }`, or an example a row,
/// `data-set = { kind = "tokens", inputs = "inputs.npy", targets = "targets.npy" }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::subject) struct TokenFiles {
    /// Integers `[N]`, or a `.bin` of uint16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// The tokens in an example of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    /// Another such to test a trained network on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_file: Option<PathBuf>,
    /// Integers `[N, length]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<PathBuf>,
    /// The token that follows each, `[N, length]`; -1 where none is to be predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    targets: Option<PathBuf>,
    /// Inputs to test a trained network on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_inputs: Option<PathBuf>,
    /// Their targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_targets: Option<PathBuf>,
    /// How many different tokens there are: the largest token of the training files and one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vocabulary: Option<usize>,
    /// The name as tables show it; that of the first file without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

/// The tokens of a split.
enum Given<'a> {
    /// One sequence, cut into examples of a length.
    Sequence(&'a Path, usize),
    /// Inputs and targets.
    Rows([&'a Path; 2]),
}

impl Given<'_> {
    /// The files, each with the smallest number that may be among its tokens.
    fn files(&self) -> Vec<(&Path, i64)> {
        match *self {
            Self::Sequence(path, _) => vec![(path, 0)],
            Self::Rows([inputs, targets]) => vec![(inputs, 0), (targets, -1)],
        }
    }

    fn open(&self, path: &Path) -> Result<TokenFile> {
        match self {
            Self::Sequence(..) => TokenFile::sequence(path),
            Self::Rows(_) => TokenFile::rows(path),
        }
    }

    /// The number of examples, and of tokens in each.
    fn sides(&self) -> Result<[usize; 2]> {
        match *self {
            Self::Sequence(path, length) => {
                let tokens = self.open(path)?.shape()[0];
                let expected = format!("more than {length}, the length, as each token of an example has a follower");
                match Windows::count(tokens, length) {
                    0 => Err(Error::malformed(path, counted(tokens, "tokens"), expected)),
                    windows => Ok([windows, length]),
                }
            }
            Self::Rows([inputs, targets]) => {
                let (of_inputs, of_targets) = (self.open(inputs)?, self.open(targets)?);
                let (shape, found) = (of_inputs.shape(), format!("an array of shape {:?}", of_targets.shape()));
                if shape.contains(&0) {
                    let found = format!("an array of shape {shape:?}");
                    return Err(Error::malformed(inputs, found, "one example or more, of one token or more"));
                }
                match of_targets.shape() == shape {
                    true => Ok([shape[0], shape[1]]),
                    false => Err(Error::malformed(targets, found, format!("{shape:?}, that of {}", inputs.display()))),
                }
            }
        }
    }

    /// The largest token, its file and its place there.
    fn largest(&self) -> Result<Option<(u32, &Path, usize)>> {
        static LARGEST: Learnt<Largest> = Learnt::new();
        let mut largest: Option<(u32, &Path, usize)> = None;
        for (path, least) in self.files() {
            if let Some((token, place)) = LARGEST.of(path, || self.open(path)?.largest(least))?
                && largest.is_none_or(|(known, ..)| token > known)
            {
                largest = Some((token, path, place));
            }
        }
        Ok(largest)
    }

    fn load(&self, vocabulary: usize) -> Result<InMemory> {
        Ok(match *self {
            Self::Sequence(path, length) => {
                InMemory::Windows(Windows::new(self.open(path)?.tokens(vocabulary)?, length)?)
            }
            Self::Rows([inputs, targets]) => {
                let [_, length] = self.sides()?;
                let inputs = self.open(inputs)?.tokens(vocabulary)?;
                let targets = self.open(targets)?.targets(vocabulary)?;
                InMemory::Rows { length, inputs, targets }
            }
        })
    }
}

impl TokenFiles {
    /// The tokens for training, and for the test where there are some.
    fn given(&self) -> Result<(Given<'_>, Option<Given<'_>>)> {
        let Self { file, length, test_file, inputs, targets, test_inputs, test_targets, .. } = self;
        let named = |keys: &[(&'static str, bool)]| keys.iter().find(|(_, is_given)| *is_given).map(|&(key, _)| key);
        let of_sequence = [("file", file.is_some()), ("length", length.is_some()), ("test-file", test_file.is_some())];
        let of_rows = [
            ("inputs", inputs.is_some()),
            ("targets", targets.is_some()),
            ("test-inputs", test_inputs.is_some()),
            ("test-targets", test_targets.is_some()),
        ];
        let found = match (named(&of_sequence), named(&of_rows), file, length, inputs, targets) {
            (Some(one), Some(other), ..) => format!("it has {one} and {other}"),
            (_, _, Some(_), Some(0), ..) => {
                return Err(unfit("its length is 0; give 1 or more, the tokens of an example"));
            }
            (_, _, Some(file), &Some(length), ..) => {
                let test = test_file.as_deref().map(|test| Given::Sequence(test, length));
                return Ok((Given::Sequence(file, length), test));
            }
            (.., Some(inputs), Some(targets)) => {
                let test = both([test_inputs, test_targets], ["test-inputs", "test-targets"])?;
                return Ok((Given::Rows([inputs, targets]), test.map(Given::Rows)));
            }
            (Some(one), None, ..) | (None, Some(one), ..) => format!("it has {one} alone"),
            (None, None, ..) => "it names no file".to_owned(),
        };
        Err(unfit(format!("{found}; give file and length, or inputs and targets")))
    }

    fn facts_of_files(&self) -> Result<Facts> {
        let (training, test) = self.given()?;
        let [examples, length] = training.sides()?;
        if let Some(test) = &test {
            let [_, found] = test.sides()?;
            if found != length {
                let (found, expected) = (counted(found, "tokens"), format!("{length} in each, as for training"));
                return Err(Error::malformed(test.files()[0].0, format!("examples of {found}"), expected));
            }
        }
        let targets = match self.vocabulary {
            None => vocabulary(&training, test.as_ref())?,
            Some(given) if (1..=LARGEST_VOCABULARY).contains(&given) => given,
            Some(given) => return Err(unfit(format!("its vocabulary is {given}; give 1 to 2^24, or leave it out"))),
        };
        Ok(Facts { input_shape: vec![length], targets, examples })
    }

    fn examples(&self, split: Split) -> Result<Option<BoxedSequences>> {
        let vocabulary = self.facts_of_files()?.targets;
        let (training, test) = self.given()?;
        let given = if split == Split::Train { Some(training) } else { test };
        given.map(|given| Ok(Box::new(given.load(vocabulary)?) as BoxedSequences)).transpose()
    }
}

/// The largest token for training and one, beyond which the test has none.
fn vocabulary(training: &Given, test: Option<&Given>) -> Result<usize> {
    let Some((largest, ..)) = training.largest()? else { return Ok(0) };
    match test.map(Given::largest).transpose()?.flatten().zip(test) {
        Some(((token, path, place), test)) if token > largest => {
            let expected = format!("tokens to {largest}, as for training; else give vocabulary");
            Err(test.open(path)?.beyond(token, place, &expected))
        }
        _ => Ok(largest as usize + 1),
    }
}

impl DataSource for TokenFiles {
    type Batch = Sequences;

    fn title(&self) -> String {
        let first = self.file.as_deref().or(self.inputs.as_deref());
        titled(&self.title, first.unwrap_or(Path::new("")))
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
        let Self { file, test_file, inputs, targets, test_inputs, test_targets, .. } = self;
        [file, test_file, inputs, targets, test_inputs, test_targets].into_iter().flatten().collect()
    }
}
