//! The program: reads the command line, runs it, and says what went wrong in one line.

mod cli;
mod commands;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::styling::{AnsiColor, Style};

use cli::Cli;

const ERROR: Style = AnsiColor::Red.on_default().bold();

fn main() -> ExitCode {
    restore_optimisers_on_the_cpu();
    let outcome =
        gradspectra::end_on_signals().map_err(Into::into).and_then(|()| commands::execute(Cli::parse().command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(anstream::stderr().lock(), "{ERROR}error:{ERROR:#} {}", in_one_line(&error));
            ExitCode::from(exit_status(&error))
        }
    }
}

/// Has Burn read what an optimiser remembers on the CPU, from where it goes to the device of the parameters: on its default
/// device, a GPU where one is built in, it would end the program where no driver is.
#[expect(unsafe_code, reason = "no other thread is there yet to read the environment")]
fn restore_optimisers_on_the_cpu() {
    const BURNS_DEFAULT: &str = "BURN_DEVICE";
    if std::env::var_os(BURNS_DEFAULT).is_none() {
        // SAFETY: this is the first thing that the program does, on its only thread.
        unsafe { std::env::set_var(BURNS_DEFAULT, "flex") };
    }
}

/// 1 for a report that is out of date or a run that is not whole, 2 for what failed.
fn exit_status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(gradspectra::Error::Stale { .. } | gradspectra::Error::Incomplete { .. }) => 1,
        _ => 2,
    }
}

/// Our own errors name their causes; others are told with theirs.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = match error.downcast_ref::<gradspectra::Error>() {
        Some(error) => error.to_string(),
        None => format!("{error:#}"),
    };
    text.replace('\n', " ")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
