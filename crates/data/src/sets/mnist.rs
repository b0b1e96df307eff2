//! MNIST: <http://yann.lecun.com/exdb/mnist/>.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    data_set::LoadOptions,
    error::{Result, invalid},
    idx,
    images::ImageSet,
    official::OfficialImages,
    official::catalogue::{Source, Split},
    official::file::malformed,
};

/// Handwritten digits `[1, 28, 28]` of 10 classes.
///
/// The constants of its normalisation are those of PyTorch's examples (`pytorch/examples`, `mnist/main.py`).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mnist {}

const CLASSES: u8 = 10;

pub(crate) const SOURCE: Source = Source {
    name: "mnist",
    train: &[
        &["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
        &["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
    ],
    test: &[
        &["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"],
        &["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
    ],
};

impl OfficialImages for Mnist {
    const SOURCE: Source = SOURCE;
    const SHAPE: [usize; 3] = [1, 28, 28];
    const EXAMPLES: usize = 60_000;
    const MEANS: &[f32] = &[0.1307];
    const DEVIATIONS: &[f32] = &[0.3081];

    fn classes(_options: LoadOptions) -> usize {
        CLASSES.into()
    }

    fn parse(_options: LoadOptions, _split: Split, files: &[(PathBuf, Vec<u8>)]) -> Result<ImageSet> {
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
        ImageSet::new(images.pixels, Self::SHAPE, labels, CLASSES.into())
    }
}
