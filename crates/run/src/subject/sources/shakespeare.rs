//! The text that the clone has, whose file lies with those of the other official data sets.

use std::any::{Any, type_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradspectra_data::{DataRoot, FileProvenance, LoadOptions, Shakespeare, Split};
use gradspectra_experiment::spec::DataSettings;
use gradspectra_models::{Facts, Sequences};

use super::sequences::{BoxedSequences, InMemory, specimen};
use crate::error::Result;
use crate::subject::loaded::{LoadedSet, Plain};
use crate::subject::source::{AnySet, AnySource, Loading, RegisteredSource};

/// Shakespeare, as it is registered.
#[derive(Debug)]
pub(in crate::subject) struct OfficialText {
    kind: &'static str,
    settings: Shakespeare,
}

impl OfficialText {
    pub(in crate::subject) fn new(kind: &'static str, settings: Shakespeare) -> Self {
        Self { kind, settings }
    }
}

impl DataSettings for OfficialText {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }

    fn with_paths(&self, _map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        Arc::new(RegisteredSource::new(Self::new(self.kind, self.settings)))
    }
}

impl AnySource for OfficialText {
    fn facts(&self, _options: LoadOptions) -> Result<Facts> {
        let examples = self.settings.examples(Split::Train)?;
        Ok(Facts { input_shape: vec![self.settings.length], targets: Shakespeare::VOCABULARY, examples })
    }

    fn batches(&self) -> &'static str {
        type_name::<Sequences>()
    }

    fn specimen(&self, options: LoadOptions) -> Result<Box<dyn Any>> {
        Ok(Box::new(specimen(&self.facts(options)?)?))
    }

    fn load(&self, split: Split, loading: Loading) -> Result<Option<AnySet>> {
        let (windows, files) = self.settings.load(split, loading.root, loading.progress)?;
        let examples: BoxedSequences = Box::new(InMemory::Windows(windows));
        let set: Box<dyn LoadedSet<Sequences>> = Box::new(Plain { title: self.settings.title(), examples });
        Ok(Some(AnySet { set: Box::new(set), files }))
    }

    fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        Ok(self.settings.check_files(split, root)?)
    }

    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Vec<FileProvenance>> {
        Ok(self.settings.files_at_hand(split, root)?.unwrap_or_default())
    }
}
