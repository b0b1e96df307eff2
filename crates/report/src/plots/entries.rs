//! Histograms of the tests of entries.

use gradspectra_experiment::{Analysis, Axis, EntriesFinding, Histogram, RowResult};
use gradspectra_files::counted;

use super::axis::{Frame, Scale, Sign};
use super::figure::{Ink, Mark, Panel};
use super::text::number;

/// The level of the normality tests (§A.1).
const LEVEL: f64 = 0.05;

/// The panels of tests of entries: the distances d_ks, and the p-values of the normality tests.
pub(super) fn panels(result: &RowResult, finding: &EntriesFinding) -> Vec<Panel> {
    let along = match result.row.analysis {
        Analysis::Entries { along: Axis::Iteration, .. } => "iteration-wise",
        _ => "dimension-wise",
    };
    let summary = &finding.summary;
    let percent = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.2}%", 100.0 * rate));
    let mean = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| number(value, 3));
    let distances = Bars {
        title: format!("Power-law tests, {along}"),
        x_label: "KS distance d_{ks}",
        histogram: &finding.d_ks_histogram,
        threshold: summary.d_c,
        legend: [
            format!("mean d_{{ks}} = {}", mean(summary.mean_ks.map(|ks| ks.two_sided))),
            format!("d_{{c}} = {}", number(summary.d_c, 3)),
            format!("power laws: {}", percent(summary.power_law_rate)),
        ],
    };
    let p_values = Bars {
        title: format!("Normality tests, {along}"),
        x_label: "p-value",
        histogram: &finding.p_value_histogram,
        threshold: LEVEL,
        legend: [
            format!("mean p = {}", mean(summary.mean_p_value)),
            format!("p = {LEVEL}"),
            format!("Gaussian: {}", percent(summary.gaussian_rate)),
        ],
    };
    vec![distances.panel(), p_values.panel()]
}

struct Bars<'a> {
    title: String,
    x_label: &'static str,
    histogram: &'a Histogram,
    threshold: f64,
    legend: [String; 3],
}

impl Bars<'_> {
    fn panel(&self) -> Panel {
        let counts = &self.histogram.0;
        let total: u64 = counts.iter().sum();
        let width = 1.0 / counts.len().max(1) as f64;
        let filled = counts.iter().rposition(|count| *count > 0).map_or(0.0, |last| (last + 1) as f64 * width);
        let end = [0.1, 0.2, 0.5].into_iter().find(|end| filled.max(1.2 * self.threshold) <= *end).unwrap_or(1.0);
        let share = |count: u64| 100.0 * count as f64 / total.max(1) as f64;
        let highest = share(counts.iter().copied().max().unwrap_or_default()).max(1.0);
        let frame = Frame {
            x: Scale::Linear { from: 0.0, to: end, labelled: end },
            y: Scale::Linear { from: 0.0, to: 1.45 * highest, labelled: 100.0 },
        };
        let mut marks = frame.marks(&self.title, self.x_label, "share of the samples (%)");
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, &count)| {
            let (from, to) = (index as f64 * width, (index + 1) as f64 * width);
            let (left, top) = frame.at(from, share(count));
            let (right, bottom) = frame.at(to, 0.0);
            [(left + 0.3, top), (right - 0.3, bottom)]
        });
        marks.push(Mark::Bars { bars: bars.collect() });
        marks.push(Mark::Segments { ink: Ink::Mark, lines: vec![frame.below(self.threshold, 1.02 * highest)] });
        let [mean, threshold, rate] = self.legend.clone();
        let samples = counted(total as usize, "samples");
        let description = format!("{} of {samples}: {mean}, {rate}, {threshold} marked.", self.title)
            .replace("_{", "_")
            .replace('}', "");
        let samples = (Sign::Bar, samples);
        let lines = [(Sign::None, mean), (Sign::Line(Ink::Mark), threshold), (Sign::None, rate)];
        marks.extend(Frame::legend(&[&[samples][..], &lines[..]].concat()));
        Panel { description, marks }
    }
}
