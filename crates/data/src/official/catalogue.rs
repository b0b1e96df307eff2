//! The known files of each data set: `datasets/datasets.toml`, built into the program.

use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    official::download::Progress,
    official::file::{self, FileProvenance},
    official::locate::DataRoot,
};

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

static CATALOGUE: LazyLock<BTreeMap<String, Listing>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../../datasets/datasets.toml"))
        .expect("a test parses datasets.toml and finds all data sets in it")
});

/// The sets of files, each of which holds the whole split.
type FileSets = &'static [&'static [&'static str]];

/// The files of an official data set.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name in `datasets/datasets.toml`.
    pub name: &'static str,
    pub train: FileSets,
    pub test: FileSets,
}

impl Source {
    pub fn listing(&self) -> &'static Listing {
        &CATALOGUE[self.name]
    }

    pub fn file_sets(&self, split: Split) -> FileSets {
        match split {
            Split::Train => self.train,
            Split::Test => self.test,
        }
    }

    /// The files of a split as they lie on disk, where they are at hand; nothing is downloaded or parsed.
    pub fn at_hand(&self, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
        let provenance = |path: PathBuf| Ok(FileProvenance::of(&path, &file::read(&path)?, self.listing()));
        root.at_hand(self, split).map(|paths| paths.into_iter().map(provenance).collect()).transpose()
    }

    /// The files of a split and what is in them, found or downloaded.
    pub fn read(&self, split: Split, root: &DataRoot, progress: &mut Progress) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let paths = root.locate(self, split, progress)?;
        paths.into_iter().map(|path| file::read(&path).map(|bytes| (path, bytes))).collect()
    }

    /// Where `files` are from.
    pub fn provenance(&self, files: &[(PathBuf, Vec<u8>)]) -> Vec<FileProvenance> {
        files.iter().map(|(path, bytes)| FileProvenance::of(path, bytes, self.listing())).collect()
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
    use crate::{sets::avila, sets::cifar, sets::mnist, sets::shakespeare};

    #[test]
    fn every_file_of_every_split_is_listed_with_a_hash_and_https_mirrors() {
        let sources = [&mnist::SOURCE, &cifar::CIFAR_10, &cifar::CIFAR_100, &avila::SOURCE, &shakespeare::SOURCE];
        for source in sources {
            let listing = source.listing();
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
                for name in source.file_sets(split).concat() {
                    assert!(listing.files.iter().any(|file| file.name == name), "{name}");
                }
            }
        }
        assert_eq!(CATALOGUE.len(), sources.len());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "title = 'x'\nfolders = []\nfiles = []\nmirror = 'y'";
        let error = toml::from_str::<Listing>(text).expect_err("unknown key");
        assert!(error.to_string().contains("mirror"));
    }
}
