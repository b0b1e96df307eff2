//! What a long run says while it works: a bar on a terminal, plain lines elsewhere.

mod heartbeat;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use heartbeat::Heartbeat;

/// How much a run says beside its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// A line a step.
    Normal,
    /// Also which data, weights and earlier work a step uses, and what is written.
    Verbose,
}

/// Tells the progress of steps on standard error.
#[derive(Debug, Clone, Copy)]
pub struct Reporter {
    verbosity: Verbosity,
    terminal: bool,
}

/// One long step; dropping it ends it.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
    heartbeat: Option<Heartbeat>,
    title: String,
    started: Instant,
    quiet: bool,
}

/// Says one line, if anybody can hear it: a long run goes on when its terminal is gone.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

impl Reporter {
    /// A reporter for this process's standard error.
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity, terminal: std::io::stderr().is_terminal() }
    }

    /// Says one line.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.verbosity > Verbosity::Quiet {
            tell(text.as_ref());
        }
    }

    /// Says one line, indented, to those who want to know more.
    pub(crate) fn detail(&self, text: impl AsRef<str>) {
        if self.verbosity == Verbosity::Verbose {
            tell(&format!("  {}", text.as_ref()));
        }
    }

    /// The reporter, but for errors only.
    pub(crate) fn quiet(self) -> Self {
        Self { verbosity: Verbosity::Quiet, ..self }
    }

    /// Begins a step of `total` parts.
    pub fn step(&self, title: impl Into<String>, total: u64) -> Step {
        let title = title.into();
        let quiet = self.verbosity == Verbosity::Quiet;
        let bar = (self.terminal && !quiet).then(|| {
            let template = match total {
                1 => "  {msg:<30} {elapsed}",
                _ => "  {msg:<30} {wide_bar} {pos}/{len}, {rate}, left {eta}",
            };
            let style = ProgressStyle::with_template(template).expect("the template is valid");
            let style = style.with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                let digits = usize::from(state.per_sec() < 10.0);
                let _ = write!(text, "{:.digits$}/s", state.per_sec());
            });
            let bar = ProgressBar::new(total).with_style(style).with_message(title.clone());
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let heartbeat = (!self.terminal && !quiet).then(|| Heartbeat::new(title.clone(), total));
        Step { bar, heartbeat, title, started: Instant::now(), quiet }
    }
}

impl Step {
    /// `done` parts are done.
    pub fn at(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.at(done);
        }
    }

    /// Says one line above the bar.
    pub fn line(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.quiet => (),
            None => tell(&text),
        }
    }

    /// Ends the step, says so and returns how long it took, in seconds.
    pub fn finish(mut self) -> f64 {
        self.heartbeat = None;
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            tell(&format!("  {:<34} {seconds:7.1} s", self.title));
        }
        seconds
    }
}

/// The downloads of a data set's files, a step each.
pub(crate) struct Download {
    reporter: Reporter,
    current: Option<(String, Step)>,
}

impl Download {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self { reporter, current: None }
    }

    /// `done` of `total` bytes of the file `name` have come.
    pub(crate) fn at(&mut self, name: &str, done: u64, total: u64) {
        if self.current.as_ref().is_none_or(|(current, _)| current != name) {
            let step = self.reporter.step(format!("downloading {name}"), total);
            self.current = Some((name.to_owned(), step));
        }
        if let Some((_, step)) = &self.current {
            step.at(done);
        }
        if done == total
            && let Some((_, step)) = self.current.take()
        {
            step.finish();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
