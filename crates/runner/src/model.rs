//! The networks that experiments name.

use std::fmt;

use burn::tensor::Device;
use gradspectra_models::{Classifier, LeNetConfig};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A network of an experiment file; inputs and classes follow from the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum ModelSpec {
    /// The convolutional network of §A.1.
    #[serde(rename = "lenet")]
    LeNet {
        /// Pads the first convolution by 2.
        #[serde(default)]
        padded: bool,
    },
}

/// What is done with a network, whatever its type.
pub(crate) trait ModelTask {
    /// What comes of it.
    type Output;

    /// Does it with `model`, fresh from its configuration.
    fn run<M: Classifier>(self, model: M) -> Result<Self::Output>;
}

impl ModelSpec {
    /// Builds the network for inputs of `shape` on `device` and hands it to `task`.
    ///
    /// # Errors
    ///
    /// The network cannot take such inputs, or `task` fails.
    pub(crate) fn with<T: ModelTask>(
        self,
        shape: &[usize],
        classes: usize,
        device: &Device,
        task: T,
    ) -> Result<T::Output> {
        match self {
            Self::LeNet { padded } => {
                let image = self.image(shape)?;
                task.run(LeNetConfig::new(image).with_classes(classes).with_padded(padded).init(device))
            }
        }
    }

    fn image(self, shape: &[usize]) -> Result<[usize; 3]> {
        shape.try_into().map_err(|_| Error::Setting {
            name: "model",
            found: self.to_string(),
            mend: format!("it takes images, and the data set has inputs of {shape:?}"),
        })
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeNet { padded: false } => formatter.write_str("LeNet"),
            Self::LeNet { padded: true } => formatter.write_str("LeNet (padded)"),
        }
    }
}
