//! Networks as experiment files name them, and what the program does with them: generic code that is compiled where a
//! network is registered.

use std::fmt::{self, Debug};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use gradspectra_data::LoadOptions;
use gradspectra_models::{Architecture, Facts, load_checkpoint};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Map;

use super::measured::{Measured, measure};
use super::registry::{network, no_network};
use super::source::DataSpec;
use super::{Tagged, Unregistered, tagged};
use crate::error::{Error, Result};
use crate::execute::{Group, make_part_at, run_at, train_at};
use crate::track::{Track, follow_at};

/// A network of an experiment file; inputs and classes follow from the data set.
#[derive(Clone)]
pub struct ModelSpec(Arc<dyn AnyNetwork>);

/// A network without its type.
pub(crate) trait AnyNetwork: Debug + Send + Sync {
    fn kind(&self) -> &str;
    fn settings(&self) -> &dyn erased_serde::Serialize;
    fn title(&self) -> String;
    fn measure(&self, data: &DataSpec, options: LoadOptions) -> Result<Measured>;
    /// Refuses a file of weights that are not this network's for `data`.
    fn check_weights(&self, data: &DataSpec, options: LoadOptions, weights: &Path) -> Result<()>;
    /// Runs the tasks of `group`.
    fn run(&self, group: &Group) -> Result<()>;
    /// Trains the position of `group`.
    fn train(&self, group: &Group) -> Result<()>;
    /// Makes some terms of the Gram matrix of `group`'s task.
    fn make_part(&self, group: &Group, terms: Range<usize>) -> Result<()>;
    /// Follows the training of `group`.
    fn follow(&self, group: &Group, every: usize) -> Result<Vec<Track>>;
}

impl ModelSpec {
    pub(crate) fn network(&self) -> &dyn AnyNetwork {
        &*self.0
    }

    /// Why it cannot be used, where no network is registered as this.
    pub(crate) fn unregistered(&self) -> Option<String> {
        network(self.0.kind(), Map::new()).is_none().then(|| no_network(self.0.kind()))
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
        let value = |spec: &Self| serde_json::to_value(spec).ok();
        value(self) == value(other)
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
        let kind = kind.ok_or_else(|| serde::de::Error::missing_field("kind"))?;
        match network(&kind, settings.clone()) {
            Some(network) => {
                network.map(Self).map_err(|error| serde::de::Error::custom(format!("model {kind}: {error}")))
            }
            None => Ok(Self(Arc::new(Unregistered { kind, settings }))),
        }
    }
}

/// A network of known type.
#[derive(Debug)]
pub(super) struct Network<A> {
    kind: &'static str,
    settings: A,
}

impl<A: Architecture> Network<A> {
    pub(super) fn new(kind: &'static str, settings: A) -> Self {
        Self { kind, settings }
    }

    /// The network for data of which `facts` are known.
    fn build(&self, facts: &Facts, device: &Device) -> Result<A::Model> {
        let refused = |mend| Error::Setting { name: "model", found: self.settings.title(), mend };
        self.settings.build(facts, device).map_err(refused)
    }

    fn at(&self, group: &Group) -> Result<A::Model> {
        self.build(&group.facts()?, group.device)
    }
}

impl<A: Architecture> AnyNetwork for Network<A> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }

    fn measure(&self, data: &DataSpec, options: LoadOptions) -> Result<Measured> {
        let facts = data.source().facts(options)?;
        let model = self.build(&facts, &Device::flex().autodiff())?;
        let specimen = data.specimen(options)?;
        let mut measured = measure(&model, &*specimen)?;
        measured.multiply_adds = self.settings.multiply_adds(&facts).unwrap_or(measured.parameters as u64);
        (measured.examples, measured.features) = (facts.examples, facts.features());
        measured.activations = self.settings.activations(&facts);
        Ok(measured)
    }

    fn check_weights(&self, data: &DataSpec, options: LoadOptions, weights: &Path) -> Result<()> {
        let model = self.build(&data.source().facts(options)?, &Device::flex())?;
        Ok(load_checkpoint(model, weights).map(|_| ())?)
    }

    fn run(&self, group: &Group) -> Result<()> {
        run_at(self.at(group)?, group)
    }

    fn train(&self, group: &Group) -> Result<()> {
        train_at(self.at(group)?, group)
    }

    fn make_part(&self, group: &Group, terms: Range<usize>) -> Result<()> {
        make_part_at(self.at(group)?, group, terms)
    }

    fn follow(&self, group: &Group, every: usize) -> Result<Vec<Track>> {
        follow_at(self.at(group)?, group, every)
    }
}

impl AnyNetwork for Unregistered {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.kind.clone()
    }

    fn measure(&self, _data: &DataSpec, _options: LoadOptions) -> Result<Measured> {
        self.refuse(no_network)
    }

    fn check_weights(&self, _data: &DataSpec, _options: LoadOptions, _weights: &Path) -> Result<()> {
        self.refuse(no_network)
    }

    fn run(&self, _group: &Group) -> Result<()> {
        self.refuse(no_network)
    }

    fn train(&self, _group: &Group) -> Result<()> {
        self.refuse(no_network)
    }

    fn make_part(&self, _group: &Group, _terms: Range<usize>) -> Result<()> {
        self.refuse(no_network)
    }

    fn follow(&self, _group: &Group, _every: usize) -> Result<Vec<Track>> {
        self.refuse(no_network)
    }
}
