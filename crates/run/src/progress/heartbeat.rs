//! What a long step says where there is no terminal for a bar: now and then a plain line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradspectra_files::duration;

use super::tell;

/// The seconds from one line to the next, where the environment names none.
const SECONDS: f64 = 30.0;
/// The variable of the environment that names them.
const VARIABLE: &str = "GRADSPECTRA_PROGRESS_SECONDS";

/// Tells of a step every half minute until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    done: Arc<Done>,
    end: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How far a step is.
#[derive(Debug)]
struct Done {
    parts: AtomicU64,
    /// The parts that were done when the step began: a training goes on in its midst.
    first: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Heartbeat {
    pub(super) fn new(title: String, total: u64) -> Self {
        let done = Arc::new(Done { parts: AtomicU64::new(0), first: AtomicU64::new(UNKNOWN) });
        let (shared, started, interval) = (done.clone(), Instant::now(), interval());
        let (sender, ended) = channel::<()>();
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let (parts, first) = (shared.parts.load(Ordering::Relaxed), shared.first.load(Ordering::Relaxed));
                tell(&line(&title, parts, first, total, started.elapsed().as_secs_f64()));
            }
        });
        Self { done, end: thread.ok().map(|thread| (sender, thread)) }
    }

    /// `parts` parts are done.
    pub(super) fn at(&self, parts: u64) {
        let before = parts.saturating_sub(1);
        let _ = self.done.first.compare_exchange(UNKNOWN, before, Ordering::Relaxed, Ordering::Relaxed);
        self.done.parts.store(parts, Ordering::Relaxed);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.end.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn interval() -> Duration {
    let seconds = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<f64>().ok());
    Duration::from_secs_f64(seconds.filter(|seconds| (0.001..1e6).contains(seconds)).unwrap_or(SECONDS))
}

/// What, how far, and how long it goes on as fast as it went: of `total` parts `parts` are done, of which `first` were when
/// it began `seconds` ago.
fn line(title: &str, parts: u64, first: u64, total: u64, seconds: f64) -> String {
    let so_far = duration(seconds);
    if total <= 1 || first == UNKNOWN || parts <= first {
        return format!("  {title}: {so_far} so far");
    }
    let percent = 100.0 * parts as f64 / total as f64;
    let left = seconds * total.saturating_sub(parts) as f64 / (parts - first) as f64;
    format!("  {title}: {percent:.0}% ({parts} of {total}) after {so_far}, about {} left", duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 of 120 parts in 60 s: 2 s a part, 180 s for the other 90. A training that went on at 90 made 10 parts in 60 s.
    #[test]
    fn the_time_left_is_that_of_the_speed_so_far() {
        assert_eq!(line("training", 30, 0, 120, 60.0), "  training: 25% (30 of 120) after 60 s, about 3.0 min left");
        assert_eq!(line("training", 100, 90, 120, 60.0), "  training: 83% (100 of 120) after 60 s, about 2.0 min left");
        assert_eq!(line("training", 0, UNKNOWN, 120, 31.0), "  training: 31 s so far");
        assert_eq!(line("eigenvalues", 0, UNKNOWN, 1, 31.0), "  eigenvalues: 31 s so far");
    }
}
