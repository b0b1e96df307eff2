//! Tracks as text.

use clap::ValueEnum;
use csv::StringRecord;
use gradspectra_experiment::{SpectrumSummary, Track, TrackPoint, TrackedLaw};
use gradspectra_files::counted;

use crate::table::{Verdict, csv_records, wrapped};

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

/// A column of CSV: its name and what it says of a capture.
type Column = (&'static str, fn(&Track, &TrackPoint) -> String);

const COLUMNS: [Column; 18] = [
    ("experiment", |track, _| track.experiment.clone()),
    ("row", |track, _| track.row.id.clone()),
    ("seed", |track, _| track.seed.to_string()),
    ("step", |_, point| point.step.to_string()),
    ("epoch", |_, point| point.epoch.to_string()),
    ("loss", |_, point| point.loss.to_string()),
    ("s", |_, point| known(point.power_law.map(|law| law.s))),
    ("d-ks", |_, point| known(point.power_law.map(|law| law.d_ks))),
    ("d-c", |_, point| known(point.power_law.map(|law| law.d_c))),
    ("power-law", |_, point| known(point.power_law.map(|law| Verdict::of(law.accepted)))),
    ("p-value", |_, point| known(point.power_law.map(|law| law.p_value))),
    ("effective-rank", |_, point| known(point.spectrum.effective_rank)),
    ("participation-ratio", |_, point| known(point.spectrum.participation_ratio)),
    ("top-ten-share", |_, point| known(point.spectrum.top_ten_share)),
    ("largest-eigenvalue", |_, point| point.spectrum.largest.to_string()),
    ("trace", |_, point| point.spectrum.trace.to_string()),
    ("rank", |_, point| known(point.spectrum.rank)),
    ("rounding", |_, point| known(point.spectrum.rounding)),
];

/// A value that may be unknown, which is an empty cell.
fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl TrackFormat {
    /// `tracks` in this format.
    pub fn text(self, tracks: &[Track]) -> String {
        match self {
            Self::Text => tracks.iter().map(text).collect::<Vec<_>>().join("\n"),
            Self::Json => serde_json::to_string_pretty(tracks).expect("a track is plain data") + "\n",
            Self::Csv => {
                let header = COLUMNS.map(|(name, _)| name.to_owned()).to_vec();
                let captures = tracks.iter().flat_map(|track| track.points.iter().map(move |point| (track, point)));
                let records = captures.map(|(track, point)| COLUMNS.map(|(_, cell)| cell(track, point)).to_vec());
                csv_records(std::iter::once(header).chain(records))
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

/// The captures of a track's CSV; lines that are none are left out.
pub fn points(csv: &str) -> Vec<TrackPoint> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let Ok(names) = reader.headers().cloned() else { return Vec::new() };
    reader.records().filter_map(|record| point(&names, &record.ok()?)).collect()
}

/// The capture of a line. What was accepted follows from its distances.
fn point(names: &StringRecord, record: &StringRecord) -> Option<TrackPoint> {
    let cell = |name: &str| record.get(names.iter().position(|known| known == name)?);
    let number = |name: &str| cell(name)?.parse::<f64>().ok();
    let law = || {
        let (s, d_ks, d_c) = (number("s")?, number("d-ks")?, number("d-c")?);
        Some(TrackedLaw { s, d_ks, d_c, accepted: d_ks < d_c, p_value: number("p-value")? })
    };
    let spectrum = SpectrumSummary {
        effective_rank: number("effective-rank"),
        participation_ratio: number("participation-ratio"),
        top_ten_share: number("top-ten-share"),
        largest: number("largest-eigenvalue")?,
        trace: number("trace")?,
        rank: cell("rank")?.parse().ok(),
        rounding: number("rounding"),
    };
    let (epoch, loss) = (number("epoch")?, number("loss")?);
    Some(TrackPoint { step: cell("step")?.parse().ok()?, epoch, loss, power_law: law(), spectrum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_read_back_from_csv_to_the_last_digit() {
        let law = TrackedLaw { s: 0.1 + 0.2, d_ks: 1.0 / 30.0, d_c: 0.043, accepted: true, p_value: 1e-300 };
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
        assert_eq!(points(&csv[..csv.len() - 3]).len(), 2, "the last cell is cut, not the line");
        assert_eq!(points(&(csv + "cut,a,1,60")), track.points, "a line that is cut is none");
    }
}
