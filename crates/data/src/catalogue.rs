//! The known files of each data set: `datasets/datasets.toml`, built into the program.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

/// A data set of the paper's experiments (§A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// Handwritten digits, `[1, 28, 28]`, 10 classes.
    Mnist,
    /// Colour images, `[3, 32, 32]`, 10 classes.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// Colour images, `[3, 32, 32]`, 100 classes in 20 coarse ones.
    #[serde(rename = "cifar-100")]
    Cifar100,
    /// Page layout of a manuscript, `[10]`, 12 copyists.
    Avila,
}

/// One of a data set's two official parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The training examples.
    Train,
    /// The test examples.
    Test,
}

/// Where a data set's files lie below a data directory, and which files are known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    pub title: String,
    pub folders: Vec<String>,
    pub files: Vec<ListedFile>,
}

/// One known file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListedFile {
    pub name: String,
    pub size: u64,
    pub sha256: String,
    pub variant: Option<String>,
    #[serde(default)]
    pub mirrors: Vec<String>,
}

static CATALOGUE: LazyLock<BTreeMap<DataSet, Listing>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../datasets/datasets.toml"))
        .expect("a test parses datasets.toml and finds all data sets in it")
});

impl DataSet {
    /// All data sets.
    pub const ALL: [Self; 4] = [Self::Mnist, Self::Cifar10, Self::Cifar100, Self::Avila];

    /// The name as its authors write it.
    pub fn title(self) -> &'static str {
        &self.listing().title
    }

    pub(crate) fn listing(self) -> &'static Listing {
        &CATALOGUE[&self]
    }

    /// The sets of files, each of which holds the whole split.
    pub(crate) fn file_sets(self, split: Split) -> &'static [&'static [&'static str]] {
        match (self, split) {
            (Self::Mnist, Split::Train) => &[
                &["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
                &["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
            ],
            (Self::Mnist, Split::Test) => &[
                &["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"],
                &["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
            ],
            (Self::Cifar10, Split::Train) => &[
                &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
                &["cifar-10-binary.tar.gz"],
            ],
            (Self::Cifar10, Split::Test) => &[&["test_batch.bin"], &["cifar-10-binary.tar.gz"]],
            (Self::Cifar100, Split::Train) => &[&["train.bin"], &["cifar-100-binary.tar.gz"]],
            (Self::Cifar100, Split::Test) => &[&["test.bin"], &["cifar-100-binary.tar.gz"]],
            (Self::Avila, Split::Train) => &[&["avila-tr.txt"]],
            (Self::Avila, Split::Test) => &[&["avila-ts.txt"]],
        }
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.title())
    }
}

impl Listing {
    /// The official file of this name, for download.
    pub fn downloadable(&self, name: &str) -> Option<&ListedFile> {
        self.files.iter().find(|file| file.name == name && !file.mirrors.is_empty())
    }

    /// The known file of this name and content.
    pub fn known(&self, name: &str, sha256: &str) -> Option<&ListedFile> {
        self.files.iter().find(|file| file.name == name && file.sha256 == sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_every_split_is_listed_with_a_hash_and_https_mirrors() {
        for data_set in DataSet::ALL {
            let listing = data_set.listing();
            for file in &listing.files {
                assert_eq!(file.sha256.len(), 64, "{}", file.name);
                assert!(file.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
                assert!(file.size > 0);
                for mirror in &file.mirrors {
                    assert!(mirror.starts_with("https://"), "{mirror}");
                    assert!(mirror.ends_with(&file.name), "{mirror}");
                }
            }
            for split in [Split::Train, Split::Test] {
                for name in data_set.file_sets(split).concat() {
                    assert!(listing.files.iter().any(|file| file.name == name), "{name}");
                }
            }
        }
        assert_eq!(CATALOGUE.len(), DataSet::ALL.len());
    }

    #[test]
    fn names_are_those_of_experiment_files() {
        for (data_set, name) in DataSet::ALL.iter().zip(["mnist", "cifar-10", "cifar-100", "avila"]) {
            let value = toml::Value::try_from(data_set).expect("a string");
            assert_eq!(value.as_str(), Some(name));
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "title = 'x'\nfolders = []\nfiles = []\nmirror = 'y'";
        let error = toml::from_str::<Listing>(text).expect_err("unknown key");
        assert!(error.to_string().contains("mirror"));
    }
}
