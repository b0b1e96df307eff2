//! The binary version of CIFAR-10 and CIFAR-100: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::{
    data_set::LoadOptions,
    error::Result,
    images::ImageSet,
    official::OfficialImages,
    official::catalogue::{Source, Split},
    official::file::{MAXIMUM_BYTES, malformed},
};

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// Which of CIFAR-100's two labels to learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cifar100Labels {
    /// The 100 classes.
    #[default]
    Fine,
    /// The 20 superclasses.
    Coarse,
}

impl Cifar100Labels {
    /// The number of classes.
    pub fn classes(self) -> usize {
        Records::cifar_100(self).kept_classes()
    }
}

/// Colour images `[3, 32, 32]` of 10 classes.
///
/// The constants of its normalisation are the training images' own to four places; the deviations 0.2023, 0.1994, 0.2010
/// that some programs use are means of single images' deviations.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {}

/// Colour images `[3, 32, 32]` of 100 classes in 20 coarse ones.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar100 {}

pub(crate) const CIFAR_10: Source = Source {
    name: "cifar-10",
    train: &[
        &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        &["cifar-10-binary.tar.gz"],
    ],
    test: &[&["test_batch.bin"], &["cifar-10-binary.tar.gz"]],
};

pub(crate) const CIFAR_100: Source = Source {
    name: "cifar-100",
    train: &[&["train.bin"], &["cifar-100-binary.tar.gz"]],
    test: &[&["test.bin"], &["cifar-100-binary.tar.gz"]],
};

impl OfficialImages for Cifar10 {
    const SOURCE: Source = CIFAR_10;
    const SHAPE: [usize; 3] = SHAPE;
    const EXAMPLES: usize = 50_000;
    const MEANS: &[f32] = &[0.4914, 0.4822, 0.4465];
    const DEVIATIONS: &[f32] = &[0.2470, 0.2435, 0.2616];

    fn classes(_options: LoadOptions) -> usize {
        Records::CIFAR_10.kept_classes()
    }

    fn parse(_options: LoadOptions, split: Split, files: &[(PathBuf, Vec<u8>)]) -> Result<ImageSet> {
        parse(Records::CIFAR_10, files, Self::SOURCE.file_sets(split)[0])
    }
}

impl OfficialImages for Cifar100 {
    const SOURCE: Source = CIFAR_100;
    const SHAPE: [usize; 3] = SHAPE;
    const EXAMPLES: usize = 50_000;
    const MEANS: &[f32] = &[0.5071, 0.4865, 0.4409];
    const DEVIATIONS: &[f32] = &[0.2673, 0.2564, 0.2762];
    const HAS_COARSE_LABELS: bool = true;

    fn classes(options: LoadOptions) -> usize {
        options.cifar_100_labels.classes()
    }

    fn parse(options: LoadOptions, split: Split, files: &[(PathBuf, Vec<u8>)]) -> Result<ImageSet> {
        parse(Records::cifar_100(options.cifar_100_labels), files, Self::SOURCE.file_sets(split)[0])
    }
}

/// Parses the binary files `members` or an archive of them.
fn parse(records: Records, files: &[(PathBuf, Vec<u8>)], members: &[&str]) -> Result<ImageSet> {
    match files {
        [(path, file)] if path.extension().is_some_and(|extension| extension == "gz") => {
            archive(records, path, file, members)
        }
        files => batches(records, files),
    }
}

/// How a record begins: its label bytes, each below a number of classes, of which one is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records {
    classes: &'static [u8],
    kept: usize,
}

impl Records {
    fn kept_classes(self) -> usize {
        self.classes[self.kept].into()
    }

    pub const CIFAR_10: Self = Self { classes: &[10], kept: 0 };

    pub fn cifar_100(labels: Cifar100Labels) -> Self {
        Self {
            classes: &[20, 100],
            kept: match labels {
                Cifar100Labels::Coarse => 0,
                Cifar100Labels::Fine => 1,
            },
        }
    }
}

/// Parses `files`, paths and their bytes, in that order.
pub(crate) fn batches(records: Records, files: &[(impl AsRef<Path>, Vec<u8>)]) -> Result<ImageSet> {
    let mut all = Batch::default();
    for (path, bytes) in files {
        all.append(Batch::read(path.as_ref(), bytes.as_slice(), bytes.len() as u64, records)?);
    }
    all.finish(records)
}

/// Parses the members `names`, in that order, of a `.tar.gz` archive, without unpacking it.
pub(crate) fn archive(records: Records, path: &Path, file: &[u8], names: &[&str]) -> Result<ImageSet> {
    let damaged = |error: io::Error| malformed(path, format!("a damaged archive ({error})"), "a .tar.gz file");
    let mut members: Vec<Option<Batch>> = names.iter().map(|_| None).collect();
    let mut tar = tar::Archive::new(GzDecoder::new(file).take(MAXIMUM_BYTES));
    for entry in tar.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let member = entry.path().map_err(damaged)?.into_owned();
        let Some(index) = names.iter().position(|name| member.ends_with(name)) else {
            continue;
        };
        let inside = path.join(&member);
        if !entry.header().entry_type().is_file() {
            return Err(malformed(&inside, "a link or folder", "a file"));
        }
        if members[index].is_some() {
            return Err(malformed(&inside, "a second member of that name", "one"));
        }
        let size = entry.size();
        members[index] = Some(Batch::read(&inside, entry, size, records)?);
    }
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    let mut all = Batch::default();
    for (member, name) in members.into_iter().zip(names) {
        all.append(member.ok_or_else(|| malformed(path, format!("no member {name}"), "one"))?);
    }
    all.finish(records)
}

#[derive(Default)]
struct Batch {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Batch {
    fn read(path: &Path, mut reader: impl Read, size: u64, records: Records) -> Result<Self> {
        let label_bytes = records.classes.len();
        let record_bytes = label_bytes + PIXELS;
        if size == 0 || !size.is_multiple_of(record_bytes as u64) || size > MAXIMUM_BYTES {
            return Err(malformed(
                path,
                format!("{size} bytes"),
                format!("records of {record_bytes} bytes, at least one"),
            ));
        }
        let mut batch = Self::default();
        let mut record = vec![0; record_bytes];
        for index in 0..size / record_bytes as u64 {
            reader.read_exact(&mut record).map_err(|error| {
                malformed(path, format!("an end in record {index} ({error})"), format!("{size} bytes"))
            })?;
            let (labels, pixels) = record.split_at(label_bytes);
            for (&label, &classes) in labels.iter().zip(records.classes) {
                if label >= classes {
                    return Err(malformed(
                        path,
                        format!("label {label} of record {index}"),
                        format!("0 to {}", classes - 1),
                    ));
                }
            }
            batch.labels.push(labels[records.kept]);
            batch.pixels.extend_from_slice(pixels);
        }
        Ok(batch)
    }

    fn append(&mut self, mut other: Self) {
        if self.labels.is_empty() {
            *self = other;
        } else {
            self.pixels.append(&mut other.pixels);
            self.labels.append(&mut other.labels);
        }
    }

    fn finish(self, records: Records) -> Result<ImageSet> {
        let classes = records.classes[records.kept];
        ImageSet::new(self.pixels, SHAPE, self.labels, classes.into())
    }
}

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
