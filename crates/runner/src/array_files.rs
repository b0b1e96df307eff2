//! A user's own data: inputs and labels in files of arrays.

use std::path::{Path, PathBuf};

use gradspectra_data::{
    DataError, DataFacts, DataRoot, Examples, FileProvenance, LabelledDataSet, LoadOptions, Loaded, Normalisation,
    Split, read_idx,
};
use gradspectra_models::FileKind;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::stored::{Kind, StoredArray};

/// Inputs and labels in `.npy` or IDX files, as an experiment file writes them:
/// `data-set = { inputs = "x.npy", labels = "y.npy" }`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArrayFiles {
    /// Numbers `[N, …]`, the shape of one input after the first side; `[N, H, W]` are images of one channel. Bytes are pixels
    /// from 0 to 255 and are divided by 255.
    pub inputs: PathBuf,
    /// Integers `[N]` from 0 on.
    pub labels: PathBuf,
    /// Inputs to test a trained network on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_inputs: Option<PathBuf>,
    /// Their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// The name as tables show it; that of the inputs' file without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The shape and the numbers of an array, the last index varying fastest.
type Array = (Vec<usize>, Vec<f64>);

impl ArrayFiles {
    /// What such a data set is called where it needs a name; experiment files leave it out.
    pub(crate) const KIND: &str = "files";

    /// The inputs and labels of a split, in this order.
    fn split(&self, split: Split) -> Result<[&Path; 2]> {
        match (split, &self.test_inputs, &self.test_labels) {
            (Split::Train, None, None) | (Split::Train, Some(_), Some(_)) => Ok([&self.inputs, &self.labels]),
            (Split::Test, Some(inputs), Some(labels)) => Ok([inputs, labels]),
            _ => Err(Error::Unfit {
                reason: "data-set has one of test-inputs and test-labels; give both or none".to_owned(),
            }),
        }
    }

    fn read(&self, split: Split) -> Result<(Vec<usize>, Vec<f32>, Vec<u32>)> {
        let [inputs, labels] = self.split(split)?;
        let labels = integers(labels)?;
        let (mut shape, values) = array(inputs)?;
        let bytes = is_of_bytes(inputs)?;
        if shape.len() < 2 || shape.len() > 4 || values.is_empty() {
            return Err(Error::malformed(inputs, format!("an array of shape {shape:?}"), INPUTS));
        }
        if shape[0] != labels.len() {
            let found = format!("{} inputs for the {} labels of {}", shape[0], labels.len(), self.labels.display());
            return Err(Error::malformed(inputs, found, "one label an input"));
        }
        shape.remove(0);
        if shape.len() == 2 {
            shape.insert(0, 1);
        }
        let values = values.into_iter().map(|value| if bytes { (value / 255.0) as f32 } else { value as f32 });
        Ok((shape, values.collect(), labels))
    }

    fn facts(&self) -> Result<DataFacts> {
        let [inputs, labels] = self.split(Split::Train)?;
        let (classes, examples) = {
            let labels = integers(labels)?;
            (classes_of(&labels), labels.len())
        };
        let mut shape = shape(inputs)?;
        if shape.len() < 2 || shape.len() > 4 {
            return Err(Error::malformed(inputs, format!("an array of shape {shape:?}"), INPUTS));
        }
        shape.remove(0);
        if shape.len() == 2 {
            shape.insert(0, 1);
        }
        Ok(DataFacts { shape, classes, examples })
    }

    fn load(&self, split: Split, options: LoadOptions) -> Result<Loaded> {
        let (shape, mut inputs, labels) = self.read(split)?;
        let facts = self.facts()?;
        if shape != facts.shape {
            let [path, _] = self.split(split)?;
            return Err(Error::malformed(
                path,
                format!("inputs of {shape:?}"),
                format!("{:?}, as for training", facts.shape),
            ));
        }
        if options.normalisation != Normalisation::None {
            let training = match split {
                Split::Train => None,
                Split::Test => Some(self.read(Split::Train)?.1),
            };
            let scale = Scale::of(training.as_deref().unwrap_or(&inputs), &shape, options.normalisation);
            scale.apply(&mut inputs);
        }
        let classes = facts.classes.max(classes_of(&labels));
        if classes > facts.classes {
            let [_, path] = self.split(split)?;
            let found = format!("label {}", classes - 1);
            return Err(Error::malformed(path, found, format!("labels below {}, those of training", facts.classes)));
        }
        let files = self.split(split)?.into_iter().map(files::provenance).collect::<Result<_>>()?;
        Ok(Loaded { examples: Examples::new(inputs, shape, labels, classes)?, files })
    }
}

const INPUTS: &str = "numbers of shape [N, features], [N, height, width] or [N, channels, height, width]";
const LABELS: &str = "integers [N] from 0 on, one class an input";

fn classes_of(labels: &[u32]) -> usize {
    labels.iter().max().map_or(0, |&largest| largest as usize + 1)
}

