//! What was seen along a training.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::result::SpectrumSummary;
use crate::row::Row;

/// What was seen of a row's spectrum along its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Track {
    /// The program and its version.
    pub program: String,
    /// The SHA-256 of what made the row's result.
    pub task: String,
    /// The experiment's name.
    pub experiment: String,
    /// The row.
    pub row: Row,
    /// The seed of the run.
    pub seed: u64,
    /// The backend.
    pub backend: Backend,
    /// The steps from one capture to the next.
    pub every: usize,
    /// The captures, the first before the training and the last after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<TrackPoint>,
}

/// A capture during a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrackPoint {
    /// The steps that were done.
    pub step: usize,
    /// The epochs that were done.
    pub epoch: f64,
    /// The mean cross-entropy over the training examples, in evaluation mode.
    pub loss: f64,
    /// The fitted law; `None` where the values are unfit for one.
    pub power_law: Option<TrackedLaw>,
    /// The whole spectrum in short.
    pub spectrum: SpectrumSummary,
}

/// A power law in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrackedLaw {
    /// ŝ.
    pub s: f64,
    /// d_ks.
    pub d_ks: f64,
    /// d_c.
    pub d_c: f64,
    /// Whether d_ks is below d_c.
    pub accepted: bool,
    /// The Monte-Carlo p-value.
    pub p_value: f64,
}

impl TrackedLaw {
    /// The verdict: `Yes` or `No`.
    pub fn verdict(&self) -> &'static str {
        if self.accepted { "Yes" } else { "No" }
    }
}

impl fmt::Display for TrackPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "step {:>6}  loss {:.4}", self.step, self.loss)?;
        match self.power_law {
            Some(law) => {
                write!(formatter, "  s {:.3}  d_ks {:.4}  law {:<3}", law.s, law.d_ks, law.verdict())?;
            }
            None => {
                let rank = self.spectrum.rank.map_or_else(String::new, |rank| format!(" to a spectrum of rank {rank}"));
                write!(formatter, "  no fit{rank}")?;
            }
        }
        match self.spectrum.effective_rank {
            Some(rank) => write!(formatter, "  effective rank {rank:.1}"),
            None => Ok(()),
        }
    }
}
