//! A training in four panels: loss, exponent, KS distance and effective rank.

use gradspectra_experiment::{Track, TrackPoint};
use gradspectra_files::counted;

use super::axis::{Frame, Scale, Sign};
use super::figure::{Ink, Mark, Panel, Sheet};
use super::text::number;

pub(super) fn sheet(track: &Track) -> Sheet {
    let row = &track.row;
    let training = row.training.as_ref().map_or_else(String::new, |training| {
        format!(", {} of batch {}", counted(training.epochs, "epochs"), training.batch)
    });
    let (batch, iterations, top) = (row.batch_size, row.iterations, row.analysis.top());
    Sheet {
        heading: [
            format!("{} {}, seed {}, every {}", track.experiment, row.id, track.seed, counted(track.every, "steps")),
            format!("{} on {}{training}; B = {batch}, T = {iterations}, K = {top}", row.model, row.data_set),
        ],
        panels: panels(track),
    }
}

fn panels(track: &Track) -> Vec<Panel> {
    let values = |value: &dyn Fn(&TrackPoint) -> Option<f64>| -> Vec<(f64, f64)> {
        track.points.iter().filter_map(|point| Some((point.step as f64, value(point)?))).collect()
    };
    let last = track.points.last().map_or(1.0, |point| point.step.max(1) as f64);
    let curve = |title, y_label, values, threshold| Curve { title, y_label, values, threshold, last }.panel();
    let d_c = track.points.iter().find_map(|point| Some(point.power_law.as_ref()?.d_c));
    vec![
        curve("Loss on the training examples", "mean cross-entropy", values(&|point| Some(point.loss)), None),
        curve("Exponent of the power law", "s", values(&|point| Some(point.power_law.as_ref()?.s)), None),
        curve("KS distance", "d_{ks}", values(&|point| Some(point.power_law.as_ref()?.d_ks)), d_c),
        curve("Effective rank", "exp of the entropy of λ/Σλ", values(&|point| point.spectrum.effective_rank), None),
    ]
}

struct Curve {
    title: &'static str,
    y_label: &'static str,
    values: Vec<(f64, f64)>,
    /// Drawn across, the axis beginning at zero.
    threshold: Option<f64>,
    last: f64,
}

impl Curve {
    fn panel(&self) -> Panel {
        let drawn = self.values.iter().map(|(_, value)| *value);
        let frame = Frame {
            x: Scale::Linear { from: 0.0, to: 1.02 * self.last, labelled: self.last },
            y: match self.threshold {
                Some(threshold) => {
                    let highest = drawn.clone().fold(threshold, f64::max);
                    Scale::Linear { from: 0.0, to: 1.35 * highest, labelled: 1.35 * highest }
                }
                None => Scale::linear(drawn),
            },
        };
        let mut marks = frame.marks(self.title, "steps of training", self.y_label);
        let points: Vec<_> = self.values.iter().map(|&(step, value)| frame.at(step, value)).collect();
        let mut legend = Vec::new();
        if let Some(threshold) = self.threshold {
            let ends = [frame.at(0.0, threshold), frame.at(1.02 * self.last, threshold)];
            marks.push(Mark::Segments { ink: Ink::Mark, lines: vec![ends] });
            legend = vec![
                (Sign::Dot, "d_{ks}, a power law below d_{c}".to_owned()),
                (Sign::Line(Ink::Mark), format!("d_{{c}} = {}", number(threshold, 3))),
            ];
        }
        marks.push(Mark::Line { ink: Ink::Axis, points: points.clone() });
        marks.push(Mark::Dots { points });
        marks.extend(Frame::legend(&legend));
        Panel { description: self.description(), marks }
    }

    fn description(&self) -> String {
        match (self.values.first(), self.values.last()) {
            (Some((from, first)), Some((to, last))) => {
                let (first, last) = (number(*first, 3), number(*last, 3));
                format!("{}: {first} at step {from}, {last} at step {to}.", self.title)
            }
            _ => format!("{}: none.", self.title),
        }
    }
}
