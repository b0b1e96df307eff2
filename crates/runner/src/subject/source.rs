//! Data sets as experiment files name them.

use std::any::{Any, type_name};
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradspectra_data::{DataRoot, FileProvenance, LoadOptions, Split};
use gradspectra_models::{Examples, Facts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::loaded::{LoadedSet, Plain};
use super::registry::{no_source, source};
use super::{Tagged, Unregistered, tagged};
use crate::array_files::ArrayFiles;
use crate::error::{Error, Result};
use crate::files;

/// Why a user's data cannot be had.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The settings of a data set, as an experiment file writes them in `data-set = { kind = "…", … }`, and how to load it.
///
/// Derive `Serialize` and `Deserialize` with `deny_unknown_fields`; a data set without settings is named by its kind alone.
/// What is serialised and what is in its [`files`](Self::files) are part of the keys of results. Examples with a class
/// each, whose labels are to be corrupted or images augmented, implement
/// [`LabelledDataSet`](gradspectra_data::LabelledDataSet) in place of this.
pub trait DataSource: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What a network takes of it.
    type Batch: 'static;

    /// The name as tables show it.
    fn title(&self) -> String;

    /// What is known of the training examples before they are loaded.
    ///
    /// # Errors
    ///
    /// The settings are none that it can have, or a file that tells it cannot be read.
    fn facts(&self) -> Result<Facts, BoxError>;

    /// The examples of a split; `None` where there are none to test a trained network on.
    ///
    /// # Errors
    ///
    /// They cannot be read or made.
    fn load(&self, split: Split) -> Result<Option<Box<dyn Examples<Batch = Self::Batch>>>, BoxError>;

    /// Some examples, three or more, of the shapes that [`load`](Self::load) gives, without its files: networks are
    /// measured on them. The training examples without it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn specimen(&self) -> Result<Box<dyn Examples<Batch = Self::Batch>>, BoxError> {
        self.load(Split::Train)?.ok_or_else(|| "there are no training examples".into())
    }

    /// The settings that are paths: those of an experiment file are relative to its folder.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    /// The files that the training examples are read from, whose content is part of the keys of results.
    fn files(&self) -> Vec<PathBuf> {
        self.clone().paths().into_iter().map(|path| path.clone()).collect()
    }
}

/// A data set of an experiment file.
#[derive(Clone)]
pub struct DataSpec(Arc<dyn AnySource>);

/// Examples that were loaded, without their type: a `Box<dyn LoadedSet<B>>`.
pub(crate) struct AnySet {
    pub(super) set: Box<dyn Any>,
    pub(super) files: Vec<FileProvenance>,
}

/// What a data set is loaded by.
pub(crate) struct Loading<'a> {
    pub(crate) options: LoadOptions,
    pub(crate) root: &'a DataRoot,
    pub(crate) progress: &'a mut dyn FnMut(&str, u64, u64),
}

/// A data set without its type.
pub(crate) trait AnySource: Debug + Send + Sync {
    fn kind(&self) -> &str;
    fn settings(&self) -> &dyn erased_serde::Serialize;
    fn title(&self) -> String;
    fn facts(&self, options: LoadOptions) -> Result<Facts>;
    /// The type of its batches, in words.
    fn batches(&self) -> &'static str;
    /// Whether its labels can be corrupted, and its readings chosen.
    fn is_labelled(&self) -> bool {
        false
    }
    fn has_images(&self) -> bool {
        false
    }
    fn has_coarse_labels(&self) -> bool {
        false
    }
    /// A few examples for measuring: a `Box<dyn Examples<Batch = B>>`.
    fn specimen(&self, options: LoadOptions) -> Result<Box<dyn Any>>;
    fn load(&self, split: Split, loading: Loading) -> Result<Option<AnySet>>;
    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Vec<FileProvenance>>;
    /// Refuses a `root` that has not the files of a split.
    fn check_files(&self, _split: Split, _root: &DataRoot) -> Result<()> {
        Ok(())
    }
    /// The same with its paths mapped.
    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn AnySource>;
}

impl DataSpec {
    pub(crate) fn source(&self) -> &dyn AnySource {
        &*self.0
    }

    /// The same with its files relative to `folder`.
    pub(crate) fn in_folder(&self, folder: &Path) -> Self {
        Self(self.0.with_paths(&|path| folder.join(path)))
    }

    /// The same whatever its files' paths: what is in them is known otherwise.
    pub(crate) fn anywhere(&self) -> Self {
        Self(self.0.with_paths(&|_| PathBuf::new()))
    }

