//! Official data sets: found or downloaded, verified; those of images parsed and normalised.

pub(crate) mod catalogue;
pub(crate) mod download;
pub(crate) mod file;
pub(crate) mod locate;

use std::{fmt::Debug, path::PathBuf};

use crate::{
    data_set::{DataFacts, LabelledDataSet, LoadOptions, Loaded, LoadedImages},
    error::Result,
    images::ImageSet,
    normalisation::{Normalisation, Normaliser},
    official::catalogue::{Source, Split},
    official::download::Progress,
    official::file::FileProvenance,
    official::locate::DataRoot,
};

/// What sets one official data set of images apart from another.
pub(crate) trait OfficialImages {
    const SOURCE: Source;
    const SHAPE: [usize; 3];
    /// The training examples.
    const EXAMPLES: usize;
    /// The constants that the field uses, of the training images' x/255, one a channel.
    const MEANS: &[f32];
    const DEVIATIONS: &[f32];
    /// Whether there are coarse labels beside the fine ones.
    const HAS_COARSE_LABELS: bool = false;

    fn classes(options: LoadOptions) -> usize;

    /// The images in one of the split's file sets.
    fn parse(options: LoadOptions, split: Split, files: &[(PathBuf, Vec<u8>)]) -> Result<ImageSet>;
}

impl<D: OfficialImages + Debug + Send + Sync> LabelledDataSet for D {
    fn title(&self) -> String {
        D::SOURCE.listing().title.clone()
    }

    fn facts(&self, options: LoadOptions) -> Result<DataFacts> {
        Ok(DataFacts { shape: D::SHAPE.to_vec(), classes: D::classes(options), examples: D::EXAMPLES })
    }

    fn load(&self, split: Split, options: LoadOptions, root: &DataRoot, progress: &mut Progress) -> Result<Loaded> {
        let loaded = images::<D>(split, options, root, progress)?;
        Ok(Loaded { examples: loaded.normaliser.examples(&loaded.images)?, files: loaded.files })
    }

    fn load_images(
        &self,
        split: Split,
        options: LoadOptions,
        root: &DataRoot,
        progress: &mut Progress,
    ) -> Result<Option<LoadedImages>> {
        images::<D>(split, options, root, progress).map(Some)
    }

    fn has_images(&self) -> bool {
        true
    }

    fn has_coarse_labels(&self) -> bool {
        D::HAS_COARSE_LABELS
    }

    fn check_files(&self, split: Split, root: &DataRoot) -> Result<()> {
        root.check(&D::SOURCE, split)
    }

    fn files_at_hand(&self, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
        D::SOURCE.at_hand(split, root)
    }
}

fn images<D: OfficialImages>(
    split: Split,
    options: LoadOptions,
    root: &DataRoot,
    progress: &mut Progress,
) -> Result<LoadedImages> {
    let mut files = Vec::new();
    let mut read = |split| {
        let read = D::SOURCE.read(split, root, progress)?;
        let (images, provenance) = rayon::join(|| D::parse(options, split, &read), || D::SOURCE.provenance(&read));
        files.extend(provenance);
        images
    };
    let images = read(split)?;
    let normaliser = match (options.normalisation, split) {
        (Normalisation::None, _) => Normaliser::unit(images.shape()),
        (Normalisation::PerChannel, _) => Normaliser::per_channel(images.shape(), D::MEANS, D::DEVIATIONS)?,
        (Normalisation::PerPixel, Split::Train) => Normaliser::per_pixel(&images),
        (Normalisation::PerPixel, Split::Test) => Normaliser::per_pixel(&read(Split::Train)?),
    };
    Ok(LoadedImages { images, normaliser, files })
}

#[cfg(test)]
mod tests;
