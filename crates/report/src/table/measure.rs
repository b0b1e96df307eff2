//! Means over seeds, and how numbers are printed.

use serde::Serialize;

/// A mean over seeds, with the deviation where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measure {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation, of at least two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
}

impl Measure {
    /// The mean and deviation of what `value` gives of `items`, `None` where it gives nothing.
    pub(super) fn over<T>(items: &[T], value: impl Fn(&T) -> Option<f64>) -> Option<Self> {
        Self::of(&items.iter().filter_map(value).collect::<Vec<_>>())
    }

    /// The mean and deviation of `values`, `None` where there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (values.len() > 1).then(|| (spread / (count - 1.0)).sqrt());
        (!values.is_empty()).then_some(Self { mean, deviation })
    }

    pub(crate) fn rounded(self, digits: usize) -> String {
        match self.deviation {
            None => format!("{:.digits$}", self.mean),
            Some(deviation) => format!("{:.digits$}±{deviation:.digits$}", self.mean),
        }
    }
}

pub(crate) fn rounded(measure: Option<Measure>, digits: usize) -> String {
    measure.map_or_else(String::new, |measure| measure.rounded(digits))
}

pub(super) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

/// A probability to three digits, in powers of ten where it is small.
pub(super) fn probability(value: Option<f64>) -> String {
    value.map_or_else(String::new, |p| if p < 0.01 { format!("{p:.1e}") } else { format!("{p:.3}") })
}

/// The mean of probabilities, with the deviation where there are several.
pub(super) fn probabilities(measure: Option<Measure>) -> String {
    let deviation = measure.and_then(|measure| measure.deviation);
    let deviation = deviation.map_or_else(String::new, |deviation| format!("±{}", probability(Some(deviation))));
    probability(measure.map(|measure| measure.mean)) + &deviation
}

/// Whole seconds.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { "<1".to_owned() } else { format!("{seconds:.0}") }
}
