//! What is studied: a network and its data, whatever their types. The built-in ones and a user's go through the same calls.

mod labelled;
mod loaded;
mod measured;
mod network;
mod registry;
mod source;

pub(crate) use loaded::{LoadedSet, Seen};
pub(crate) use measured::{Measured, measured};
pub use network::ModelSpec;
pub(crate) use registry::{register_data_set, register_labelled_data_set, register_model};
pub use source::{BoxError, DataSource, DataSpec};
pub(crate) use source::{Loading, Set};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Settings with the name of what they are settings of: `{ kind = "…", … }`.
#[derive(Serialize)]
struct Tagged<'a> {
    kind: &'a str,
    #[serde(flatten)]
    settings: &'a dyn erased_serde::Serialize,
}

/// Settings as they are written.
type Settings = Map<String, Value>;

/// A network or a data set that is known by its results alone.
#[derive(Debug, Clone)]
struct Unregistered {
    kind: String,
    settings: Settings,
}

impl Unregistered {
    fn refuse<T>(&self, why: fn(&str) -> String) -> crate::Result<T> {
        Err(crate::Error::Unfit { reason: why(&self.kind) })
    }
}

/// Parses `{ kind = "…", … }`, or a name alone: the kind and the other settings.
fn tagged<'de, D: Deserializer<'de>>(deserializer: D, what: &str) -> Result<(Option<String>, Settings), D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(kind) => Ok((Some(kind), Map::new())),
        Value::Object(mut settings) => match settings.remove("kind") {
            Some(Value::String(kind)) => Ok((Some(kind), settings)),
            Some(other) => Err(D::Error::custom(format!("the kind of {what} is {other}; give its name in quotes"))),
            None => Ok((None, settings)),
        },
        other => Err(D::Error::custom(format!("{what} is {other}; give a name, or {{ kind = \"…\", … }}"))),
    }
}
