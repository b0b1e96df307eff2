//! What experiment files can name in every program, and what a user's program adds.

use std::sync::Arc;

use gradspectra_data::{Avila, Cifar10, Cifar100, LabelledDataSet, Mnist, Shakespeare};
use gradspectra_experiment::DataSpec;
use gradspectra_experiment::spec::{BuiltIn, Registry, register};
use gradspectra_experiment::words::Fault;
use gradspectra_models::{
    Architecture, FcnSettings, GptSettings, LeNetSettings, LnnSettings, MlpSettings, ResNet18GroupNormSettings,
    ResNet18Settings, VitSettings,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::labelled::Labels;
use super::network::{Network, RegisteredNetwork};
use super::source::{DataSource, RegisteredSource, Source};
use super::sources::{OfficialText, RegressionFiles, TextFile, TokenFiles};
use crate::subject::array_files::ArrayFiles;

inventory::submit! {
    BuiltIn(built_in)
}

fn built_in(registry: &mut Registry) -> Result<(), String> {
    model::<LeNetSettings>(registry, "lenet")?;
    model::<FcnSettings>(registry, "fcn")?;
    model::<LnnSettings>(registry, "lnn")?;
    model::<ResNet18Settings>(registry, "resnet18")?;
    model::<ResNet18GroupNormSettings>(registry, "resnet18-group-norm")?;
    model::<GptSettings>(registry, "gpt")?;
    model::<VitSettings>(registry, "vit")?;
    model::<MlpSettings>(registry, "mlp")?;
    labelled_data_set::<Mnist>(registry, "mnist")?;
    labelled_data_set::<Cifar10>(registry, "cifar-10")?;
    labelled_data_set::<Cifar100>(registry, "cifar-100")?;
    labelled_data_set::<Avila>(registry, "avila")?;
    labelled_data_set::<ArrayFiles>(registry, DataSpec::OWN_FILES)?;
    registry.data_set::<Shakespeare>("shakespeare", |kind, settings| {
        Ok(Arc::new(RegisteredSource::new(OfficialText::new(kind, parsed(settings)?))))
    })?;
    data_set::<TextFile>(registry, "text")?;
    data_set::<TokenFiles>(registry, "tokens")?;
    data_set::<RegressionFiles>(registry, "regression")
}

fn model<A: Architecture>(registry: &mut Registry, kind: &'static str) -> Result<(), String> {
    registry.model::<A>(kind, |kind, settings| {
        Ok(Arc::new(RegisteredNetwork::new(Network::<A>::new(kind, parsed(settings)?))))
    })
}

fn data_set<S: DataSource>(registry: &mut Registry, kind: &'static str) -> Result<(), String> {
    registry.data_set::<S>(kind, |kind, settings| {
        Ok(Arc::new(RegisteredSource::new(Source::<S>::new(kind, parsed(settings)?))))
    })
}

fn labelled_data_set<D>(registry: &mut Registry, kind: &'static str) -> Result<(), String>
where
    D: LabelledDataSet + Clone + Serialize + DeserializeOwned + 'static,
{
    registry.data_set::<D>(kind, |kind, settings| {
        Ok(Arc::new(RegisteredSource::new(Labels::<D>::new(kind, parsed(settings)?))))
    })
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

/// Admits the network `A` to experiment files as `model = { kind = "…", … }`.
///
/// # Errors
///
/// `kind` is no name, or that of another network.
pub fn register_model<A: Architecture>(kind: &'static str) -> Result<(), String> {
    register(|registry| model::<A>(registry, kind))
}

/// Admits the data set `S` to experiment files as `data-set = { kind = "…", … }`.
///
/// # Errors
///
/// `kind` is no name, or that of another data set.
pub fn register_data_set<S: DataSource>(kind: &'static str) -> Result<(), String> {
    register(|registry| data_set::<S>(registry, kind))
}

/// Admits the data set `D`, examples with a class each, to experiment files as `data-set = { kind = "…", … }`.
///
/// # Errors
///
/// `kind` is no name, or that of another data set.
pub fn register_labelled_data_set<D>(kind: &'static str) -> Result<(), String>
where
    D: LabelledDataSet + Clone + Serialize + DeserializeOwned + 'static,
{
    register(|registry| labelled_data_set::<D>(registry, kind))
}

#[cfg(test)]
mod tests {
    use gradspectra_experiment::ModelSpec;

    use super::*;

    #[test]
    fn a_name_that_is_taken_or_is_none_is_refused_and_leaves_what_was_there() {
        register_model::<LeNetSettings>("lenet").expect("the same again");
        let taken = register_model::<FcnSettings>("lenet").expect_err("taken");
        assert!(taken.starts_with("\"lenet\" is the name of something else already"), "{taken}");
        let lenet: ModelSpec = serde_json::from_str(r#"{ "kind": "lenet" }"#).expect("settings have defaults");
        assert_eq!(lenet.to_string(), "LeNet");
        for kind in ["", "Spiral Net", "spiral_net"] {
            let refused = register_model::<LeNetSettings>(kind).expect_err("no name");
            assert!(refused.contains("small letters, digits and -"), "{refused}");
        }
    }
}
