//! Spectra along a training.

mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gradspectra_data::DataRoot;
use gradspectra_experiment::{
    Analysis, Backend, Experiment, PowerLawReport, Row, SpectrumSummary, Store, Track, TrackPoint, TrackedLaw,
};
use gradspectra_files::{self as files, read_json};
use gradspectra_models::{Examples, Model, TrainingEvent, TrainingState, detached, mean_loss};
use gradspectra_report::{TrackFormat, draw_track, points};
use serde::{Deserialize, Serialize};

use crate::backend::device;
use crate::captured::Captured;
use crate::error::{Error, Result};
use crate::estimate::plan::check_patience;
use crate::execute::{Group, RunOptions, name};
use crate::position::Positions;
use crate::schedule::kept::{self, Others};
use crate::schedule::task::{Task, tasks};
use crate::seeds::Purpose;
use crate::subject::{LoadedSet, Set, network};
use whole::whole;

/// A track in the store; its captures are in the CSV file beside it, from which every digit can be read back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredTrack {
    #[serde(flatten)]
    track: Track,
    points_sha256: String,
}

/// The rows of `experiment` that can be followed: those that train and test a spectrum.
///
/// # Errors
///
/// There is none; or one cannot be followed although `named` says that it was asked for.
pub fn followed(mut experiment: Experiment, named: bool) -> Result<Experiment> {
    let hindrance = |row: &Row| match (&row.training, row.analysis) {
        (None, _) => Some("does not train; give it a training"),
        (_, Analysis::Entries { .. }) => Some("tests entries; give it an analysis of a spectrum"),
        _ => None,
    };
    let refused = experiment.rows.iter().find_map(|row| Some((row, hindrance(row)?)));
    if let (Some((row, reason)), true) = (refused, named) {
        return Err(Error::Unfit { reason: format!("row {} {reason}, or leave it out", row.id) });
    }
    experiment.rows.retain(|row| hindrance(row).is_none());
    if experiment.rows.is_empty() {
        let reason = format!("no row of {} trains and tests a spectrum; give one a training", experiment.name);
        return Err(Error::Unfit { reason });
    }
    Ok(experiment)
}

/// Refuses to follow rows before anything is done.
///
/// # Errors
///
/// A row that cannot be [followed], or that trains for hours on the CPU; captures in `store` that would be replaced by those
/// of other settings, or would be dropped as they are between those of every `every` steps.
pub fn check_track(experiment: &Experiment, store: &Store, options: &RunOptions, every: usize) -> Result<()> {
    let experiment = &followed(experiment.clone(), true)?;
    let data = DataRoot::new(options.data_dir.clone())?;
    let mut others = Others::default();
    for task in tasks(std::slice::from_ref(experiment), &options.seeds, options.backend, &data)?.iter().flatten() {
        if !options.long {
            check_patience(&task.row, options.backend).map_err(|error| task.failed(error))?;
        }
        let asked = begun(task, options.backend, every);
        let differences = stored(&asked, store).map(|there| differences(&asked, &there)).unwrap_or_default();
        if !options.replace && !differences.is_empty() {
            others.add(format!("{}.track", task.id()), differences);
        }
    }
    others.refuse(store)
}

/// Trains as the rows of `experiment` ask and captures their spectra every `every` steps; writes the captures and
/// their plots to `store`.
///
/// A capture that is at hand, of a run that was broken off, is not made again, and the training goes on after the epoch that
/// was saved last.
///
/// # Errors
///
/// As of [`check_track`], or the first row that cannot be followed to its end.
pub fn track(experiment: &Experiment, store: &Store, options: &RunOptions, every: usize) -> Result<Vec<Track>> {
    let experiment = &followed(experiment.clone(), true)?;
    check_track(experiment, store, options, every)?;
    let device = device(options.backend, options.device)?.autodiff();
    let data = DataRoot::new(options.data_dir.clone())?;
    let mut tracks = Vec::new();
    for tasks in tasks(std::slice::from_ref(experiment), &options.seeds, options.backend, &data)? {
        let first = &tasks[0];
        let group = Group::new(&tasks, &device, &data, store, options);
        tracks.extend(
            network(&group.position.model)
                .and_then(|network| network.follow(&group, every))
                .map_err(|error| first.failed(error))?,
        );
    }
    let place = |track: &Track| {
        let row = experiment.rows.iter().position(|row| row.id == track.row.id);
        (row, track.seed)
    };
    tracks.sort_by_key(place);
    Ok(tracks)
}

/// Follows the training of `group` with its network `model`.
pub(crate) fn follow_at<M: Model>(model: M, group: &Group, every: usize) -> Result<Vec<Track>> {
    let Set { set, .. } = group.load_training()?;
    let seen = group.seen(&*set)?;
    let tracks = Follower::<M>::new(group, &*set, seen.as_deref().unwrap_or(&*set), every).run(model)?;
    for track in &tracks {
        keep(track, group.store)?;
        draw_track(group.store, track)?;
    }
    Ok(tracks)
}

