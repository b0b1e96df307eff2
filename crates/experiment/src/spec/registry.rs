//! The networks and data sets that experiment files can name, by their kinds: one list for the process, which programs
//! extend before they read a file.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock, RwLockReadGuard};

use serde_json::{Map, Value};

use super::{DataSettings, DataSpec, ModelSettings, ModelSpec};
use crate::words::among;

/// Makes settings of what an experiment file writes beside the kind.
type Make<T> = fn(&'static str, Map<String, Value>) -> Result<Arc<T>, String>;

/// What is registered under one kind.
struct Entry<T: ?Sized> {
    kind: &'static str,
    of: TypeId,
    make: Make<T>,
}

/// What is registered, by kind.
pub struct Registry {
    models: BTreeMap<&'static str, Entry<dyn ModelSettings>>,
    data_sets: BTreeMap<&'static str, Entry<dyn DataSettings>>,
}

/// What a crate registers in every program that it is linked into; `inventory::submit!` hands it over.
pub struct BuiltIn(
    /// Registers it.
    pub fn(&mut Registry) -> Result<(), String>,
);

inventory::collect!(BuiltIn);

static REGISTRY: LazyLock<RwLock<Registry>> = LazyLock::new(|| {
    let mut registry = Registry { models: BTreeMap::new(), data_sets: BTreeMap::new() };
    for built_in in inventory::iter::<BuiltIn> {
        (built_in.0)(&mut registry).expect("the kinds differ");
    }
    RwLock::new(registry)
});

impl Registry {
    /// Admits the network whose settings are an `S` as `model = { kind = "…", … }`.
    ///
    /// # Errors
    ///
    /// `kind` is no name, or that of another network.
    pub fn model<S: 'static>(&mut self, kind: &'static str, make: Make<dyn ModelSettings>) -> Result<(), String> {
        insert::<_, S>(&mut self.models, kind, make)
    }

    /// Admits the data set whose settings are an `S` as `data-set = { kind = "…", … }`.
    ///
    /// # Errors
    ///
    /// `kind` is no name, or that of another data set.
    pub fn data_set<S: 'static>(&mut self, kind: &'static str, make: Make<dyn DataSettings>) -> Result<(), String> {
        insert::<_, S>(&mut self.data_sets, kind, make)
    }
}

fn insert<T: ?Sized, S: 'static>(
    entries: &mut BTreeMap<&'static str, Entry<T>>,
    kind: &'static str,
    make: Make<T>,
) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if kind.is_empty() || !kind.chars().all(plain) {
        return Err(format!("{kind:?} is no name for {}; use small letters, digits and -", type_name::<S>()));
    }
    if entries.get(kind).is_some_and(|other| other.of != TypeId::of::<S>()) {
        return Err(format!(
            "\"{kind}\" is the name of something else already; register {} by another",
            type_name::<S>()
        ));
    }
    entries.insert(kind, Entry { kind, of: TypeId::of::<S>(), make });
    Ok(())
}

/// Extends what is registered.
///
/// # Errors
///
/// As of `register`.
pub fn register(register: impl FnOnce(&mut Registry) -> Result<(), String>) -> Result<(), String> {
    register(&mut REGISTRY.write().unwrap_or_else(PoisonError::into_inner))
}

fn registry() -> RwLockReadGuard<'static, Registry> {
    REGISTRY.read().unwrap_or_else(PoisonError::into_inner)
}

/// The network of this kind and settings; `None` where none is registered as it.
pub(super) fn model(kind: &str, settings: Map<String, Value>) -> Option<Result<Arc<dyn ModelSettings>, String>> {
    registry().models.get(kind).map(|entry| (entry.make)(entry.kind, settings))
}

/// The data set of this kind and settings; `None` where none is registered as it.
pub(super) fn data_set(kind: &str, settings: Map<String, Value>) -> Option<Result<Arc<dyn DataSettings>, String>> {
    registry().data_sets.get(kind).map(|entry| (entry.make)(entry.kind, settings))
}

/// Why there is no network of this kind.
pub fn no_model(kind: &str) -> String {
    unknown("model", kind, registry().models.keys().copied().collect())
}

/// Why there is no data set of this kind.
pub fn no_data_set(kind: &str) -> String {
    unknown(
        "data-set",
        kind,
        registry().data_sets.keys().copied().filter(|kind| *kind != DataSpec::OWN_FILES).collect(),
    )
}

impl ModelSpec {
    /// Why it cannot be used, where no network is registered as this; a program without any takes every kind as it stands.
    pub fn unregistered(&self) -> Option<String> {
        let kind = self.settings().kind();
        let models = &registry().models;
        (!models.is_empty() && !models.contains_key(kind)).then(|| no_model(kind))
    }
}

impl DataSpec {
    /// Why it cannot be used, where no data set is registered as this; a program without any takes every kind as it
    /// stands.
    pub fn unregistered(&self) -> Option<String> {
        let kind = self.settings().kind();
        let data_sets = &registry().data_sets;
        (!data_sets.is_empty() && !data_sets.contains_key(kind)).then(|| no_data_set(kind))
    }
}

fn unknown(what: &str, kind: &str, known: Vec<&str>) -> String {
    format!("{what} is {kind:?}; {}", among(kind, &known))
}
