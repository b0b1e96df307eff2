//! Chunks of examples that run through the model at once, one on each core.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use rayon::ThreadPoolBuilder;

use crate::{CaptureError, Result};

/// Chunks in memory at once, at most.
const MOST: usize = 16;

/// How many chunks run at once on the CPU.
pub(crate) fn count() -> usize {
    rayon::current_num_threads().clamp(1, MOST)
}

/// Does `work` for every one of the `jobs`, on the CPU several at once: each on a thread of its own, of which all operations
/// inside are. What comes of a job does not depend on how many run. `progress` hears of each on the calling thread.
///
/// # Errors
///
/// The first that a job comes to; jobs that were not begun are left.
pub(super) fn run<J: Send, M: Clone + Send>(
    jobs: impl ExactSizeIterator<Item = J> + Send,
    model: &M,
    at_once: bool,
    work: impl Fn(&M, J) -> Result<usize> + Sync,
    mut progress: impl FnMut(usize),
) -> Result<()> {
    let count = count().min(jobs.len());
    if !at_once || count < 2 {
        for job in jobs {
            progress(work(model, job)?);
        }
        return Ok(());
    }
    let models: Vec<M> = (0..count).map(|_| model.clone()).collect();
    let jobs = Mutex::new(jobs);
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for model in models {
            let (send, jobs, work) = (send.clone(), &jobs, &work);
            scope.spawn(move || {
                let Ok(alone) = ThreadPoolBuilder::new().num_threads(1).build() else { return };
                alone.install(move || {
                    loop {
                        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(job) = job else { return };
                        let done = work(&model, job);
                        let failed = done.is_err();
                        if send.send(done).is_err() || failed {
                            return;
                        }
                    }
                });
            });
        }
        drop(send);
        let mut first = Ok(());
        for done in receive {
            match done {
                Ok(count) => progress(count),
                Err(error) => {
                    jobs.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                    first = first.and(Err(error));
                }
            }
        }
        first
    })?;
    match jobs.into_inner().unwrap_or_else(PoisonError::into_inner).next() {
        Some(_) => Err(CaptureError::NoThreads),
        None => Ok(()),
    }
}
