//! A user's own data: inputs and labels in files of arrays.

use std::path::{Path, PathBuf};

use gradspectra_data::{
    DataError, DataFacts, DataRoot, Examples, FileProvenance, LabelledDataSet, LoadOptions, Loaded, Normalisation,
    Split,
};
use gradspectra_files::{Kind, StoredArray, counted};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::subject::provenance;
use crate::subject::sources::{array, float32, is_idx, shape};

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

impl ArrayFiles {
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

    /// The shape of an input, the inputs, and their labels, of a split.
    fn read(&self, split: Split) -> Result<(Vec<usize>, Vec<f64>, Vec<u32>)> {
        let [inputs, labels] = self.split(split)?;
        let labels = integers(labels)?;
        let (shape, mut values) = array(inputs, INPUTS)?;
        let shape = input_shape(inputs, &shape, labels.len())?;
        if is_of_bytes(inputs)? {
            values.iter_mut().for_each(|value| *value /= 255.0);
        }
        let features: usize = shape.iter().product();
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let found = format!("{} in example {}", values[place], place / features);
            return Err(Error::malformed(inputs, found, "finite numbers"));
        }
        Ok((shape, values, labels))
    }

    fn facts(&self) -> Result<DataFacts> {
        /// More classes than examples are taken for a stray label from here on.
        const MANY: usize = 1 << 10;
        let [inputs, path] = self.split(Split::Train)?;
        let labels = integers(path)?;
        let shape = input_shape(inputs, &shape(inputs, INPUTS)?, labels.len())?;
        let classes = classes_of(&labels);
        if classes > labels.len().max(MANY) {
            let found = format!("label {} beside {}", classes - 1, counted(labels.len(), "examples"));
            return Err(Error::malformed(path, found, "classes numbered from 0 on, fewer than examples"));
        }
        let facts = DataFacts { shape, classes, examples: labels.len() };
        if self.test_inputs.is_some() {
            self.check_test(&facts)?;
        }
        Ok(facts)
    }

    /// Refuses test examples that are of another kind than those of training, of which `facts` are known.
    fn check_test(&self, facts: &DataFacts) -> Result<()> {
        let [inputs, path] = self.split(Split::Test)?;
        let labels = integers(path)?;
        let shape = input_shape(inputs, &shape(inputs, INPUTS)?, labels.len())?;
        if shape != facts.shape {
            let expected = format!("{:?}, as for training", facts.shape);
            return Err(Error::malformed(inputs, format!("inputs of {shape:?}"), expected));
        }
        if is_of_bytes(inputs)? != is_of_bytes(&self.inputs)? {
            let expected =
                format!("bytes in both this and {} or in none, as bytes are divided by 255", self.inputs.display());
            return Err(Error::malformed(inputs, "another kind of numbers than for training", expected));
        }
        if classes_of(&labels) > facts.classes {
            let found = format!("label {}", classes_of(&labels) - 1);
            return Err(Error::malformed(path, found, format!("labels below {}, those of training", facts.classes)));
        }
        Ok(())
    }

    fn load(&self, split: Split, options: LoadOptions) -> Result<Loaded> {
        let (shape, mut values, labels) = self.read(split)?;
        let facts = self.facts()?;
        if options.normalisation != Normalisation::None {
            let training = match split {
                Split::Train => None,
                Split::Test => Some(self.read(Split::Train)?.1),
            };
            Scale::of(training.as_deref().unwrap_or(&values), &shape, options.normalisation).apply(&mut values);
        }
        let size = shape.iter().product();
        let inputs = float32(self.split(split)?[0], values, size, "scale them, or give a normalisation")?;
        let files = self.provenance(split)?;
        Ok(Loaded { examples: Examples::new(inputs, shape, labels, facts.classes)?, files })
    }

    /// The files of a split; of training with those of the test, on which the accuracy that is kept with it depends.
    fn provenance(&self, split: Split) -> Result<Vec<FileProvenance>> {
        let mut paths = self.split(split)?.to_vec();
        if split == Split::Train && self.test_inputs.is_some() {
            paths.extend(self.split(Split::Test)?);
        }
        paths.into_iter().map(provenance).collect()
    }
}

