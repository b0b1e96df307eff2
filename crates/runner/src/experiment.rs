//! What to run: experiment files and their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gradspectra_analysis::{AllZeroReading, UndefinedPReading, ZeroReading};
use gradspectra_data::{Cifar100Labels, DataSet, LabelCorruption, Normalisation, Sampling};
use gradspectra_models::{Augmentation, Initialisation, Optimiser, Training};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::ModelSpec;

/// A table: rows to run, each with the paper's figures beside.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The name of its file without the ending, e.g. `table-5`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it shows.
    pub caption: String,
    /// The rows, in the order of the table.
    pub rows: Vec<Row>,
}

/// One row: the gradients to capture and what to test them for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// Its name in commands and file names: letters, digits, `-` and `.`.
    pub id: String,
    /// What sets it apart from its neighbours, as the table says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// The data set, of which the training examples are used.
    pub data_set: DataSet,
    /// How pixels become inputs.
    #[serde(default)]
    pub normalisation: Normalisation,
    /// Which labels CIFAR-100 has.
    #[serde(default)]
    pub cifar_100_labels: Cifar100Labels,
    /// What is done to the labels, before training and capture.
    #[serde(default)]
    pub labels: LabelCorruption,
    /// The network.
    pub model: ModelSpec,
    /// How its parameters are drawn.
    #[serde(default)]
    pub initialisation: Initialisation,
    /// How it is trained before the capture; random parameters without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Parameters to load (SafeTensors or PyTorch's `.pt`) in place of drawing and training them; relative to the
    /// experiment's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// B, the number of examples of a minibatch.
    #[serde(default = "one")]
    pub batch_size: usize,
    /// T, the number of gradients.
    #[serde(default = "five_thousand")]
    pub iterations: usize,
    /// How minibatches are chosen.
    #[serde(default)]
    pub sampling: Sampling,
    /// Minibatches to use, an `.npy` of int64 indices `[T]` or `[T, B]`, in place of drawing them; sets B and T.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minibatches: Option<PathBuf>,
    /// Scales each gradient to at most this norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clipping: Option<f64>,
    /// Which vectors are studied.
    #[serde(default)]
    pub vectors: Vectors,
    /// What is tested.
    pub analysis: Analysis,
    /// Added to the seed of the run.
    #[serde(default)]
    pub seed_offset: u64,
    /// What the paper prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperFigures>,
}

/// Which vectors of an iteration are studied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Vectors {
    /// The gradients.
    #[default]
    Gradients,
    /// The update vectors that an optimiser makes of the gradients at the fixed position, its state advancing; without
    /// the learning rate.
    Updates {
        /// The update rule.
        optimiser: Optimiser,
        /// The L2 penalty.
        #[serde(default)]
        weight_decay: f64,
    },
}

/// Along which axis of G the entries are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Over the parameters, for each iteration.
    Dimension,
    /// Over the iterations, for each parameter.
    Iteration,
}

/// What a row tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Analysis {
    /// The largest values of a spectrum for a power law (Eq. 1 and 2).
    Spectrum {
        /// Whose spectrum.
        matrix: Matrix,
        /// Which of its values.
        #[serde(default)]
        values: SpectrumValues,
        /// K, how many of the largest values are tested.
        #[serde(default = "thousand")]
        top: usize,
    },
    /// The entries of G, for power laws and normality (Eq. 1 to 3).
    Entries {
        /// Along which axis.
        along: Axis,
        /// K, how many of the largest absolute values are tested.
        #[serde(default = "thousand")]
        top: usize,
        /// The reading of samples with fewer than K positive absolute values.
        #[serde(default)]
        zeros: ZeroReading,
        /// The reading of samples that are all zero.
        #[serde(default)]
        all_zero: AllZeroReading,
        /// The reading of constant samples' p-values.
        #[serde(default)]
        undefined_p: UndefinedPReading,
        /// Tests a random sample of this many parameters, iteration-wise, where G is too large to be held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sampled_parameters: Option<usize>,
    },
}

impl Analysis {
    /// K.
    pub fn top(&self) -> usize {
        match *self {
            Self::Spectrum { top, .. } | Self::Entries { top, .. } => top,
        }
    }
}

/// A matrix of the gradients' second order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matrix {
    /// (1/T) Σ (g_t − ḡ)(g_t − ḡ)ᵀ.
    Covariance,
    /// (1/T) Σ g_t g_tᵀ.
    SecondMoment,
}