    /// Loads a split for a network that takes batches `B`; `None` where there is no such split.
    pub(crate) fn load<B: 'static>(&self, split: Split, loading: Loading) -> Result<Option<Set<B>>> {
        let Some(AnySet { set, files }) = self.0.load(split, loading)? else { return Ok(None) };
        match set.downcast::<Box<dyn LoadedSet<B>>>() {
            Ok(set) => Ok(Some(Set { set: *set, files })),
            Err(_) => Err(Error::Unfit { reason: self.misfit::<B>() }),
        }
    }

    /// Some examples for a network that takes batches `B`.
    pub(crate) fn specimen<B: 'static>(&self, options: LoadOptions) -> Result<Box<dyn Examples<Batch = B>>> {
        let specimen = self.0.specimen(options)?.downcast::<Box<dyn Examples<Batch = B>>>();
        specimen.map(|specimen| *specimen).map_err(|_| Error::Unfit { reason: self.misfit::<B>() })
    }

    fn misfit<B>(&self) -> String {
        format!(
            "the network takes batches of {}, the data set {} gives {}; name a network and a data set of one batch type",
            type_name::<B>(),
            self.0.title(),
            self.0.batches()
        )
    }

    /// Why it cannot be used, where no data set is registered as this.
    pub(crate) fn unregistered(&self) -> Option<String> {
        source(self.0.kind(), Map::new()).is_none().then(|| no_source(self.0.kind()))
    }
}

/// Examples that were loaded, and the files that they are from.
pub(crate) struct Set<B> {
    pub(crate) set: Box<dyn LoadedSet<B>>,
    pub(crate) files: Vec<FileProvenance>,
}

impl Debug for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.title())
    }
}

impl PartialEq for DataSpec {
    fn eq(&self, other: &Self) -> bool {
        let value = |spec: &Self| serde_json::to_value(spec).ok();
        value(self) == value(other)
    }
}

impl Serialize for DataSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, settings) = (self.0.kind(), self.0.settings());
        match serde_json::to_value(settings) {
            Ok(Value::Object(none)) if none.is_empty() => serializer.serialize_str(kind),
            _ => Tagged { kind, settings }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DataSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, settings) = tagged(deserializer, "data-set")?;
        let kind = kind.unwrap_or_else(|| ArrayFiles::KIND.to_owned());
        match source(&kind, settings.clone()) {
            Some(source) => {
                source.map(Self).map_err(|error| serde::de::Error::custom(format!("data-set {kind}: {error}")))
            }
            None => Ok(Self(Arc::new(Unregistered { kind, settings }))),
        }
    }
}

impl AnySource for Unregistered {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.kind.clone()
    }

    fn facts(&self, _options: LoadOptions) -> Result<Facts> {
        self.refuse(no_source)
    }

    fn batches(&self) -> &'static str {
        "nothing"
    }

    fn specimen(&self, _options: LoadOptions) -> Result<Box<dyn Any>> {
        self.refuse(no_source)
    }

    fn load(&self, _split: Split, _loading: Loading) -> Result<Option<AnySet>> {
        self.refuse(no_source)
    }

    fn files_at_hand(&self, _split: Split, _root: &DataRoot) -> Result<Vec<FileProvenance>> {
        Ok(Vec::new())
    }

    fn with_paths(&self, _map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn AnySource> {
        Arc::new(self.clone())
    }
}

/// A user's data set.
#[derive(Debug)]
pub(super) struct Source<S> {
    kind: &'static str,
    settings: S,
}

impl<S: DataSource> Source<S> {
    pub(super) fn new(kind: &'static str, settings: S) -> Self {
        Self { kind, settings }
    }

    fn failure(&self, error: BoxError) -> Error {
        Error::Setting { name: "data-set", found: self.kind.to_owned(), mend: error.to_string() }
    }
}

impl<S: DataSource> AnySource for Source<S> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }

    fn facts(&self, _options: LoadOptions) -> Result<Facts> {
        self.settings.facts().map_err(|error| self.failure(error))
    }

    fn batches(&self) -> &'static str {
        type_name::<S::Batch>()
    }

    fn specimen(&self, _options: LoadOptions) -> Result<Box<dyn Any>> {
        Ok(Box::new(self.settings.specimen().map_err(|error| self.failure(error))?))
    }

    fn load(&self, split: Split, _loading: Loading) -> Result<Option<AnySet>> {
        let Some(examples) = self.settings.load(split).map_err(|error| self.failure(error))? else { return Ok(None) };
        if split == Split::Train {
            let (told, found) = (self.facts(LoadOptions::default())?.examples, examples.len());
            if told != found || u32::try_from(found).is_err() {
                let error =
                    format!("its facts tell {told} examples, and {found} were loaded; give as many, below 2^32");
                return Err(self.failure(error.into()));
            }
        }
        let set: Box<dyn LoadedSet<S::Batch>> = Box::new(Plain { title: self.settings.title(), examples });
        Ok(Some(AnySet { set: Box::new(set), files: self.files_at_hand(split, &DataRoot::Given(PathBuf::new()))? }))
    }

    fn files_at_hand(&self, _split: Split, _root: &DataRoot) -> Result<Vec<FileProvenance>> {
        self.settings.files().iter().map(|path| files::provenance(path)).collect()
    }

    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn AnySource> {
        let mut settings = self.settings.clone();
        settings.paths().into_iter().for_each(|path| *path = map(path));
        Arc::new(Self { kind: self.kind, settings })
    }
}
