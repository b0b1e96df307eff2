//! What PyTorch's pickles say of a tensor that their reader does not take in: a bit for numbers of the other sign, and
//! complex numbers.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use burn::store::pytorch_reader::MAX_PICKLE_SIZE;
use gradspectra_files::FileKind;
use zip::ZipArchive;

/// A tensor that is not stored as the numbers that it is.
#[derive(Debug, PartialEq)]
pub(super) struct Foreign {
    /// Its name, as far as it can be told.
    pub tensor: String,
    /// What it is, and the mend.
    pub what: &'static str,
}

/// The pickles of a file of PyTorch: that of a zip archive, else the whole file.
pub(super) fn pickles(path: &Path, kind: FileKind) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    if kind != FileKind::Zip {
        file.read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let mut archive = ZipArchive::new(file)?;
    for index in 0..archive.len() {
        let member = archive.by_index(index)?;
        if member.name().is_ok_and(|name| name.rsplit('/').next() == Some("data.pkl")) {
            member.take(MAX_PICKLE_SIZE).read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

/// The first tensor that is a lazy negation or conjugate, whose bit PyTorch pickles as `{"neg": True}` or
/// `{"conj": True}` (`torch._utils._rebuild_tensor_v2`), or that is complex.
pub(super) fn foreign(pickles: &[u8]) -> Option<Foreign> {
    const TRUE: u8 = 0x88;
    let texts: Vec<Text<'_>> = (0..pickles.len()).filter_map(|place| Text::at(pickles, place)).collect();
    let named = |place, what| Some(Foreign { tensor: name_before(&texts, place), what });
    for text in &texts {
        let bit = matches!(text.letters, "neg" | "conj") && after_memo(&pickles[text.end..]).first() == Some(&TRUE);
        match text.letters {
            "neg" if bit => {
                return named(text.place, "a lazy negation, stored with the other sign; save it after .resolve_neg()");
            }
            "conj" if bit => {
                return named(text.place, "a lazy conjugate; save it after .resolve_conj(), as real numbers");
            }
            _ => {}
        }
    }
    let complex = [&b"ComplexFloatStorage"[..], b"ComplexDoubleStorage", b"complex32"];
    let place = (0..pickles.len()).find(|&place| complex.iter().any(|name| pickles[place..].starts_with(name)))?;
    named(place, "of complex numbers; parameters are real: save them as float32")
}

/// A string in a pickle.
struct Text<'a> {
    place: usize,
    end: usize,
    letters: &'a str,
}

impl<'a> Text<'a> {
    /// The string that begins at `place`, BINUNICODE or SHORT_BINUNICODE of Python's `pickletools`.
    fn at(pickle: &'a [u8], place: usize) -> Option<Self> {
        const LONGEST: usize = 1024;
        let (start, length) = match pickle[place..] {
            [b'X', a, b, c, d, ..] => (place + 5, u32::from_le_bytes([a, b, c, d]) as usize),
            [0x8c, length, ..] => (place + 2, usize::from(length)),
            _ => return None,
        };
        let end = start + length;
        let letters = pickle.get(start..end).filter(|_| (1..=LONGEST).contains(&length))?;
        let letters = std::str::from_utf8(letters).ok().filter(|letters| !letters.contains(char::is_control))?;
        Some(Self { place, end, letters })
    }
}

/// What follows the operation that remembers a value, where there is one.
fn after_memo(pickle: &[u8]) -> &[u8] {
    match pickle {
        [b'q', _, rest @ ..] | [b'r', _, _, _, _, rest @ ..] | [0x94, rest @ ..] => rest,
        rest => rest,
    }
}

/// The last string before `place` that is no part of a tensor itself: its key.
fn name_before(texts: &[Text<'_>], place: usize) -> String {
    let part = |letters: &str| {
        let device = letters.split(':').next().unwrap_or_default();
        matches!(device, "storage" | "cpu" | "cuda" | "mps" | "neg" | "conj" | "torch" | "torch._utils")
            || letters.starts_with("_rebuild")
            || letters.bytes().all(|letter| letter.is_ascii_digit())
    };
    let name = texts.iter().rev().find(|text| text.place < place && !part(text.letters));
    name.map_or_else(|| "without a name".to_owned(), |text| text.letters.to_owned())
}