/// Follows the training of a group.
struct Follower<'a, M: Model> {
    group: &'a Group<'a>,
    set: &'a dyn LoadedSet<M::Batch>,
    /// The examples as the network sees them at capture.
    seen: &'a dyn Examples<Batch = M::Batch>,
    every: usize,
    /// The steps of the whole training.
    last: usize,
    tracks: Vec<Track>,
    /// The captures at hand, by their steps, of each track.
    known: Vec<BTreeMap<usize, TrackPoint>>,
}

impl<'a, M: Model> Follower<'a, M> {
    fn new(
        group: &'a Group<'a>,
        set: &'a dyn LoadedSet<M::Batch>,
        seen: &'a dyn LoadedSet<M::Batch>,
        every: usize,
    ) -> Self {
        let training = group.position.training.as_ref();
        let last = training.map_or(0, |training| training.steps(set.examples().len()));
        let begun = |task: &Task| begun(task, group.options.backend, every);
        let tracks: Vec<_> = group.tasks.iter().map(begun).collect();
        let known =
            tracks.iter().map(|track| if group.options.fresh { BTreeMap::new() } else { known(track, group.store) });
        Self { group, set, seen: seen.examples(), every, last, known: known.collect(), tracks }
    }

    fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.every) || step == self.last
    }

    /// Takes the points from those at hand, if they are all there; forgets those that are not due.
    fn take_known(&mut self) -> bool {
        let due: Vec<usize> = (0..=self.last).filter(|step| self.is_due(*step)).collect();
        self.known.iter_mut().for_each(|known| known.retain(|step, _| due.binary_search(step).is_ok()));
        let complete = self.known.iter().all(|known| due.iter().all(|step| known.contains_key(step)));
        if complete {
            for (track, known) in self.tracks.iter_mut().zip(&self.known) {
                track.points = due.iter().map(|step| known[step].clone()).collect();
            }
        }
        complete
    }

    /// Captures at a step that is due.
    fn at(&mut self, model: &M, step: usize, say: impl Fn(String)) -> Result<()> {
        if !self.is_due(step) {
            return Ok(());
        }
        let Group { tasks, device, options, store, .. } = *self.group;
        let reporter = options.reporter.quiet();
        let mut captured = Captured::new(model, self.seen, tasks, device, reporter, options.memory)?;
        let mut loss = None;
        for ((task, track), known) in tasks.iter().zip(&mut self.tracks).zip(&mut self.known) {
            let point = match known.remove(&step) {
                Some(point) => point,
                None => {
                    let loss = match loss {
                        Some(loss) => loss,
                        None => *loss.insert(mean_loss(&model.valid(), self.set.examples(), &device.clone().inner())?),
                    };
                    let epoch = (step * task.position.training.as_ref().map_or(0, |training| training.epochs)) as f64
                        / self.last.max(1) as f64;
                    let (power_law, spectrum) = capture(&mut captured, task)?;
                    TrackPoint { step, epoch, loss, power_law, spectrum }
                }
            };
            say(format!("  {}: {point}", name(task)));
            track.points.push(point);
            // With those ahead that are at hand, so that a break loses none.
            let points = track.points.iter().chain(known.values()).cloned().collect();
            keep(&Track { points, ..track.clone() }, store)?;
        }
        Ok(())
    }

    /// Takes the points up to `step` from those at hand, if they are all there.
    fn take_until(&mut self, step: usize) -> bool {
        let due: Vec<usize> = (0..=step).filter(|step| self.is_due(*step)).collect();
        let complete = self.known.iter().all(|known| due.iter().all(|step| known.contains_key(step)));
        if complete {
            for (track, known) in self.tracks.iter_mut().zip(&mut self.known) {
                let ahead = known.split_off(&(step + 1));
                track.points.extend(std::mem::replace(known, ahead).into_values());
            }
        }
        complete
    }

    fn run(mut self, model: M) -> Result<Vec<Track>> {
        let Group { tasks, device, options, store, position, .. } = *self.group;
        let Some(training) = &position.training else { return Ok(self.tracks) };
        // Apart from a row's training at the same position, which may have come further.
        let key = files::sha256(format!("track of {}", position.key()).as_bytes());
        if self.take_known() {
            store.forget_begun(&key, None);
            tasks.iter().for_each(|task| options.reporter.line(format!("{}: done already", name(task))));
            return Ok(self.tracks);
        }
        let seed = tasks[0].own_seed();
        let model = position.initialised(model)?;
        let set = self.set;
        let (reporter, keep_every) = (options.reporter, options.keep_every);
        let positions = Positions { store, device, reporter, keep_every };
        let mut state = positions.begun(&key, detached(&model), training);
        let saved = state.epochs().len();
        if saved > 0 && self.take_until(saved * self.last / training.epochs) {
            let taken = self.tracks.iter().map(|track| track.points.len()).sum::<usize>();
            reporter.line(format!("  {taken} captures are at hand"));
        } else {
            state = TrainingState::new(model, training);
            self.at(state.model(), 0, |line| reporter.line(line))?;
        }
        let mut kept = Instant::now();
        positions.train(state, training, seed, set, |state, event, bar| match event {
            TrainingEvent::Step(step) => self.at(state.model(), step, |line| bar.line(line)),
            TrainingEvent::Epoch(_) if kept.elapsed() >= keep_every => {
                kept = Instant::now();
                positions.keep_state(&key, state)
            }
            TrainingEvent::Epoch(_) => Ok(()),
        })?;
        for track in &self.tracks {
            keep(track, store)?;
        }
        store.forget_begun(&key, None);
        Ok(self.tracks)
    }
}

