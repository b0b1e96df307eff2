//! Tracks as text.

use clap::ValueEnum;
use gradspectra_experiment::{SpectrumSummary, Track, TrackPoint, TrackedLaw};
use gradspectra_files::counted;

use crate::table::{csv_line, wrapped};

/// A format of tracks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TrackFormat {
    /// A line a capture.
    #[default]
    Text,
    /// An array of JSON objects, one a row and seed.
    Json,
    /// Comma-separated values, unrounded.
    Csv,
}

const HEADER: [&str; 18] = [
    "experiment",
    "row",
    "seed",
    "step",
    "epoch",
    "loss",
    "s",
    "d-ks",
    "d-c",
    "power-law",
    "p-value",
    "effective-rank",
    "participation-ratio",
    "top-ten-share",
    "largest-eigenvalue",
    "trace",
    "rank",
    "rounding",
];

impl TrackFormat {
    /// `tracks` in this format.
    pub fn text(self, tracks: &[Track]) -> String {
        match self {
            Self::Text => tracks.iter().map(text).collect::<Vec<_>>().join("\n"),
            Self::Json => serde_json::to_string_pretty(tracks).expect("a track is plain data") + "\n",
            Self::Csv => {
                let points = tracks.iter().flat_map(|track| track.points.iter().map(|point| cells(track, point)));
                let lines = std::iter::once(HEADER.map(str::to_owned)).chain(points);
                lines.map(|cells| csv_line(&cells)).collect()
            }
        }
    }
}

fn text(track: &Track) -> String {
    let (experiment, row, seed, every) = (&track.experiment, &track.row, track.seed, track.every);
    let every = counted(every, "steps");
    let title = format!("{experiment} {}, seed {seed}: {} on {}, every {every}", row.id, row.model, row.data_set);
    let points = track.points.iter().map(ToString::to_string);
    wrapped(&title).into_iter().chain(points).collect::<Vec<_>>().join("\n") + "\n"
}

fn cells(track: &Track, point: &TrackPoint) -> [String; 18] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let law = point.power_law;
    [
        track.experiment.clone(),
        track.row.id.clone(),
        track.seed.to_string(),
        point.step.to_string(),
        point.epoch.to_string(),
        point.loss.to_string(),
        number(law.map(|law| law.s)),
        number(law.map(|law| law.d_ks)),
        number(law.map(|law| law.d_c)),
        law.map_or("", |law| law.verdict()).to_owned(),
        number(law.map(|law| law.p_value)),
        number(point.spectrum.effective_rank),
        number(point.spectrum.participation_ratio),
        number(point.spectrum.top_ten_share),
        point.spectrum.largest.to_string(),
        point.spectrum.trace.to_string(),
        point.spectrum.rank.map_or_else(String::new, |rank| rank.to_string()),
        number(point.spectrum.rounding),
    ]
}

/// The captures of a track's CSV; lines that are none are left out.
pub fn points(csv: &str) -> Vec<TrackPoint> {
    csv.lines().filter_map(point).collect()
}

/// The capture of a line, read from its end: names may hold commas.
fn point(line: &str) -> Option<TrackPoint> {
    const CELLS: usize = 15;
    let cells: Vec<&str> = line.rsplit(',').take(CELLS).collect();
    let cell = |index: usize| cells.get(CELLS - 1 - index).copied();
    let number = |index: usize| cell(index)?.parse::<f64>().ok();
    let law = || {
        let accepted = cell(6)? == "Yes";
        Some(TrackedLaw { s: number(3)?, d_ks: number(4)?, d_c: number(5)?, accepted, p_value: number(7)? })
    };
    let spectrum = SpectrumSummary {
        effective_rank: number(8),
        participation_ratio: number(9),
        top_ten_share: number(10),
        largest: number(11)?,
        trace: number(12)?,
        rank: cell(13)?.parse().ok(),
        rounding: number(14),
    };
    Some(TrackPoint { step: cell(0)?.parse().ok()?, epoch: number(1)?, loss: number(2)?, power_law: law(), spectrum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_read_back_from_csv_to_the_last_digit() {
        let law = TrackedLaw { s: 0.1 + 0.2, d_ks: 1.0 / 3.0, d_c: 0.043, accepted: true, p_value: 1e-300 };
        let spectrum = SpectrumSummary {
            largest: 0.9523809523809523,
            trace: 2e17 / 3.0,
            top_ten_share: None,
            effective_rank: Some(18.172_309_108_741_07),
            participation_ratio: Some(1.5),
            rank: Some(17),
            rounding: Some(1.0 / 3e17),
        };
        let with_law = TrackPoint { step: 20, epoch: 20.0 / 21.0, loss: 1.7, power_law: Some(law), spectrum };
        let without = TrackPoint { step: 40, power_law: None, ..with_law.clone() };
        let row = "id = 'a'\ndata-set = 'mnist'\nmodel = { kind = 'lenet' }\n\
                   analysis = { kind = 'spectrum', matrix = 'covariance' }";
        let track = Track {
            program: String::new(),
            task: String::new(),
            experiment: "=1+1,\"2".to_owned(),
            row: toml::from_str(row).expect("a row"),
            seed: 1,
            backend: gradspectra_experiment::Backend::default(),
            every: 20,
            points: vec![with_law, without],
        };
        let csv = TrackFormat::Csv.text(std::slice::from_ref(&track));
        assert!(csv.contains("\"'=1+1,\"\"2\",a,1,20,"), "{csv}");
        assert_eq!(points(&csv), track.points);
    }
}
