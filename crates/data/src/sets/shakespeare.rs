//! Shakespeare's plays, a token a character: `data/tinyshakespeare/input.txt` of github.com/karpathy/char-rnn.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, invalid},
    official::catalogue::{Source, Split},
    official::download::Progress,
    official::file::{FileProvenance, malformed},
    official::locate::DataRoot,
    sequences::characters::Characters,
    sequences::windows::Windows,
};

pub(crate) const SOURCE: Source = Source { name: "shakespeare", train: &[&["input.txt"]], test: &[&["input.txt"]] };

/// The bytes of the text, all of which are ASCII.
const LENGTH: usize = 1_115_394;

/// Shakespeare's plays, 65 different characters, cut into [`Windows`]. The first 90% of the text are for training, the rest
/// for the test, as in `data/shakespeare_char/prepare.py` of [nanoGPT](https://github.com/karpathy/nanoGPT).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shakespeare {
    /// The characters in an example: 64 without it.
    #[serde(default = "usual_length")]
    pub length: usize,
}

fn usual_length() -> usize {
    Shakespeare::default().length
}

impl Default for Shakespeare {
    fn default() -> Self {
        Self { length: 64 }
    }
}

impl Shakespeare {
    /// The different characters.
    pub const VOCABULARY: usize = 65;

    /// The number of a split's characters: 1,003,854 and 111,540.
    pub fn characters(split: Split) -> usize {
        let training = LENGTH * 9 / 10;
        match split {
            Split::Train => training,
            Split::Test => LENGTH - training,
        }
    }

    /// The name as tables show it.
    pub fn title(&self) -> String {
        SOURCE.listing().title.clone()
    }

    /// The number of a split's examples; nothing is read.
    ///
    /// # Errors
    ///
    /// The length is 0, or beyond the text for the test.
    pub fn examples(&self, split: Split) -> Result<usize> {
        let longest = Self::characters(Split::Test) - 1;
        match self.length {
            length if (1..=longest).contains(&length) => Ok(Windows::count(Self::characters(split), length)),
            length => Err(invalid("length", length, format!("1 to {longest}, the characters of the test but one"))),
        }
    }

    /// Reads the examples of a split, after finding or downloading the text, and tells the file.
    ///
    /// # Errors
    ///
    /// As [`examples`](Self::examples), or the text is nowhere, cannot be downloaded or read, or is another one.
    pub fn load(
        &self,
        split: Split,
        root: &DataRoot,
        progress: &mut Progress,
    ) -> Result<(Windows, Vec<FileProvenance>)> {
        self.examples(split)?;
        let read = SOURCE.read(split, root, progress)?;
        let files = SOURCE.provenance(&read);
        let text = text(&read[0].0, &read[0].1, &files[0])?;
        let (training, test) = text.split_at(Self::characters(Split::Train));
        let part = if split == Split::Train { training } else { test };
        let tokens = Characters::of(text).tokens(part).expect("a part has the characters of the whole");
        Ok((Windows::new(tokens, self.length)?, files))
    }

    /// Refuses a `root` where the text is neither at hand nor to be downloaded.
    ///
    /// # Errors
    ///
    /// With the file that is missing.
    pub fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        root.check(&SOURCE, split)
    }

    /// The text as it lies on disk, where it is at hand; nothing is downloaded.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
        SOURCE.at_hand(split, root)
    }
}

/// The text in the file at `path`; another one than the listed is refused, since its examples would be as many as told by
/// chance alone.
fn text<'a>(path: &Path, bytes: &'a [u8], file: &FileProvenance) -> Result<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if file.listed => Ok(text),
        _ => Err(malformed(
            path,
            format!("a file of {} bytes with the SHA-256 {}", bytes.len(), file.sha256),
            format!(
                "{LENGTH} bytes with the SHA-256 {}; a text of your own is {{ kind = \"text\", file = \"…\" }}",
                SOURCE.listing().files[0].sha256
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_text_and_lengths_that_leave_no_example_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = DataRoot::Given(folder.path().to_owned());
        let load = |length| Shakespeare { length }.load(Split::Test, &root, &mut |_, _, _| ());
        let error = load(64).expect_err("no file").to_string();
        assert!(error.contains("shakespeare/input.txt does not exist; put Shakespeare there"), "{error}");
        fs::create_dir(folder.path().join("shakespeare")).expect("writable");
        fs::write(folder.path().join("shakespeare/input.txt"), "First Citizen:\r\n").expect("writable");
        let error = load(64).expect_err("another text").to_string();
        assert!(error.contains("a file of 16 bytes with the SHA-256 "), "{error}");
        for (length, test) in [(111_539, Some(1)), (111_540, None), (0, None), (64, Some(1742)), (1, Some(111_539))] {
            let refused = format!("length is {length}, expected 1 to 111539");
            let examples = Shakespeare { length }.examples(Split::Test);
            match examples {
                Ok(examples) => assert_eq!(Some(examples), test),
                Err(error) => assert!(test.is_none() && error.to_string().starts_with(&refused), "{error}"),
            }
        }
    }
}