/// The spectrum that `task` tests and the law through it.
fn capture<M: Model>(captured: &mut Captured<M>, task: &Task) -> Result<(Option<TrackedLaw>, SpectrumSummary)> {
    let Analysis::Spectrum { matrix, values, top } = task.row.analysis else {
        unreachable!("only rows of spectra are followed");
    };
    let spectrum = captured.spectrum_of(task, matrix)?;
    let seed = Purpose::Replicas.seed(task.own_seed());
    let law = match PowerLawReport::of_spectrum(&spectrum, values, top, seed) {
        Ok(report) => Some(TrackedLaw {
            s: report.s,
            d_ks: report.test.d_ks,
            d_c: report.test.d_c,
            accepted: report.accepted,
            p_value: report.monte_carlo.p_value,
        }),
        Err(error) if error.is_of_the_values() => None,
        Err(error) => return Err(error.into()),
    };
    Ok((law, SpectrumSummary::of(&spectrum)))
}

/// The track of `task` before its first capture.
fn begun(task: &Task, backend: Backend, every: usize) -> Track {
    Track {
        program: gradspectra_experiment::program(),
        task: task.key.clone(),
        experiment: task.experiment.clone(),
        row: task.row.clone(),
        seed: task.seed,
        backend,
        every,
        points: Vec::new(),
    }
}

/// What differs between the track `asked` for and the track `there` in its place; nothing where none of its captures
/// would be lost.
fn differences(asked: &Track, there: &Track) -> Vec<String> {
    if there.task != asked.task {
        let mut found = kept::of_rows(&there.row, &asked.row);
        found.extend(kept::different("program", &there.program, &asked.program));
        found.extend(kept::different("backend", there.backend.name(), asked.backend.name()));
        return kept::told(found, &asked.row);
    }
    let last = there.points.last().map_or(0, |point| point.step);
    let is_lost = |point: &TrackPoint| !point.step.is_multiple_of(asked.every) && point.step != last;
    match there.points.iter().any(is_lost) {
        true => kept::different("every", &there.every.to_string(), &asked.every.to_string()).into_iter().collect(),
        false => Vec::new(),
    }
}

fn file(track: &Track, store: &Store, ending: &str) -> PathBuf {
    store.row_file(&track.experiment, &track.row.id, track.seed, ending)
}

/// The track in the place of `track` in the store, of whatever task, if it is whole.
fn stored(track: &Track, store: &Store) -> Option<Track> {
    stored_at(&file(track, store, "track.json"))
}

/// The track whose file is `json`, with the captures beside it, if it is whole.
pub(crate) fn stored_at(json: &Path) -> Option<Track> {
    let stored: StoredTrack = read_json(json)?;
    let csv = std::fs::read_to_string(json.with_extension("csv")).ok()?;
    let csv = whole(csv, &stored.points_sha256)?;
    Some(Track { points: points(&csv), ..stored.track })
}

/// The captures of the task of `track` in the store, as far as they are whole.
fn known(track: &Track, store: &Store) -> BTreeMap<usize, TrackPoint> {
    let points = stored(track, store).filter(|there| there.task == track.task).map(|there| there.points);
    points.unwrap_or_default().into_iter().map(|point| (point.step, point)).collect()
}

/// Writes the captures as CSV, and what they are of as JSON.
fn keep(track: &Track, store: &Store) -> Result<()> {
    let csv = TrackFormat::Csv.text(std::slice::from_ref(track));
    files::write(&file(track, store, "track.csv"), csv.as_bytes())?;
    let bare = Track { points: Vec::new(), ..track.clone() };
    let stored = StoredTrack { track: bare, points_sha256: files::sha256(csv.as_bytes()) };
    Ok(files::write_json(&file(track, store, "track.json"), &stored)?)
}
