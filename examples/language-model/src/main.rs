//! The whole program with the language model and its data.

use std::process::ExitCode;

use gradspectra::Program;
use language_model::{LanguageModelSettings, Sequences};

fn main() -> ExitCode {
    Program::new("language-model", env!("CARGO_PKG_VERSION"))
        .model::<LanguageModelSettings>("language-model")
        .data_set::<Sequences>("sequences")
        .run()
}
