use std::{fmt::Debug, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    examples::Examples,
    images::ImageSet,
    normalisation::{Normalisation, Normaliser},
    official::catalogue::Split,
    official::download::Progress,
    official::file::FileProvenance,
    official::locate::DataRoot,
    sets::cifar::Cifar100Labels,
};

/// Examples with a class each, from files or made up: their labels can be corrupted, their images augmented.
pub trait LabelledDataSet: Debug + Send + Sync {
    /// The name as tables show it.
    fn title(&self) -> String;

    /// What is known of the training examples before they are loaded.
    ///
    /// # Errors
    ///
    /// A file that tells it cannot be read.
    fn facts(&self, options: LoadOptions) -> Result<DataFacts>;

    /// Reads the examples of a split, normalised, after finding or downloading its files.
    ///
    /// # Errors
    ///
    /// The files are nowhere, cannot be downloaded or read, or are not sound.
    fn load(&self, split: Split, options: LoadOptions, root: &DataRoot, progress: &mut Progress) -> Result<Loaded>;

    /// Reads the images of a split as bytes, for augmentation, which works on pixels; `None` where there are no images.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn load_images(
        &self,
        split: Split,
        options: LoadOptions,
        root: &DataRoot,
        progress: &mut Progress,
    ) -> Result<Option<LoadedImages>> {
        let _ = (split, options, root, progress);
        Ok(None)
    }

    /// Whether [`load_images`](Self::load_images) gives some.
    fn has_images(&self) -> bool {
        false
    }

    /// Whether [`LoadOptions::cifar_100_labels`] chooses between two kinds of labels.
    fn has_coarse_labels(&self) -> bool {
        false
    }

    /// Whether there are examples to test a trained network on.
    fn has_test_examples(&self) -> bool {
        true
    }

    /// Refuses a `root` where the files of a split are neither at hand nor to be downloaded; nothing is read.
    ///
    /// # Errors
    ///
    /// With the file that is missing.
    fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        let _ = (split, root);
        Ok(())
    }

    /// The files of a split as they lie on disk, where they are at hand; nothing is downloaded or parsed.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
        let _ = (split, root);
        Ok(None)
    }

    /// The settings that are paths: those of an experiment file are relative to its folder, and keys do not depend on them.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}

/// What is known of training examples before they are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFacts {
    /// The shape of one input: `[C, H, W]` or `[F]`.
    pub shape: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
    /// The training examples.
    pub examples: usize,
}

/// The readings of a data set that the paper leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LoadOptions {
    /// How pixels become inputs.
    pub normalisation: Normalisation,
    /// Which labels CIFAR-100 has.
    pub cifar_100_labels: Cifar100Labels,
}

/// Examples, and the files they are from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The normalised examples, in the files' order.
    pub examples: Examples,
    /// The files that were read.
    pub files: Vec<FileProvenance>,
}

/// Images before normalisation, and how to normalise them: for augmentation, which works on pixels.
#[derive(Clone, Debug)]
pub struct LoadedImages {
    /// The images, in the files' order.
    pub images: ImageSet,
    /// Their normalisation.
    pub normaliser: Normaliser,
    /// The files that were read.
    pub files: Vec<FileProvenance>,
}
