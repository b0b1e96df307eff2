//! The program as a user runs it: every command, on good and on bad input.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod browser;
mod documented;
mod fixtures;
mod memory;
mod messages;
mod mixed;
mod owes;
mod own_data;
mod parts;
mod pytorch;
mod report;
mod runs;
mod scale;
mod seeds;
#[cfg(unix)]
mod survival;
mod tasks;
mod track;
mod words;
