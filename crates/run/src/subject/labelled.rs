//! Data sets of examples with a class each.

use std::any::{Any, type_name};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use gradspectra_data::{
    DataRoot, Examples as InMemory, FileProvenance, LabelCorruption, LabelledDataSet, LoadOptions, Split,
};
use gradspectra_experiment::spec::DataSettings;
use gradspectra_models::{Examples, Facts, Labelled, LabelledInputs, TrainingExamples};
use serde::Serialize;

use super::loaded::{LoadedSet, Seen};
use super::source::{AnySet, AnySource, Loading, RegisteredSource};
use crate::error::{Error, Result};
use crate::subject::augmented::AugmentedImages;

/// A data set of examples with a class each.
#[derive(Debug)]
pub(super) struct Labels<D> {
    kind: &'static str,
    settings: Arc<D>,
}

impl<D> Labels<D> {
    pub(super) fn new(kind: &'static str, settings: D) -> Self {
        Self { kind, settings: Arc::new(settings) }
    }
}

impl<D: LabelledDataSet + Clone + Serialize + 'static> DataSettings for Labels<D> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &*self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }

    fn is_labelled(&self) -> bool {
        true
    }

    fn has_images(&self) -> bool {
        self.settings.has_images()
    }

    fn has_coarse_labels(&self) -> bool {
        self.settings.has_coarse_labels()
    }

    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        let mut settings = D::clone(&self.settings);
        settings.paths().into_iter().for_each(|path| *path = map(path));
        Arc::new(RegisteredSource::new(Self::new(self.kind, settings)))
    }
}

impl<D: LabelledDataSet + Clone + Serialize + 'static> AnySource for Labels<D> {
    fn facts(&self, options: LoadOptions) -> Result<Facts> {
        let facts = self.settings.facts(options)?;
        Ok(Facts { input_shape: facts.shape, targets: facts.classes, examples: facts.examples })
    }

    fn batches(&self) -> &'static str {
        type_name::<Labelled>()
    }

    /// Inputs of noise, and every class as far as they go.
    fn specimen(&self, options: LoadOptions) -> Result<Box<dyn Any>> {
        const COUNT: usize = 4;
        let facts = self.facts(options)?;
        let labels = (0..COUNT).map(|index| (index % facts.targets) as u32).collect();
        let inputs = vec![0.0; COUNT * facts.features()];
        let mut examples = InMemory::new(inputs, facts.input_shape, labels, facts.targets)?;
        examples.replace_inputs_by_noise(0);
        let specimen: Box<dyn Examples<Batch = Labelled>> = Box::new(InputsAndLabels(examples));
        Ok(Box::new(specimen))
    }

    fn load(&self, split: Split, loading: Loading) -> Result<Option<AnySet>> {
        let Loading { options, root, progress } = loading;
        if split == Split::Test && !self.settings.has_test_examples() {
            return Ok(None);
        }
        let loaded = self.settings.load(split, options, root, progress)?;
        let (source, root): (Arc<dyn LabelledDataSet>, _) = (self.settings.clone(), root.clone());
        let set = LabelledSet { source, options, root, split, examples: InputsAndLabels(loaded.examples) };
        let set: Box<dyn LoadedSet<Labelled>> = Box::new(set);
        Ok(Some(AnySet { set: Box::new(set), files: loaded.files }))
    }

    fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        match split == Split::Test && !self.settings.has_test_examples() {
            true => Ok(()),
            false => Ok(self.settings.check_files(split, root)?),
        }
    }

    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Vec<FileProvenance>> {
        Ok(self.settings.files_at_hand(split, root)?.unwrap_or_default())
    }
}

/// Examples in memory as networks take them.
#[derive(Clone)]
struct InputsAndLabels(InMemory);

impl Examples for InputsAndLabels {
    type Batch = Labelled;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Labelled {
        let features = self.0.shape().iter().product();
        LabelledInputs::new(self.0.inputs(), self.0.labels(), features).batch(indices, device)
    }
}

/// Loaded examples with a class each, and where they are from.
struct LabelledSet {
    source: Arc<dyn LabelledDataSet>,
    options: LoadOptions,
    root: DataRoot,
    split: Split,
    examples: InputsAndLabels,
}

impl LoadedSet<Labelled> for LabelledSet {
    fn examples(&self) -> &dyn Examples<Batch = Labelled> {
        &self.examples
    }

    fn corrupt_labels(&mut self, corruption: LabelCorruption, seed: u64) -> Result<()> {
        Ok(self.examples.0.corrupt_labels(corruption, seed)?)
    }

    fn seen(&self, seen: Seen) -> Result<Box<dyn LoadedSet<Labelled>>> {
        let mut examples = self.examples.clone();
        examples.0.corrupt_labels(seen.labels, seen.labels_seed)?;
        if let Some(seed) = seen.noise_seed {
            examples.0.replace_inputs_by_noise(seed);
        }
        let (source, root) = (self.source.clone(), self.root.clone());
        Ok(Box::new(Self { source, options: self.options, root, split: self.split, examples }))
    }

    fn augmented(&self, seed: u64) -> Result<Box<dyn TrainingExamples<Batch = Labelled> + '_>> {
        let images = self.source.load_images(self.split, self.options, &self.root, &mut |_, _, _| ())?;
        let none =
            || Error::Unfit { reason: format!("the data set {} has no images to crop and flip", self.source.title()) };
        Ok(Box::new(AugmentedImages::new(images.ok_or_else(none)?, self.examples.0.labels(), seed)))
    }
}