fn is_idx(path: &Path) -> Result<bool> {
    let kind = FileKind::of(path).map_err(|source| Error::io(path, "read", source))?;
    Ok(!matches!(kind, FileKind::Npy | FileKind::Safetensors))
}

fn is_of_bytes(path: &Path) -> Result<bool> {
    let one_byte = Kind::Integer { bytes: 1, signed: false };
    Ok(is_idx(path)? || StoredArray::open(path, None, INPUTS)?.kind == one_byte)
}

fn idx(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    read_idx(path).map_err(|error| match error {
        DataError::Malformed { path, found, expected } => Error::Malformed { path, found, expected },
        error => error.into(),
    })
}

fn shape(path: &Path) -> Result<Vec<usize>> {
    if is_idx(path)? { Ok(idx(path)?.0) } else { Ok(StoredArray::open(path, None, INPUTS)?.shape) }
}

fn array(path: &Path) -> Result<Array> {
    if is_idx(path)? {
        let (shape, values) = idx(path)?;
        return Ok((shape, values.into_iter().map(f64::from).collect()));
    }
    let mut stored = StoredArray::open(path, None, INPUTS)?;
    let (shape, values) = (stored.shape.clone(), stored.values()?);
    Ok(if stored.row_major { (shape, values) } else { (shape.clone(), by_rows(&values, &shape)) })
}

/// The numbers of an array whose first index varies fastest, the last index varying fastest.
fn by_rows(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let place = |mut row_major: usize| {
        let (mut place, mut stride) = (0, values.len());
        for &side in shape.iter().rev() {
            stride /= side;
            place += row_major % side * stride;
            row_major /= side;
        }
        place
    };
    (0..values.len()).map(|row_major| values[place(row_major)]).collect()
}

fn integers(path: &Path) -> Result<Vec<u32>> {
    let (shape, values) = array(path)?;
    if shape.len() != 1 || values.is_empty() {
        return Err(Error::malformed(path, format!("an array of shape {shape:?}"), LABELS));
    }
    let class = |(place, value): (usize, f64)| match value as u32 {
        label if f64::from(label) == value && label < u32::MAX => Ok(label),
        _ => Err(Error::malformed(path, format!("{value} at place {place}"), LABELS)),
    };
    values.into_iter().enumerate().map(class).collect()
}

/// Means and deviations that inputs are normalised by.
struct Scale {
    /// Of each entry of an input.
    entries: Vec<(f64, f64)>,
}

impl Scale {
    /// Over `training`, inputs of `shape`: of each entry, or of all entries of a channel together.
    fn of(training: &[f32], shape: &[usize], normalisation: Normalisation) -> Self {
        let features: usize = shape.iter().product();
        let together = match (normalisation, shape) {
            (Normalisation::PerChannel, [_, height, width]) => height * width,
            _ => 1,
        };
        let inputs = training.len() / features;
        let moments = |group: usize| {
            let entries = group * together..(group + 1) * together;
            let values =
                || training.chunks_exact(features).flat_map(|input| &input[entries.clone()]).map(|&x| f64::from(x));
            let count = (inputs * together) as f64;
            let mean = values().sum::<f64>() / count;
            let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            std::iter::repeat_n((mean, deviation), together)
        };
        Self { entries: (0..features / together).flat_map(moments).collect() }
    }

    /// Normalises `inputs`; entries that are constant over the training inputs become 0.
    fn apply(&self, inputs: &mut [f32]) {
        for (value, &(mean, deviation)) in inputs.iter_mut().zip(self.entries.iter().cycle()) {
            *value = if deviation > 0.0 { ((f64::from(*value) - mean) / deviation) as f32 } else { 0.0 };
        }
    }
}

fn own(error: Error) -> DataError {
    match error {
        Error::Data(error) => error,
        error => DataError::Own(Box::new(error)),
    }
}

impl LabelledDataSet for ArrayFiles {
    fn title(&self) -> String {
        let stem = || self.inputs.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.title.clone().or_else(stem).unwrap_or_default()
    }

    fn facts(&self, _options: LoadOptions) -> Result<DataFacts, DataError> {
        Self::facts(self).map_err(own)
    }

    fn load(
        &self,
        split: Split,
        options: LoadOptions,
        _root: &DataRoot,
        _progress: &mut gradspectra_data::Progress,
    ) -> Result<Loaded, DataError> {
        Self::load(self, split, options).map_err(own)
    }

    fn has_test_examples(&self) -> bool {
        self.test_inputs.is_some()
    }

    fn files_at_hand(&self, split: Split, _root: &DataRoot) -> Result<Option<Vec<FileProvenance>>, DataError> {
        let provenance = |paths: [&Path; 2]| paths.into_iter().map(files::provenance).collect();
        self.split(split).and_then(provenance).map(Some).map_err(own)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let Self { inputs, labels, test_inputs, test_labels, .. } = self;
        [inputs, labels].into_iter().chain(test_inputs).chain(test_labels).collect()
    }
}
