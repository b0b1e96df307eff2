//! The networks and data sets that experiment files can name, by their kinds: one list for the process, which programs
//! extend before they read a file.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use gradspectra_data::{Avila, Cifar10, Cifar100, LabelledDataSet, Mnist};
use gradspectra_models::{Architecture, FcnSettings, LeNetSettings, LnnSettings, ResNet18Settings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::labelled::Labels;
use super::network::{AnyNetwork, Network};
use super::source::{AnySource, DataSource, Source};
use crate::array_files::ArrayFiles;
use crate::words::{Fault, among};

/// Makes what is registered of its settings.
type Make<T> = fn(&'static str, Map<String, Value>) -> Result<Arc<T>, String>;

/// What is registered under one kind.
struct Entry<T: ?Sized> {
    kind: &'static str,
    of: TypeId,
    make: Make<T>,
}

struct Registry {
    networks: BTreeMap<&'static str, Entry<dyn AnyNetwork>>,
    sources: BTreeMap<&'static str, Entry<dyn AnySource>>,
}

static REGISTRY: LazyLock<RwLock<Registry>> = LazyLock::new(|| {
    let mut registry = Registry { networks: BTreeMap::new(), sources: BTreeMap::new() };
    let built_in = [
        registry.model::<LeNetSettings>("lenet"),
        registry.model::<FcnSettings>("fcn"),
        registry.model::<LnnSettings>("lnn"),
        registry.model::<ResNet18Settings>("resnet18"),
        registry.labelled_data_set::<Mnist>("mnist"),
        registry.labelled_data_set::<Cifar10>("cifar-10"),
        registry.labelled_data_set::<Cifar100>("cifar-100"),
        registry.labelled_data_set::<Avila>("avila"),
        registry.labelled_data_set::<ArrayFiles>(ArrayFiles::KIND),
    ];
    built_in.into_iter().collect::<Result<(), String>>().expect("the kinds differ");
    RwLock::new(registry)
});

impl Registry {
    fn model<A: Architecture>(&mut self, kind: &'static str) -> Result<(), String> {
        insert::<_, A>(&mut self.networks, kind, |kind, settings| {
            Ok(Arc::new(Network::<A>::new(kind, parsed(settings)?)))
        })
    }

    fn data_set<S: DataSource>(&mut self, kind: &'static str) -> Result<(), String> {
        insert::<_, S>(&mut self.sources, kind, |kind, settings| {
            Ok(Arc::new(Source::<S>::new(kind, parsed(settings)?)))
        })
    }

    fn labelled_data_set<D>(&mut self, kind: &'static str) -> Result<(), String>
    where
        D: LabelledDataSet + Clone + Serialize + DeserializeOwned + 'static,
    {
        insert::<_, D>(&mut self.sources, kind, |kind, settings| {
            Ok(Arc::new(Labels::<D>::new(kind, parsed(settings)?)))
        })
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

fn parsed<S: DeserializeOwned>(settings: Map<String, Value>) -> Result<S, String> {
    let parsed = serde_json::from_value(Value::Object(settings.clone()));
    parsed.map_err(|error| {
        // Which key it is, JSON's reader does not say.
        let table = toml::Table::try_from(&settings).unwrap_or_default();
        match table.clone().try_into::<S>() {
            Err(error) => Fault::of(&error, &[], &table).text,
            Ok(_) => Fault::told(&error.to_string(), Vec::new()).text,
        }
    })
}

/// Admits the network `A` to experiment files as `{ kind = "…" }`.
pub(crate) fn register_model<A: Architecture>(kind: &'static str) -> Result<(), String> {
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).model::<A>(kind)
}

/// Admits the data set `S` to experiment files.
pub(crate) fn register_data_set<S: DataSource>(kind: &'static str) -> Result<(), String> {
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).data_set::<S>(kind)
}

/// Admits the data set `D`, examples with a class each, to experiment files.
pub(crate) fn register_labelled_data_set<D>(kind: &'static str) -> Result<(), String>
where
    D: LabelledDataSet + Clone + Serialize + DeserializeOwned + 'static,
{
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).labelled_data_set::<D>(kind)
}

/// The network of this kind and settings; `None` where none is registered as it.
pub(super) fn network(kind: &str, settings: Map<String, Value>) -> Option<Result<Arc<dyn AnyNetwork>, String>> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.networks.get(kind).map(|entry| (entry.make)(entry.kind, settings))
}

/// The data set of this kind and settings; `None` where none is registered as it.
pub(super) fn source(kind: &str, settings: Map<String, Value>) -> Option<Result<Arc<dyn AnySource>, String>> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.sources.get(kind).map(|entry| (entry.make)(entry.kind, settings))
}

/// Why there is no network of this kind.
pub(super) fn no_network(kind: &str) -> String {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    unknown("model", kind, registry.networks.keys().copied().collect())
}

/// Why there is no data set of this kind.
pub(super) fn no_source(kind: &str) -> String {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    let named = registry.sources.keys().copied().filter(|kind| *kind != ArrayFiles::KIND);
    unknown("data-set", kind, named.collect())
}

fn unknown(what: &str, kind: &str, known: Vec<&str>) -> String {
    format!("{what} is {kind:?}; {}", among(kind, &known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_or_is_none_is_refused_and_leaves_what_was_there() {
        register_model::<LeNetSettings>("lenet").expect("the same again");
        let taken = register_model::<FcnSettings>("lenet").expect_err("taken");
        assert!(taken.starts_with("\"lenet\" is the name of something else already"), "{taken}");
        let network = network("lenet", Map::new()).expect("registered").expect("settings have defaults");
        assert_eq!(network.title(), "LeNet");
        for kind in ["", "Spiral Net", "spiral_net"] {
            let refused = register_model::<LeNetSettings>(kind).expect_err("no name");
            assert!(refused.contains("small letters, digits and -"), "{refused}");
        }
    }
}
