//! What to run: experiment files and their rows.

mod check;
mod parse;

use std::path::PathBuf;
use std::sync::Arc;

use gradspectra_analysis::{AllZeroReading, UndefinedPReading, ZeroReading};
use gradspectra_data::{Cifar100Labels, LabelCorruption, LoadOptions, Normalisation, Sampling};
use gradspectra_models::{Initialisation, Optimiser, Training};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::minibatches;
use crate::subject::{DataSpec, Measured, ModelSpec, measured};

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
    /// The table and row that this is another reading of, e.g. `table-5 pretrain-b1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading_of: Option<String>,
    /// The data set, of which the training examples are used.
    pub data_set: DataSpec,
    /// How pixels become inputs.
    #[serde(default)]
    pub normalisation: Normalisation,
    /// Which labels CIFAR-100 has.
    #[serde(default)]
    pub cifar_100_labels: Cifar100Labels,
    /// What is done to the labels, before training and capture.
    #[serde(default)]
    pub labels: LabelCorruption,
    /// What is done to the labels at capture alone, after the training.
    #[serde(default, skip_serializing_if = "is_default")]
    pub capture_labels: LabelCorruption,
    /// What the network sees at capture.
    #[serde(default, skip_serializing_if = "is_default")]
    pub capture_inputs: CaptureInputs,
    /// The network.
    pub model: ModelSpec,
    /// How its parameters are drawn.
    #[serde(default)]
    pub initialisation: Initialisation,
    /// How it is trained before the capture; random parameters without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Parameters to load (SafeTensors, PyTorch's `.pt` or Burn's `.bpk`) in place of drawing and training them; relative to the
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

/// What the network sees at capture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureInputs {
    /// The data set's inputs.
    #[default]
    Data,
    /// Independent standard normal numbers in their place.
    GaussianNoise,
}

impl CaptureInputs {
    /// Whether they are not the data set's.
    pub fn is_noise(self) -> bool {
        self == Self::GaussianNoise
    }
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
    /// The gradients along a run that starts at the position and takes a step with each of them.
    AlongRun {
        /// The update rule.
        optimiser: Optimiser,
        /// The learning rate.
        learning_rate: f64,
        /// The L2 penalty of the steps; the gradients are without it.
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

impl Experiment {
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

    /// The readings of the data set.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions { normalisation: self.normalisation, cifar_100_labels: self.cifar_100_labels }
    }

    /// What is known of the row's network for its data; of none where they do not fit, as
    /// [`check_fit`](Self::check_fit) tells.
    pub(crate) fn measured(&self) -> Arc<Measured> {
        measured(&self.model, &self.data_set, self.load_options()).unwrap_or_default()
    }

    /// Refuses a network, data and minibatches that do not fit each other or the row, before anything is done with them.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub(crate) fn check_fit(&self) -> Result<()> {
        let measured = measured(&self.model, &self.data_set, self.load_options())?;
        let examples = measured.examples;
        if let Some(batch) = self.training.as_ref().map(|training| training.batch).filter(|batch| *batch > examples) {
            let reason = format!(
                "the training's batch is {batch}, and {} has {examples} examples: give at most as many",
                self.data_set
            );
            return Err(Error::Unfit { reason });
        }
        if measured.mixes && self.minibatches.is_none() && self.batch_size < 2 {
            let reason = "batch-size is 1, and the network mixes the examples of a minibatch, as batch-norm does: give at least 2";
            return Err(Error::Unfit { reason: reason.to_owned() });
        }
        let (top, parameters) = (self.analysis.top(), measured.parameters);
        if let Analysis::Entries { along: Axis::Dimension, .. } = self.analysis
            && top > parameters
        {
            let reason = format!("top is {top}, and the network has {parameters} parameters: give at most as many");
            return Err(Error::Unfit { reason });
        }
        minibatches::check(self, measured.examples)
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
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;
