//! Whether a row's network, data and minibatches fit each other.

use std::sync::Arc;

use gradspectra_experiment::{Analysis, Axis, MINIBATCHES, Row};

use crate::error::{Error, Result};
use crate::minibatches;
use crate::subject::{Measured, measured};

/// What is known of the row's network for its data; of none where they do not fit, as [`check_fit`] tells.
pub(crate) fn measured_of(row: &Row) -> Arc<Measured> {
    measured(&row.model, &row.data_set, row.load_options()).unwrap_or_default()
}

/// Refuses a network, data and minibatches that do not fit each other or the row, before anything is done with them.
///
/// # Errors
///
/// What does not fit.
pub(crate) fn check_fit(row: &Row) -> Result<()> {
    let measured = measured(&row.model, &row.data_set, row.load_options())?;
    let examples = measured.examples;
    if let Some(batch) = row.training.as_ref().map(|training| training.batch).filter(|batch| *batch > examples) {
        let reason = format!(
            "the training's batch is {batch}, and {} has {examples} examples: give at most as many",
            row.data_set
        );
        return Err(Error::Unfit { reason });
    }
    if let Some(training) = row.training.as_ref().filter(|training| training.warm_up >= training.steps(examples)) {
        let (warm_up, steps) = (training.warm_up, training.steps(examples));
        let reason = format!("the training's warm-up is {warm_up}, and it has {steps} steps: give fewer");
        return Err(Error::Unfit { reason });
    }
    if measured.mixes && row.sized()?.batch_size < 2 {
        return Err(match &row.minibatches {
            None => Error::Unfit {
                reason:
                    "batch-size is 1, and the network mixes the examples of a minibatch, as batch-norm does: give at \
                         least 2"
                        .to_owned(),
            },
            Some(path) => Error::malformed(
                path,
                "minibatches of 1 example for a network that mixes examples, as batch-norm does",
                MINIBATCHES,
            ),
        });
    }
    let (top, parameters) = (row.analysis.top(), measured.parameters);
    if let Analysis::Entries { along: Axis::Dimension, .. } = row.analysis
        && top > parameters
    {
        let reason = format!("top is {top}, and the network has {parameters} parameters: give at most as many");
        return Err(Error::Unfit { reason });
    }
    minibatches::check(row, examples)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
