//! The program that runs.

use std::sync::OnceLock;

/// The name and version of a program, which results and their keys say.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name, as its command line has it.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
    /// Both, and those of this library.
    text: String,
}

/// This library and its version.
const GRADSPECTRA: &str = concat!("gradspectra ", env!("CARGO_PKG_VERSION"));

static PROGRAM: OnceLock<Identity> = OnceLock::new();

impl Identity {
    /// A user's program.
    pub fn of(name: &'static str, version: &'static str) -> Self {
        Self { name, version, text: format!("{name} {version}, {GRADSPECTRA}") }
    }

    /// The name in what [`program`] says, which results keep; `None` where it is nothing of the kind.
    pub fn name_in(program: &str) -> Option<&str> {
        let own = program.rsplit_once(", gradspectra ").map_or(program, |(own, _)| own);
        own.rsplit_once(' ').map(|(name, _version)| name)
    }

    /// Makes it the one of this process; a second one leaves the first.
    pub fn set(self) {
        let _ = PROGRAM.set(self);
    }
}

/// The program `gradspectra` itself.
impl Default for Identity {
    fn default() -> Self {
        Self { name: "gradspectra", version: env!("CARGO_PKG_VERSION"), text: GRADSPECTRA.to_owned() }
    }
}

/// The program that runs.
pub fn identity() -> Identity {
    PROGRAM.get().cloned().unwrap_or_default()
}

/// The program that runs and its version, as results and their keys name it.
pub fn program() -> String {
    identity().text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_what_results_keep() {
        assert_eq!(Identity::name_in(&Identity::of("my spirals", "0.3.0-a").text), Some("my spirals"));
        assert_eq!(Identity::name_in(&Identity::default().text), Some("gradspectra"));
        assert_eq!(Identity::name_in(""), None);
    }
}
