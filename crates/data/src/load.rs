use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    avila,
    catalogue::{DataSet, Split},
    cifar::{self, Cifar100Labels, Records},
    download::Progress,
    error::{Result, invalid},
    examples::Examples,
    file::{self, FileProvenance, malformed},
    idx,
    images::ImageSet,
    locate::DataRoot,
    normalisation::{Normalisation, Normaliser},
};

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

/// Reads the examples of a split, normalised, after finding or downloading its files.
///
/// # Errors
///
/// The files are nowhere, cannot be downloaded or read, or are not sound.
pub fn load(
    data_set: DataSet,
    split: Split,
    options: LoadOptions,
    root: &DataRoot,
    progress: &mut Progress,
) -> Result<Loaded> {
    if data_set == DataSet::Avila {
        return load_avila(split, options.normalisation, root, progress);
    }
    let loaded = load_images(data_set, split, options, root, progress)?;
    Ok(Loaded { examples: loaded.normaliser.examples(&loaded.images)?, files: loaded.files })
}

/// The files of a split as they lie on disk, where they are at hand; nothing is downloaded or parsed.
///
/// # Errors
///
/// A file cannot be read.
pub fn files_at_hand(data_set: DataSet, split: Split, root: &DataRoot) -> Result<Option<Vec<FileProvenance>>> {
    let provenance = |path: PathBuf| Ok(FileProvenance::of(&path, &file::read(&path)?, data_set.listing()));
    root.at_hand(data_set, split).map(|paths| paths.into_iter().map(provenance).collect()).transpose()
}

/// Reads the images of a split of MNIST or CIFAR as bytes, after finding or downloading its files.
///
/// # Errors
///
/// As [`load`], or the data set is not one of images.
pub fn load_images(
    data_set: DataSet,
    split: Split,
    options: LoadOptions,
    root: &DataRoot,
    progress: &mut Progress,
) -> Result<LoadedImages> {
    let mut files = Vec::new();
    let mut read = |split| {
        let paths = root.locate(data_set, split, progress)?;
        read_images(data_set, split, options.cifar_100_labels, &paths, &mut files)
    };
    let images = read(split)?;
    let normaliser = match (options.normalisation, split) {
        (Normalisation::None, _) => Normaliser::unit(images.shape()),
        (Normalisation::PerChannel, _) => Normaliser::constants(data_set, images.shape())?,
        (Normalisation::PerPixel, Split::Train) => Normaliser::per_pixel(&images),
        (Normalisation::PerPixel, Split::Test) => Normaliser::per_pixel(&read(Split::Train)?),
    };
    Ok(LoadedImages { images, normaliser, files })
}

fn read_images(
    data_set: DataSet,
    split: Split,
    labels: Cifar100Labels,
    paths: &[PathBuf],
    files: &mut Vec<FileProvenance>,
) -> Result<ImageSet> {
    let read = paths.iter().map(|path| Ok((path.as_path(), file::read(path)?)));
    let read = read.collect::<Result<Vec<(&Path, Vec<u8>)>>>()?;
    let parse = || {
        let records = match data_set {
            DataSet::Mnist => return parse_mnist(&read),
            DataSet::Cifar10 => Records::CIFAR_10,
            DataSet::Cifar100 => Records::cifar_100(labels),
            DataSet::Avila => return Err(invalid("the data set", data_set, "one of images")),
        };
        match &read[..] {
            [(path, file)] if path.extension().is_some_and(|extension| extension == "gz") => {
                cifar::archive(records, path, file, data_set.file_sets(split)[0])
            }
            files => cifar::batches(records, files),
        }
    };
    let provenance = || {
        let of = |(path, file): &(&Path, Vec<u8>)| FileProvenance::of(path, file, data_set.listing());
        read.iter().map(of).collect::<Vec<_>>()
    };
    let (images, provenance) = rayon::join(parse, provenance);
    files.extend(provenance);
    images
}

fn parse_mnist(files: &[(&Path, Vec<u8>)]) -> Result<ImageSet> {
    const CLASSES: u8 = 10;
    let [(images_path, images), (labels_path, labels)] = files else {
        return Err(invalid("the number of MNIST files", files.len(), "2"));
    };
    let images = idx::images(images_path, images)?;
    let labels = idx::labels(labels_path, labels, CLASSES)?;
    if [images.rows, images.columns] != [28, 28] {
        return Err(malformed(images_path, format!("images of {} x {}", images.rows, images.columns), "28 x 28"));
    }
    if labels.len() != images.count {
        return Err(malformed(
            labels_path,
            format!("{} labels", labels.len()),
            format!("{}, one for each image in {}", images.count, images_path.display()),
        ));
    }
    ImageSet::new(images.pixels, [1, 28, 28], labels, CLASSES.into())
}

fn load_avila(split: Split, normalisation: Normalisation, root: &DataRoot, progress: &mut Progress) -> Result<Loaded> {
    let mut files = Vec::new();
    let mut read = |split| {
        let paths = root.locate(DataSet::Avila, split, progress)?;
        let bytes = file::read(&paths[0])?;
        files.push(FileProvenance::of(&paths[0], &bytes, DataSet::Avila.listing()));
        avila::rows(&paths[0], &bytes)
    };
    let rows = read(split)?;
    let features = match (normalisation, split) {
        (Normalisation::None, _) => rows.features,
        (_, Split::Train) => avila::standardise(&rows.features, &rows.features),
        (_, Split::Test) => avila::standardise(&read(Split::Train)?.features, &rows.features),
    };
    let examples = Examples::new(features, vec![avila::FEATURES], rows.labels, avila::CLASSES.len())?;
    Ok(Loaded { examples, files })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
