//! The program `gradspectra`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gradspectra::Program::gradspectra().run()
}
