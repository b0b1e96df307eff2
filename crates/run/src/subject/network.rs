//! Networks as experiment files name them, and what the program does with them: generic code that is compiled where a
//! network is registered.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use gradspectra_data::LoadOptions;
use gradspectra_experiment::spec::{ModelSettings, no_model};
use gradspectra_experiment::{DataSpec, ModelSpec, Track};
use gradspectra_models::{Architecture, Facts, load_checkpoint};

use super::measured::{Measured, measure};
use super::source::{source, specimen};
use crate::error::{Error, Result};
use crate::execute::{Group, make_part_at, run_at, train_at};
use crate::track::follow_at;

/// A network without its type.
pub(crate) trait AnyNetwork: ModelSettings {
    /// What is known of it for `data`.
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

/// A network as it is registered.
#[derive(Debug)]
pub(super) struct RegisteredNetwork(Arc<dyn AnyNetwork>);

impl RegisteredNetwork {
    pub(super) fn new<A: Architecture>(network: Network<A>) -> Self {
        Self(Arc::new(network))
    }
}

impl ModelSettings for RegisteredNetwork {
    fn kind(&self) -> &str {
        self.0.kind()
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        self.0.settings()
    }

    fn title(&self) -> String {
        self.0.title()
    }
}

/// The network of `spec`.
///
/// # Errors
///
/// None is registered as its kind.
pub(crate) fn network(spec: &ModelSpec) -> Result<&dyn AnyNetwork> {
    let settings: &dyn Any = spec.settings();
    match settings.downcast_ref::<RegisteredNetwork>() {
        Some(network) => Ok(&*network.0),
        None => Err(Error::Unfit { reason: no_model(spec.settings().kind()) }),
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

impl<A: Architecture> ModelSettings for Network<A> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.settings.title()
    }
}

impl<A: Architecture> AnyNetwork for Network<A> {
    fn measure(&self, data: &DataSpec, options: LoadOptions) -> Result<Measured> {
        let facts = source(data)?.facts(options)?;
        let model = self.build(&facts, &Device::flex().autodiff())?;
        let specimen = specimen(data, options)?;
        let mut measured = measure(&model, &*specimen)?;
        (measured.examples, measured.features) = (facts.examples, facts.features());
        Ok(measured)
    }

    fn check_weights(&self, data: &DataSpec, options: LoadOptions, weights: &Path) -> Result<()> {
        let model = self.build(&source(data)?.facts(options)?, &Device::flex())?;
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
