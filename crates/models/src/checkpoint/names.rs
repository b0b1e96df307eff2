//! Which tensor of a file is which of a model: checkpoints hold their weights in a dictionary beside other things, and
//! wrappers put prefixes before their names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use burn::store::burn_pack::Tensor;

use super::CheckpointError;
use super::parameters::{Layout, Parameter, by_name};

/// The keys under which trainings save a model beside its optimiser.
const CONTAINERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// The prefixes of `DataParallel` and of `torch.compile`.
const PREFIXES: [&str; 2] = ["module", "_orig_mod"];
/// What PyTorch or Burn keeps of a BatchNorm layer beside its parameters; a file may lack it.
const BUFFERS: [&str; 4] = ["running_mean", "running_var", "num_batches_tracked", "training"];

fn is_buffer(name: &str) -> bool {
    BUFFERS.contains(&name.rsplit('.').next().unwrap_or(name))
}

/// The tensors that are of the model, under its names: every parameter is among them.
///
/// # Errors
///
/// A parameter is missing, one of the tensors beside them is neither of the model nor equal to one that is, as PyTorch saves a
/// tied weight under both of its names, or two have one name.
pub(super) fn chosen(
    tensors: Vec<Tensor>,
    parameters: &[Parameter],
    layout: Layout,
    path: &Path,
) -> Result<Vec<Tensor>, CheckpointError> {
    let known = by_name(parameters, layout);
    let container = container(&tensors, parameters, &known, layout, path)?;
    let (mut taken, mut strangers) = (BTreeMap::new(), Vec::new());
    for mut tensor in tensors {
        let (place, rest) = split(&tensor.name, &known);
        let (name, ours) = (rest.to_owned(), place == container && known.contains_key(rest));
        if !ours {
            if belongs(&place, &container) && !is_buffer(&tensor.name) {
                strangers.push(tensor);
            }
            continue;
        }
        let full = std::mem::replace(&mut tensor.name, name.clone());
        if let Some((first, _)) = taken.insert(name, (full.clone(), tensor)) {
            let tensors = if first == full { first } else { format!("{first} and {full}") };
            return Err(CheckpointError::Duplicate { path: path.to_owned(), tensors });
        }
    }
    let are_tied = |one: &Tensor, other: &Tensor| {
        let bytes = |tensor: &Tensor| tensor.clone().into_bytes().ok();
        one.shape == other.shape && one.dtype == other.dtype && bytes(one).is_some_and(|one| Some(one) == bytes(other))
    };
    let is_foreign = |stranger: &&Tensor| !taken.values().any(|(_, own)| are_tied(stranger, own));
    if let Some(stranger) = strangers.iter().find(is_foreign) {
        let (path, tensor) = (path.to_owned(), stranger.name.clone());
        let is_alone = strangers.len() == 1;
        return Err(match taken.values().find(|(_, own)| is_alone && own.shape == stranger.shape) {
            Some((like, _)) => CheckpointError::Untied { path, tensor, like: like.clone() },
            None => CheckpointError::Unknown { path, tensor },
        });
    }
    let there = |parameter: &&Parameter| {
        let names = parameter.in_layout(layout).map(|(name, _)| name.as_str());
        names.iter().any(|name| taken.contains_key(*name)) || is_buffer(names[0])
    };
    match parameters.iter().find(|parameter| !there(parameter)) {
        Some(missing) => Err(CheckpointError::Missing { path: path.to_owned(), tensor: missing.named(layout) }),
        None => Ok(taken.into_values().map(|(_, tensor)| tensor).collect()),
    }
}

/// The containers that a name begins with, and the model's own name behind them and the prefixes.
fn split<'a>(name: &'a str, known: &HashMap<&str, &Parameter>) -> (Vec<&'a str>, &'a str) {
    let (mut containers, mut rest) = (Vec::new(), name);
    while !known.contains_key(rest)
        && let Some((first, behind)) = rest.split_once('.')
    {
        match (CONTAINERS.contains(&first), PREFIXES.contains(&first)) {
            (true, _) => containers.push(first),
            (_, true) => {}
            _ => break,
        }
        rest = behind;
    }
    (containers, rest)
}

/// Whether a tensor at `place` is of the dictionary that `container` is in, of which all must be of the model.
fn belongs(place: &[&str], container: &[String]) -> bool {
    container.first().is_none_or(|first| place.first() == Some(&first.as_str()))
}

/// The one container that holds tensors of the model; empty where they are in none.
fn container(
    tensors: &[Tensor],
    parameters: &[Parameter],
    known: &HashMap<&str, &Parameter>,
    layout: Layout,
    path: &Path,
) -> Result<Vec<String>, CheckpointError> {
    let places = tensors.iter().map(|tensor| split(&tensor.name, known));
    let mut fitting: BTreeSet<_> =
        places.filter(|(_, rest)| known.contains_key(rest)).map(|(place, _)| place).collect();
    let owned = |place: Vec<&str>| place.into_iter().map(str::to_owned).collect();
    match (fitting.pop_first(), fitting.pop_first()) {
        (Some(only), None) => Ok(owned(only)),
        (Some(first), Some(second)) => {
            let place = |place: &[&str]| if place.is_empty() { "the file itself".to_owned() } else { place.join(".") };
            let places = format!("{} and in {}", place(&first), place(&second));
            Err(CheckpointError::Ambiguous { path: path.to_owned(), places })
        }
        (None, _) => {
            let own = |parameter: &Parameter| parameter.in_layout(layout)[0].0.clone();
            let expected = listed(parameters.iter().map(own).filter(|name| !is_buffer(name)).collect());
            let found = listed(tensors.iter().map(|tensor| tensor.name.clone()).collect());
            Err(CheckpointError::Foreign { path: path.to_owned(), expected, found })
        }
    }
}

/// The first of the names in their order, and how many there are more.
fn listed(mut names: Vec<String>) -> String {
    const MOST: usize = 6;
    names.sort();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}
