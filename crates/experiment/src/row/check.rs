//! Which values fit each other.

use gradspectra_data::{Cifar100Labels, LabelCorruption, LoadOptions};
use gradspectra_settings::{Augmentation, Training};

use super::{Analysis, Axis, Experiment, Matrix, Row, SpectrumValues, Vectors};
use crate::error::{Error, Result};

impl Experiment {
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
}

/// The most iterations, and examples of a minibatch.
const MOST: usize = 1 << 32;

impl Row {
    /// Refuses values that fit no run, with the value, what is expected and the mend.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        if let Some(reason) = self.model.unregistered().or_else(|| self.data_set.unregistered()) {
            return Err(reason);
        }
        self.check_sizes()?;
        self.check_data()?;
        self.check_position()?;
        self.check_vectors()?;
        if let Analysis::Entries { sampled_parameters: Some(0), .. } = self.analysis {
            return Err("sampled-parameters is 0; give at least 1, or leave it out".to_owned());
        }
        match self.minibatches {
            None => self.check_top(),
            Some(_) => Ok(()),
        }
    }

    fn check_sizes(&self) -> std::result::Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if self.id.starts_with("table.") {
            return Err(format!("id is {:?}; the table's own files begin so: give another", self.id));
        }
        if self.id.is_empty() || self.id.starts_with('.') || !self.id.chars().all(plain) {
            return Err(format!("id is {:?}; use letters, digits, - and . only", self.id));
        }
        if !(1..=MOST).contains(&self.batch_size) {
            return Err(format!("batch-size is {}; it must be 1 to 2^32", self.batch_size));
        }
        if !(2..=MOST).contains(&self.iterations) {
            return Err(format!("iterations is {}; it must be 2 to 2^32", self.iterations));
        }
        if self.seed_offset >= 1 << 32 {
            return Err(format!("seed-offset is {}; it must be below 2^32", self.seed_offset));
        }
        Ok(())
    }

    /// Refuses what the data set does not have.
    fn check_data(&self) -> std::result::Result<(), String> {
        let (source, title) = (self.data_set.settings(), &self.data_set);
        let augmented =
            self.training.as_ref().is_some_and(|training| training.augmentation == Augmentation::CropAndFlip);
        if augmented && !source.has_images() {
            return Err(format!("augmentation is crop-and-flip; {title} has no images: leave it out"));
        }
        let corrupted = [self.labels, self.capture_labels].iter().any(|labels| *labels != LabelCorruption::None);
        let read = self.load_options() != LoadOptions::default();
        if !source.is_labelled() && (corrupted || read || self.capture_inputs.is_noise()) {
            return Err(format!(
                "data-set is {title}, which has none of normalisation, cifar-100-labels, labels, capture-labels and \
                 capture-inputs: leave them out"
            ));
        }
        if self.cifar_100_labels != Cifar100Labels::default() && !source.has_coarse_labels() {
            return Err(format!("cifar-100-labels is coarse; {title} has no coarse labels: leave it out"));
        }
        Ok(())
    }

    fn check_position(&self) -> std::result::Result<(), String> {
        for labels in [self.labels, self.capture_labels] {
            if let LabelCorruption::SymmetricNoise { rate } = labels
                && !(0.0..=1.0).contains(&rate)
            {
                return Err(format!("the rate of label noise is {rate}; it must be 0 to 1"));
            }
        }
        let Some(training) = &self.training else { return Ok(()) };
        if self.weights.is_some() {
            return Err("training and weights are both given; give one".to_owned());
        }
        check_training(training)
    }

    fn check_vectors(&self) -> std::result::Result<(), String> {
        match self.vectors {
            Vectors::Gradients => {}
            Vectors::Updates { weight_decay, .. } => check_weight_decay(weight_decay)?,
            Vectors::AlongRun { learning_rate, weight_decay, .. } => {
                check_learning_rate(learning_rate)?;
                check_weight_decay(weight_decay)?;
            }
        }
        let Some(threshold) = self.gradient_clipping else { return Ok(()) };
        if !threshold.is_finite() || threshold <= 0.0 {
            return Err(format!("gradient-clipping is {threshold}; it must be a positive number"));
        }
        if self.vectors != Vectors::Gradients {
            return Err("gradient-clipping is given with other vectors than gradients; leave one out".to_owned());
        }
        if matches!(self.analysis, Analysis::Entries { .. }) {
            return Err("gradient-clipping is given with a test of entries; leave it out".to_owned());
        }
        Ok(())
    }

    /// Refuses a K that the row's iterations do not give.
    pub(super) fn check_top(&self) -> std::result::Result<(), String> {
        let iterations = self.iterations;
        let available = match self.analysis {
            Analysis::Spectrum { matrix: Matrix::SecondMoment, values: SpectrumValues::Eigenvalues, .. } => iterations,
            Analysis::Spectrum { .. } => iterations - 1,
            Analysis::Entries { along: Axis::Iteration, .. } => iterations,
            Analysis::Entries { along: Axis::Dimension, .. } => usize::MAX,
        };
        if available < 2 {
            let least = iterations + 2 - available;
            return Err(format!(
                "iterations is {iterations}; a fit to the values of its analysis needs at least {least}"
            ));
        }
        match self.analysis.top() {
            top if (2..=available).contains(&top) => Ok(()),
            top if top == super::thousand() => Err(format!(
                "top is {top}, as where none is given; with {iterations} iterations it must be 2 to {available}: give another"
            )),
            top => Err(format!("top is {top}; with {iterations} iterations it must be 2 to {available}")),
        }
    }
}

fn check_training(training: &Training) -> std::result::Result<(), String> {
    for (name, value) in [("epochs", training.epochs), ("batch", training.batch)] {
        if value == 0 {
            return Err(format!("training.{name} is 0; it must be at least 1"));
        }
    }
    check_learning_rate(training.learning_rate)?;
    check_weight_decay(training.weight_decay)?;
    check_decay(training)?;
    match training.milestones.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        Some(share) => Err(format!("a milestone is {share}; milestones are shares of the epochs, 0 to 1")),
        None => Ok(()),
    }
}

fn check_decay(training: &Training) -> std::result::Result<(), String> {
    let Training { decay, least_learning_rate: least, learning_rate, milestones, gradient_clipping, .. } = training;
    if decay.is_some() && !milestones.is_empty() {
        return Err("training has a decay and milestones; leave one of them out, milestones = []".to_owned());
    }
    match (decay, least) {
        (None, Some(_)) => {
            return Err("least-learning-rate is given without decay = \"cosine\"; give both or none".into());
        }
        (Some(_), Some(least)) if !(0.0..=*learning_rate).contains(least) => {
            return Err(format!("least-learning-rate is {least}; it must be 0 to {learning_rate}, the learning-rate"));
        }
        _ => {}
    }
    match gradient_clipping {
        Some(norm) if !(norm.is_finite() && *norm > 0.0) => {
            Err(format!("training.gradient-clipping is {norm}; it must be a positive number"))
        }
        _ => Ok(()),
    }
}

fn check_learning_rate(learning_rate: f64) -> std::result::Result<(), String> {
    match learning_rate.is_finite() && learning_rate > 0.0 {
        true => Ok(()),
        false => Err(format!("learning-rate is {learning_rate}; it must be a positive number")),
    }
}

fn check_weight_decay(weight_decay: f64) -> std::result::Result<(), String> {
    match weight_decay.is_finite() && weight_decay >= 0.0 {
        true => Ok(()),
        false => Err(format!("weight-decay is {weight_decay}; it must be a number from 0 on")),
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
