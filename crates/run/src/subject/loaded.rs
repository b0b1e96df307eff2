//! Loaded examples, and what rows may ask to be done to them.

use gradspectra_data::LabelCorruption;
use gradspectra_models::{Examples, TrainingExamples};

use crate::error::{Error, Result};

/// What a row has the network see at capture, beside its examples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) labels: LabelCorruption,
    pub(crate) labels_seed: u64,
    /// The seed of inputs of noise, where there are such.
    pub(crate) noise_seed: Option<u64>,
}

/// Examples in memory.
pub(crate) trait LoadedSet<B> {
    fn examples(&self) -> &dyn Examples<Batch = B>;

    /// Corrupts the labels.
    fn corrupt_labels(&mut self, corruption: LabelCorruption, seed: u64) -> Result<()>;

    /// A copy as the network sees it at capture.
    fn seen(&self, seen: Seen) -> Result<Box<dyn LoadedSet<B>>>;

    /// The examples cropped and flipped anew in every epoch.
    fn augmented(&self, seed: u64) -> Result<Box<dyn TrainingExamples<Batch = B> + '_>>;
}

/// Examples of which nothing but their batches is known.
pub(super) struct Plain<B> {
    pub(super) title: String,
    pub(super) examples: Box<dyn Examples<Batch = B>>,
}

impl<B> Plain<B> {
    fn refuse<T>(&self, what: &str) -> Result<T> {
        Err(Error::Unfit { reason: format!("the data set {} has no {what}", self.title) })
    }
}

impl<B> LoadedSet<B> for Plain<B> {
    fn examples(&self) -> &dyn Examples<Batch = B> {
        &*self.examples
    }

    fn corrupt_labels(&mut self, corruption: LabelCorruption, _seed: u64) -> Result<()> {
        if corruption == LabelCorruption::None { Ok(()) } else { self.refuse("labels to corrupt") }
    }

    fn seen(&self, _seen: Seen) -> Result<Box<dyn LoadedSet<B>>> {
        self.refuse("labels or inputs to replace at capture")
    }

    fn augmented(&self, _seed: u64) -> Result<Box<dyn TrainingExamples<Batch = B> + '_>> {
        self.refuse("images to crop and flip")
    }
}