/// Which values of a spectrum are tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpectrumValues {
    /// The eigenvalues.
    #[default]
    Eigenvalues,
    /// The gaps of the whole spectrum, of which the largest are tested.
    Eigengaps,
    /// The gaps of the top K + 1 eigenvalues.
    TopEigengaps,
}

/// The paper's figures for a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PaperFigures {
    /// d_ks.
    pub d_ks: f64,
    /// Whether it calls the values a power law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_law: Option<bool>,
    /// ŝ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<f64>,
    /// In how many percent of the samples of entries it accepts a power law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_law_percent: Option<f64>,
    /// The mean p-value of the normality tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// In how many percent of the samples it does not reject normality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaussian_percent: Option<f64>,
}

fn one() -> usize {
    1
}

fn thousand() -> usize {
    1000
}

fn five_thousand() -> usize {
    5000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExperimentFile {
    title: String,
    #[serde(default)]
    caption: String,
    #[serde(default)]
    trainings: BTreeMap<String, toml::Table>,
    #[serde(default)]
    defaults: toml::Table,
    #[serde(rename = "row")]
    rows: Vec<toml::Table>,
}

impl Experiment {
    /// Reads the experiment file at `path`; the files that its rows name are taken relative to its folder.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, has an unknown key, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, "read", source))?;
        let mut experiment = Self::parse(&name, &text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for row in &mut experiment.rows {
            for file in [&mut row.weights, &mut row.minibatches].into_iter().flatten() {
                *file = folder.join(&*file);
            }
        }
        Ok(experiment)
    }

    /// Parses the text of an experiment file; `source` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: &str, source: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::Experiment { path: source.to_owned(), reason };
        let file: ExperimentFile = toml::from_str(text).map_err(|error| refuse(in_one_line(&error, text)))?;
        let mut ids = BTreeSet::new();
        let mut rows = Vec::with_capacity(file.rows.len());
        for (index, table) in file.rows.into_iter().enumerate() {
            let label = match table.get("id").and_then(toml::Value::as_str) {
                Some(id) => format!("row {id}"),
                None => format!("row {}", index + 1),
            };
            let refuse = |reason: String| refuse(format!("{label}: {reason}"));
            let table = name_training(merged(file.defaults.clone(), table), &file.trainings).map_err(refuse)?;
            let row: Row = table.try_into().map_err(|error: toml::de::Error| refuse(in_one_line(&error, "")))?;
            row.check().map_err(refuse)?;
            if !ids.insert(row.id.clone()) {
                return Err(refuse("two rows have this id; give each its own".to_owned()));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(refuse("has no row; write at least one [[row]]".to_owned()));
        }
        Ok(Self { name: name.to_owned(), title: file.title, caption: file.caption, rows })
    }

    /// Refuses rows whose values do not fit each other.
    ///
    /// # Errors
    ///
    /// The first such row.
    pub fn check(&self) -> Result<()> {
        for row in &self.rows {
            row.check().map_err(|reason| Error::Experiment {
                path: format!("{}.toml", self.name).into(),
                reason: format!("row {}: {reason}", row.id),
            })?;
        }
        Ok(())
    }

    /// Keeps the rows of `experiments` that are named, and the experiments that have one.
    ///
    /// # Errors
    ///
    /// A name that is no row's id.
    pub fn select(experiments: &mut Vec<Self>, ids: &[String]) -> Result<()> {
        let rows = || experiments.iter().flat_map(|experiment| &experiment.rows);
        if let Some(unknown) = ids.iter().find(|id| rows().all(|row| row.id != **id)) {
            let known: Vec<_> = rows().map(|row| row.id.as_str()).collect();
            let names: Vec<_> = experiments.iter().map(|experiment| experiment.name.as_str()).collect();
            return Err(Error::NoSuchRow {
                row: unknown.clone(),
                experiment: names.join(", "),
                known: known.join(", "),
            });
        }
        for experiment in experiments.iter_mut() {
            experiment.rows.retain(|row| ids.contains(&row.id));
        }
        experiments.retain(|experiment| !experiment.rows.is_empty());
        Ok(())
    }
}

impl Row {
    /// Where the gradients are taken: `Random`, `Pretrain` or `Weights`.
    pub fn position_title(&self) -> &'static str {
        match (&self.weights, &self.training) {
            (Some(_), _) => "Weights",
            (None, Some(_)) => "Pretrain",
            (None, None) => "Random",
        }
    }

    /// Shortens the row for a trial: T = 2000 and one epoch of training at most.
    pub fn shorten(&mut self) {
        const ITERATIONS: usize = 2000;
        self.iterations = self.iterations.min(ITERATIONS);
        self.train_for(1);
    }

    /// Trains for at most `epochs`.
    pub fn train_for(&mut self, epochs: usize) {
        if let Some(training) = &mut self.training {
            training.epochs = training.epochs.min(epochs);
        }
    }

    /// Refuses values that fit no run, with the value, what is expected and the mend.
    fn check(&self) -> std::result::Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if self.id.is_empty() || self.id.starts_with('.') || !self.id.chars().all(plain) {
            return Err(format!("id is {:?}; use letters, digits, - and . only", self.id));
        }
        if self.batch_size == 0 {
            return Err("batch-size is 0; it must be at least 1".to_owned());
        }
        if self.iterations < 2 {
            return Err(format!("iterations is {}; it must be at least 2", self.iterations));
        }
        if let Some(threshold) = self.gradient_clipping
            && (!threshold.is_finite() || threshold <= 0.0)
        {
            return Err(format!("gradient-clipping is {threshold}; it must be a positive number"));
        }
        if self.training.is_some() && self.weights.is_some() {
            return Err("training and weights are both given; give one".to_owned());
        }
        if let Some(Training { augmentation: Augmentation::CropAndFlip, .. }) = self.training
            && self.data_set == DataSet::Avila
        {
            return Err("augmentation is crop-and-flip; Avila has no images: leave it out".to_owned());
        }
        if let Some(Training { epochs: 0, .. } | Training { batch: 0, .. }) = self.training {
            return Err("training has 0 epochs or batch 0; both must be at least 1".to_owned());
        }
        if let Vectors::Updates { weight_decay, .. } = self.vectors {
            if !weight_decay.is_finite() || weight_decay < 0.0 {
                return Err(format!("weight-decay is {weight_decay}; it must be a number from 0 on"));
            }
            if self.gradient_clipping.is_some() {
                return Err("gradient-clipping is given with updates; leave one out".to_owned());
            }
        }
        if self.gradient_clipping.is_some() && matches!(self.analysis, Analysis::Entries { .. }) {
            return Err("gradient-clipping is given with a test of entries; leave it out".to_owned());
        }
        match self.minibatches {
            None => self.check_top(self.iterations),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a K that T iterations do not give.
    pub(crate) fn check_top(&self, iterations: usize) -> std::result::Result<(), String> {
        let available = match self.analysis {
            Analysis::Spectrum { values: SpectrumValues::Eigenvalues, .. } => iterations,
            Analysis::Spectrum { .. } => iterations - 1,
            Analysis::Entries { along: Axis::Iteration, .. } => iterations,
            Analysis::Entries { along: Axis::Dimension, .. } => usize::MAX,
        };
        match self.analysis.top() {
            top if (2..=available).contains(&top) => Ok(()),
            top => Err(format!("top is {top}; with {iterations} iterations it must be 2 to {available}")),
        }
    }
}

/// `table` over `defaults`; sub-tables are merged as long as they are of one `kind`.
fn merged(mut defaults: toml::Table, table: toml::Table) -> toml::Table {
    for (key, value) in table {
        let value = match (defaults.remove(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above))
                if above.get("kind").is_none_or(|kind| below.get("kind") == Some(kind)) =>
            {
                toml::Value::Table(merged(below, above))
            }
            (_, value) => value,
        };
        defaults.insert(key, value);
    }
    defaults
}

/// Puts the schedule in place of its name; the name `none` stands for no training.
fn name_training(
    mut row: toml::Table,
    trainings: &BTreeMap<String, toml::Table>,
) -> std::result::Result<toml::Table, String> {
    let Some(name) = row.get("training").and_then(toml::Value::as_str) else {
        return Ok(row);
    };
    if name == "none" {
        row.remove("training");
        return Ok(row);
    }
    let Some(schedule) = trainings.get(name) else {
        let known: Vec<_> = trainings.keys().map(String::as_str).chain(["none"]).collect();
        return Err(format!("training is {name:?}; expected one of {}", known.join(", ")));
    };
    row.insert("training".to_owned(), toml::Value::Table(schedule.clone()));
    Ok(row)
}

fn in_one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) if !text.is_empty() => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        _ => error.to_string().trim().replace('\n', " "),
    }
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;
