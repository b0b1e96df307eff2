use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::{
    ApplyResult, BurnToPyTorchAdapter, BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, PytorchStore, SafetensorsStore, SafetensorsStoreError,
};
use burn::tensor::{DType, Tensor};
use safetensors::SafeTensors;

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file is missing, cut short, or not of its format.
    #[error("{}: {reason}; expected a SafeTensors file, PyTorch's .pt or Burn's .bpk with the model's tensors", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// The model has a tensor that the file lacks.
    #[error("{}: has no tensor {tensor}; give the weights of the model that is asked for", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor's path, as PyTorch names it.
        tensor: String,
    },
    /// The file has a tensor that the model lacks.
    #[error("{}: tensor {tensor} is not of this model; give the weights of the model that is asked for", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
    },
    /// A tensor has another shape or kind of number than the model's.
    #[error("{}: {reason}; give the weights of the model that is asked for", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Which tensor, with what was found and expected.
        reason: String,
    },
    /// A weight is NaN or infinite.
    #[error("{}: tensor {tensor} holds a value that is not finite; save the weights again", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's path.
        tensor: String,
    },
    /// The file could not be written.
    #[error("{}: cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        reason: String,
    },
}

/// Writes the parameters of `model` as SafeTensors with PyTorch's names and layout (`fc1.weight` is `[out, in]`).
///
/// The file is written beside its place and renamed, so that a reader never sees half of it; equal parameters give
/// equal bytes.
pub fn save_checkpoint<M: Module>(model: &M, path: &Path) -> Result<(), CheckpointError> {
    save_into(model, SafetensorsStore::from_file(path).overwrite(true)).map_err(|error| unwritable(path, error))?;
    Ok(())
}

/// The bytes that [`save_checkpoint`] writes; errors name `path`, where they are to go.
pub fn checkpoint_bytes<M: Module>(model: &M, path: &Path) -> Result<Vec<u8>, CheckpointError> {
    let saved = save_into(model, SafetensorsStore::from_bytes(None));
    saved.and_then(|store| store.get_bytes()).map_err(|error| unwritable(path, error))
}

fn save_into<M: Module>(model: &M, store: SafetensorsStore) -> Result<SafetensorsStore, SafetensorsStoreError> {
    let mut store = store
        .with_to_adapter(BurnToPyTorchAdapter)
        .with_predicate(|tensor, _| !tensor.ends_with(".training"))
        .clear_metadata()
        .metadata("format", "pt");
    model.valid().save_into(&mut store)?;
    Ok(store)
}

fn unwritable(path: &Path, error: SafetensorsStoreError) -> CheckpointError {
    CheckpointError::Unwritable { path: path.to_owned(), reason: error.to_string() }
}

/// Loads parameters into `model`: with PyTorch's names and layout from SafeTensors or, where `path` ends in `.pt` or
/// `.pth`, from PyTorch's own format (tensors only; nothing in the file is executed); with Burn's from a `.bpk`, or from
/// SafeTensors that name Burn as their producer.
///
/// # Errors
///
/// Every tensor of the model must be there, in its shape and finite, and none besides.
pub fn load_checkpoint<M: Module>(mut model: M, path: &Path) -> Result<M, CheckpointError> {
    let to_burn = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    let to_single = FloatCastAdapter::to(DType::F32);
    let applied = match path.extension().and_then(|extension| extension.to_str()) {
        Some("pt" | "pth") => {
            apply(PytorchStore::from_file(path).allow_partial(true).validate(false), &mut model, path)
        }
        Some("bpk") => {
            check_metadata(path)?;
            check_metadata(path)?;
            let store = BurnpackStore::from_file(path).with_from_adapter(to_single);
            apply(store.allow_partial(true).validate(false), &mut model, path)
        }
        _ => {
            let store = SafetensorsStore::from_file(path).allow_partial(true).validate(false);
            let store = match produced_by_burn(path) {
                true => store.with_from_adapter(to_single),
                false => store.with_from_adapter(to_burn),
            };
            apply(store, &mut model, path)
        }
    }?;
    check(&applied, path)?;
    let mut finite = FiniteCheck { path: Vec::new(), offender: None };
    model.visit(&mut finite);
    match finite.offender {
        Some(tensor) => Err(CheckpointError::NotFinite { path: path.to_owned(), tensor }),
        None => Ok(model),
    }
}

/// Refuses a `.bpk` whose metadata is longer than the file: Burn's reader would set memory aside for it.
fn check_metadata(path: &Path) -> Result<(), CheckpointError> {
    const METADATA_SIZE: Range<usize> = 6..10;
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    let io = |error: std::io::Error| unreadable(error.to_string());
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut header = Vec::new();
    file.take(METADATA_SIZE.end as u64).read_to_end(&mut header).map_err(io)?;
    let size = header.get(METADATA_SIZE).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    match u64::from(size) <= length {
        true => Ok(()),
        false => Err(unreadable(format!("metadata of {size} bytes in a file of {length}"))),
    }
}

/// Whether a SafeTensors file says that Burn wrote it in its own layout; not where it cannot be read.
fn produced_by_burn(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let Ok((_, metadata)) = SafeTensors::read_metadata(&bytes) else { return false };
    metadata.metadata().as_ref().and_then(|metadata| metadata.get("producer")).is_some_and(|name| name == "burn")
}

fn apply<S: ModuleStore, M: Module>(mut store: S, model: &mut M, path: &Path) -> Result<ApplyResult, CheckpointError>
where
    S::Error: std::fmt::Display,
{
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    File::open(path).map_err(|error| unreadable(error.to_string()))?;
    model.load_from(&mut store).map_err(|error| unreadable(error.to_string()))
}

/// What PyTorch or Burn keeps of a BatchNorm layer beside its parameters; a file may lack it.
const BUFFERS: [&str; 4] = ["running_mean", "running_var", "num_batches_tracked", "training"];

fn check(applied: &ApplyResult, path: &Path) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    if let Some(error) = applied.errors.first() {
        return Err(CheckpointError::Unfit { path, reason: error.to_string() });
    }
    let parameter = |name: &str| !BUFFERS.contains(&name.rsplit('.').next().unwrap_or(name));
    if let Some((tensor, _)) = applied.missing.iter().find(|(name, _)| parameter(name)) {
        return Err(CheckpointError::Missing { path, tensor: tensor.clone() });
    }
    match applied.unused.iter().find(|name| parameter(name)) {
        Some(tensor) => Err(CheckpointError::Unknown { path, tensor: tensor.clone() }),
        None => Ok(()),
    }
}

struct FiniteCheck {
    path: Vec<String>,
    offender: Option<String>,
}

impl ModuleVisitor for FiniteCheck {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let finite = param.val().is_finite().all().into_scalar::<bool>();
        if !finite && self.offender.is_none() {
            self.offender = Some(self.path.join("."));
        }
    }
}
