//! The program, with the networks and data sets of whoever builds it.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use clap::{CommandFactory, FromArgMatches};
use gradspectra_data::LabelledDataSet;
use gradspectra_experiment::{Identity, identity};
use gradspectra_models::Architecture;
use gradspectra_run::{DataSource, register_data_set, register_labelled_data_set, register_model};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::Cli;
use crate::commands;
use crate::usage::of_usage;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The program `gradspectra` with networks and data sets of one's own: every command knows them.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use gradspectra::Program;
/// # type SpiralNet = gradspectra::models::FcnSettings;
/// # type Spirals = gradspectra::data::Mnist;
///
/// fn main() -> ExitCode {
///     Program::new("spirals", env!("CARGO_PKG_VERSION"))
///         .model::<SpiralNet>("spiral-net")
///         .labelled_data_set::<Spirals>("spirals")
///         .run()
/// }
/// ```
#[derive(Debug)]
pub struct Program {
    identity: Identity,
    /// The first that was refused.
    refused: Option<String>,
}

impl Program {
    /// A program of this name and version, which are part of the keys of results: what another version computed is not
    /// taken for this one's.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self::of(Identity::of(name, version))
    }

    /// The program `gradspectra` itself.
    pub fn gradspectra() -> Self {
        Self::of(Identity::default())
    }

    fn of(identity: Identity) -> Self {
        Self { identity, refused: None }
    }

    /// Admits the network `A` to experiment files as `model = { kind = "…", … }`.
    pub fn model<A: Architecture>(self, kind: &'static str) -> Self {
        self.with(register_model::<A>(kind))
    }

    /// Admits the data set `S` to experiment files as `data-set = { kind = "…", … }`.
    pub fn data_set<S: DataSource>(self, kind: &'static str) -> Self {
        self.with(register_data_set::<S>(kind))
    }

    /// Admits the data set `D`, examples with a class each, whose labels can be corrupted and images augmented.
    pub fn labelled_data_set<D>(self, kind: &'static str) -> Self
    where
        D: LabelledDataSet + Clone + Serialize + DeserializeOwned + 'static,
    {
        self.with(register_labelled_data_set::<D>(kind))
    }

    fn with(self, registered: Result<(), String>) -> Self {
        Self { refused: self.refused.or(registered.err()), ..self }
    }

    /// Reads the command line, does what it says, and tells what went wrong in one line: exit status 2, or 1 for a report
    /// that is out of date and a run that is not whole.
    pub fn run(self) -> ExitCode {
        restore_optimisers_on_the_cpu();
        self.identity.set();
        match self.refused.map_or_else(execute, |refused| Err(anyhow::Error::msg(refused))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(anstream::stderr().lock(), "{ERROR}error:{ERROR:#} {}", in_one_line(&error));
                ExitCode::from(exit_status(&error))
            }
        }
    }
}

fn execute() -> anyhow::Result<()> {
    crate::end_on_signals()?;
    let parsed = command_line().try_get_matches();
    let cli = parsed.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let cli = cli.unwrap_or_else(|error| leave(&error));
    commands::execute(cli.command)
}

/// Prints a usage error, or the help or version that was asked for, and ends.
fn leave(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let text = of_usage(&error.render().ansi().to_string());
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    std::process::exit(error.exit_code())
}

/// The command line, under the program's own name.
pub(crate) fn command_line() -> clap::Command {
    let identity = identity();
    let named = |command: clap::Command| command.name(identity.name).version(identity.version);
    let command = named(with_examples_of(Cli::command(), identity.name));
    command.mut_subcommands(|command| command.allow_negative_numbers(true))
}

/// `command` and those below it, whose examples call the program `name`.
fn with_examples_of(command: clap::Command, name: &str) -> clap::Command {
    let examples = command.get_after_help().map(|help| help.to_string().replace("gradspectra ", &format!("{name} ")));
    let command = match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    };
    command.mut_subcommands(|command| with_examples_of(command, name))
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
    let stale = matches!(error.downcast_ref(), Some(gradspectra_experiment::Error::Stale { .. }));
    let incomplete = matches!(error.downcast_ref(), Some(gradspectra_run::Error::Incomplete { .. }));
    if stale || incomplete { 1 } else { 2 }
}

/// Our own errors name their causes; others are told with theirs.
fn in_one_line(error: &anyhow::Error) -> String {
    let own = error.is::<gradspectra_run::Error>()
        || error.is::<gradspectra_experiment::Error>()
        || error.is::<gradspectra_files::Error>();
    let text = if own { error.to_string() } else { format!("{error:#}") };
    without_numbers_of_the_system(&text.replace('\n', " "))
}

/// Leaves out ` (os error 2)`, which says nothing more than the words before it.
fn without_numbers_of_the_system(text: &str) -> String {
    const BEFORE: &str = " (os error ";
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
