//! Ending in good order when the user or the system asks to.

use std::sync::Arc;

use crate::error::Result;
use crate::progress::tell;

/// Ends the process on SIGINT (status 130) and SIGTERM (143), after the write in hand. A terminal that is closed (SIGHUP)
/// does not end it, and a file that may not grow is an error of its write.
///
/// # Errors
///
/// The system does not let signals be handled.
#[cfg(unix)]
pub fn end_on_signals() -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    let failed = |source| gradspectra_experiment::Error::io(std::path::Path::new("signals"), "handle", source);
    for ignored in [SIGHUP, SIGXFSZ] {
        signal_hook::flag::register(ignored, Arc::default()).map_err(failed)?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _guard = gradspectra_files::hold_writes();
            tell("\ninterrupted; finished rows and trainings are kept, the same command goes on after them");
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// Leaves Ctrl-C to the system, which ends the process; files are whole or not there all the same.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn end_on_signals() -> Result<()> {
    Ok(())
}