const INPUTS: &str = "numbers of shape [N, features], [N, height, width] or [N, channels, height, width]";
const LABELS: &str = "integers [N] from 0 on, one class an input";

/// The shape of one of `examples` inputs in the file `path` of `shape`.
fn input_shape(path: &Path, shape: &[usize], examples: usize) -> Result<Vec<usize>> {
    let of_input = match shape {
        [_, features] => vec![*features],
        [_, height, width] => vec![1, *height, *width],
        [_, image @ ..] if image.len() == 3 => image.to_vec(),
        _ => Vec::new(),
    };
    if of_input.is_empty() || shape.contains(&0) {
        return Err(Error::malformed(path, format!("an array of shape {shape:?}"), INPUTS));
    }
    if shape[0] != examples {
        return Err(Error::malformed(
            path,
            format!("{} for {}", counted(shape[0], "inputs"), counted(examples, "labels")),
            "one label an input",
        ));
    }
    Ok(of_input)
}

fn classes_of(labels: &[u32]) -> usize {
    labels.iter().max().map_or(0, |&largest| largest as usize + 1)
}

fn is_of_bytes(path: &Path) -> Result<bool> {
    let one_byte = Kind::Integer { bytes: 1, signed: false };
    Ok(is_idx(path)? || StoredArray::open(path, None, INPUTS)?.kind == one_byte)
}

fn integers(path: &Path) -> Result<Vec<u32>> {
    let (shape, values) = if is_idx(path)? {
        array(path, LABELS)?
    } else {
        let mut stored = StoredArray::open(path, None, LABELS)?;
        (stored.shape.clone(), stored.values().map_err(|error| error.expecting(LABELS))?)
    };
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
    /// Of each entry of an input: a power of two that is taken out of it, so that squares stay in the range of f64, its
    /// mean and its deviation.
    entries: Vec<(f64, f64, f64)>,
}

impl Scale {
    /// Over `training`, inputs of `shape`: of each entry, or of all entries of a channel together.
    fn of(training: &[f64], shape: &[usize], normalisation: Normalisation) -> Self {
        /// Beyond it a power of two, or its inverse, is none of f64's normal numbers.
        const FAR: i32 = 1000;
        let features: usize = shape.iter().product();
        let together = match (normalisation, shape) {
            (Normalisation::PerChannel, [_, height, width]) => height * width,
            _ => 1,
        };
        let inputs = training.len() / features;
        let moments = |group: usize| {
            let entries = group * together..(group + 1) * together;
            let stored = || training.chunks_exact(features).flat_map(|input| &input[entries.clone()]);
            let largest = stored().fold(0.0_f64, |largest, x| x.abs().max(largest));
            let unit = 2_f64.powi(-libm::ilogb(largest).clamp(-FAR, FAR));
            let values = || stored().map(|x| x * unit);
            let count = (inputs * together) as f64;
            // From the first on, so that the mean of equal entries is that entry to the last bit.
            let first = training[group * together] * unit;
            let mean = first + values().map(|x| x - first).sum::<f64>() / count;
            let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            std::iter::repeat_n((unit, mean, deviation), together)
        };
        Self { entries: (0..features / together).flat_map(moments).collect() }
    }

    /// Normalises `inputs`; entries that are constant over the training inputs become 0.
    fn apply(&self, inputs: &mut [f64]) {
        for (value, &(unit, mean, deviation)) in inputs.iter_mut().zip(self.entries.iter().cycle()) {
            *value = if deviation > 0.0 { (*value * unit - mean) / deviation } else { 0.0 };
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
        self.provenance(split).map(Some).map_err(own)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let Self { inputs, labels, test_inputs, test_labels, .. } = self;
        [inputs, labels].into_iter().chain(test_inputs).chain(test_labels).collect()
    }
}
