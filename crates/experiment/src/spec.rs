//! What is studied, as experiment files name it: the kind of a network or a data set, and its settings.

mod registry;

pub use registry::{BuiltIn, Registry, no_data_set, no_model, register};

use std::any::Any;
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The settings of a network without their type.
pub trait ModelSettings: Any + Debug + Send + Sync {
    /// The name in experiment files.
    fn kind(&self) -> &str;

    /// What experiment files write beside the kind.
    fn settings(&self) -> &dyn erased_serde::Serialize;

    /// The name in tables.
    fn title(&self) -> String;
}

/// The settings of a data set without their type.
pub trait DataSettings: Any + Debug + Send + Sync {
    /// The name in experiment files.
    fn kind(&self) -> &str;

    /// What experiment files write beside the kind.
    fn settings(&self) -> &dyn erased_serde::Serialize;

    /// The name in tables.
    fn title(&self) -> String;

    /// Whether each example has a label, which can be corrupted, and readings that can be chosen.
    fn is_labelled(&self) -> bool {
        false
    }

    /// Whether the examples are images, which can be cropped and flipped.
    fn has_images(&self) -> bool {
        false
    }

    /// Whether there are coarse labels beside the fine ones.
    fn has_coarse_labels(&self) -> bool {
        false
    }

    /// The settings with their paths mapped.
    fn with_paths(&self, map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings>;
}

/// A network of an experiment file; inputs and classes follow from the data set.
#[derive(Clone)]
pub struct ModelSpec(Arc<dyn ModelSettings>);

/// A data set of an experiment file.
#[derive(Clone)]
pub struct DataSpec(Arc<dyn DataSettings>);

impl ModelSpec {
    /// The settings, which are of the type that registered their kind.
    pub fn settings(&self) -> &dyn ModelSettings {
        &*self.0
    }
}

impl DataSpec {
    /// The kind of a data set that names its files and no kind.
    pub const OWN_FILES: &str = "files";

    /// Whether its files are the user's own, none of which is listed.
    pub fn is_of_own_files(&self) -> bool {
        [Self::OWN_FILES, "regression", "text", "tokens"].contains(&self.0.kind())
    }

    /// The settings, which are of the type that registered their kind.
    pub fn settings(&self) -> &dyn DataSettings {
        &*self.0
    }

    /// The data set with its files relative to `folder`.
    pub fn in_folder(&self, folder: &Path) -> Self {
        Self(self.0.with_paths(&|path| folder.join(path)))
    }

    /// The data set without its files' paths: what is in the files is known otherwise.
    pub fn anywhere(&self) -> Self {
        Self(self.0.with_paths(&|_| PathBuf::new()))
    }
}

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

impl ModelSettings for Unregistered {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.kind.clone()
    }
}

/// Every reading is taken as it stands in the results.
impl DataSettings for Unregistered {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.kind.clone()
    }

    fn is_labelled(&self) -> bool {
        true
    }

    fn has_images(&self) -> bool {
        true
    }

    fn has_coarse_labels(&self) -> bool {
        true
    }

    fn with_paths(&self, _map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        Arc::new(self.clone())
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

impl Debug for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.title())
    }
}

impl PartialEq for ModelSpec {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}

impl Serialize for ModelSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Tagged { kind: self.0.kind(), settings: self.0.settings() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ModelSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, settings) = tagged(deserializer, "model")?;
        let kind = kind.ok_or_else(|| D::Error::missing_field("kind"))?;
        match registry::model(&kind, settings.clone()) {
            Some(made) => made.map(Self).map_err(|error| D::Error::custom(format!("model {kind}: {error}"))),
            None => Ok(Self(Arc::new(Unregistered { kind, settings }))),
        }
    }
}

impl Debug for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.title())
    }
}

impl PartialEq for DataSpec {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}

impl Serialize for DataSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, settings) = (self.0.kind(), self.0.settings());
        match serde_json::to_value(settings) {
            Ok(Value::Object(none)) if none.is_empty() => serializer.serialize_str(kind),
            _ => Tagged { kind, settings }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DataSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, settings) = tagged(deserializer, "data-set")?;
        let kind = kind.unwrap_or_else(|| Self::OWN_FILES.to_owned());
        match registry::data_set(&kind, settings.clone()) {
            Some(made) => made.map(Self).map_err(|error| D::Error::custom(format!("data-set {kind}: {error}"))),
            None => Ok(Self(Arc::new(Unregistered { kind, settings }))),
        }
    }
}
