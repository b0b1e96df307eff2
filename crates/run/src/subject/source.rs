//! Data sets as experiment files name them.

use std::any::{Any, type_name};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradspectra_data::{DataRoot, FileProvenance, LoadOptions, Split};
use gradspectra_experiment::DataSpec;
use gradspectra_experiment::spec::{DataSettings, no_data_set};
use gradspectra_files as files;
use gradspectra_models::{Examples, Facts, Labelled, Regression, Sequences};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::loaded::{LoadedSet, Plain};
use crate::error::{Error, Result};

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
pub(crate) trait AnySource: DataSettings {
    /// What is known of the training examples before they are loaded.
    fn facts(&self, options: LoadOptions) -> Result<Facts>;
    /// The type of its batches, in words.
    fn batches(&self) -> &'static str;
    /// A few examples for measuring: a `Box<dyn Examples<Batch = B>>`.
    fn specimen(&self, options: LoadOptions) -> Result<Box<dyn Any>>;
    /// The examples of a split; `None` where there are none.
    fn load(&self, split: Split, loading: Loading) -> Result<Option<AnySet>>;
    /// The files of a split that can be read now.
    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Vec<FileProvenance>>;
    /// Refuses a `root` that has not the files of a split.
    fn check_files(&self, _split: Split, _root: &DataRoot) -> Result<()> {
        Ok(())
    }
}

/// A data set as it is registered.
#[derive(Debug)]
pub(super) struct RegisteredSource(Arc<dyn AnySource>);

impl RegisteredSource {
    pub(super) fn new(source: impl AnySource) -> Self {
        Self(Arc::new(source))
    }
}

impl DataSettings for RegisteredSource {
    fn kind(&self) -> &str {
        self.0.kind()
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        self.0.settings()
    }

    fn title(&self) -> String {
        self.0.title()
    }

    fn is_labelled(&self) -> bool {
        self.0.is_labelled()
    }

    fn has_images(&self) -> bool {
        self.0.has_images()
    }

    fn has_coarse_labels(&self) -> bool {
        self.0.has_coarse_labels()
    }

    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        self.0.with_paths(map)
    }
}

/// The data set of `spec`.
///
/// # Errors
///
/// None is registered as its kind.
pub(crate) fn source(spec: &DataSpec) -> Result<&dyn AnySource> {
    let settings: &dyn Any = spec.settings();
    match settings.downcast_ref::<RegisteredSource>() {
        Some(source) => Ok(&*source.0),
        None => Err(Error::Unfit { reason: no_data_set(spec.settings().kind()) }),
    }
}

/// Loads a split of `spec` for a network that takes batches `B`; `None` where there is no such split.
pub(crate) fn load<B: 'static>(spec: &DataSpec, split: Split, loading: Loading) -> Result<Option<Set<B>>> {
    let source = source(spec)?;
    let Some(AnySet { set, files }) = source.load(split, loading)? else { return Ok(None) };
    match set.downcast::<Box<dyn LoadedSet<B>>>() {
        Ok(set) => Ok(Some(Set { set: *set, files })),
        Err(_) => Err(misfit::<B>(source)),
    }
}

/// Some examples of `spec` for a network that takes batches `B`.
pub(crate) fn specimen<B: 'static>(spec: &DataSpec, options: LoadOptions) -> Result<Box<dyn Examples<Batch = B>>> {
    let source = source(spec)?;
    let specimen = source.specimen(options)?.downcast::<Box<dyn Examples<Batch = B>>>();
    specimen.map(|specimen| *specimen).map_err(|_| misfit::<B>(source))
}

fn misfit<B>(source: &dyn AnySource) -> Error {
    let reason = format!(
        "the network takes {}, the data set {} gives {}; name a network and a data set that fit each other",
        in_words(type_name::<B>()),
        source.title(),
        in_words(source.batches())
    );
    Error::Unfit { reason }
}

/// What batches of a type hold; the type's name where it is a user's own.
fn in_words(batches: &str) -> String {
    let known = [
        (type_name::<Labelled>(), "inputs with a class each"),
        (type_name::<Sequences>(), "sequences of tokens"),
        (type_name::<Regression>(), "inputs with numbers to predict"),
    ];
    let words = known.into_iter().find_map(|(name, words)| (name == batches).then(|| words.to_owned()));
    words.unwrap_or_else(|| format!("batches of {batches}"))
}

/// Examples that were loaded, and the files that they are from.
pub(crate) struct Set<B> {
    pub(crate) set: Box<dyn LoadedSet<B>>,
    pub(crate) files: Vec<FileProvenance>,
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

impl<S: DataSource> DataSettings for Source<S> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }

    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        let mut settings = self.settings.clone();
        settings.paths().into_iter().for_each(|path| *path = map(path));
        Arc::new(RegisteredSource::new(Self { kind: self.kind, settings }))
    }
}

impl<S: DataSource> AnySource for Source<S> {
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
        self.settings.files().iter().map(|path| provenance(path)).collect()
    }
}

/// The name of a user's file of data, and what is in it.
pub(crate) fn provenance(path: &Path) -> Result<FileProvenance> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(FileProvenance { name, sha256: files::sha256_of_file(path)?, listed: false, variant: None })
}
