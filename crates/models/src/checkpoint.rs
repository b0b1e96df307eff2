//! Parameters in files.

mod burnpack;
mod convert;
mod names;
mod parameters;
mod pickle;
mod read;

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{
    BurnToPyTorchAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore, SafetensorsStoreError,
};

pub use convert::Conversion;

use convert::to_single;
use names::chosen;
use parameters::{Layout, Parameters, by_name};
use read::Stored;

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
        /// The tensor's name in a file of this layout, with the other where that differs.
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
    /// The file has one tensor that the model lacks, which has the shape of another and is not equal to it.
    #[error(
        "{}: tensor {tensor} is not of this model and not equal to {like}, to which it could be tied; give the weights of the \
         model that is asked for, or ask for one that has it",
        path.display()
    )]
    Untied {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// The tensor that has its shape.
        like: String,
    },
    /// A tensor has another shape or kind of number than the model's.
    #[error("{}: {reason}; give the weights of the model that is asked for", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Which tensor, with what was found and expected.
        reason: String,
    },
    /// Nothing in the file has a name of the model's.
    #[error("{}: has no tensor {expected}; it has {found}; give the weights of the model that is asked for", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The model's names.
        expected: String,
        /// The file's names.
        found: String,
    },
    /// The file holds the model's weights under two keys.
    #[error("{}: has weights of the model in {places}; save one of them alone", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The keys.
        places: String,
    },
    /// Two tensors of the file have one name.
    #[error("{}: has the tensor {tensors} twice under one name; save it once", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The names in the file, where a prefix sets them apart.
        tensors: String,
    },
    /// A tensor's numbers are not what parameters are.
    #[error("{}: tensor {tensor} is {what}", path.display())]
    Numbers {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What its numbers are, and the mend.
        what: String,
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

/// Loads parameters into `model`, as [`read_checkpoint`] does, and leaves unsaid what was converted.
///
/// # Errors
///
/// As there.
pub fn load_checkpoint<M: Module>(model: M, path: &Path) -> Result<M, CheckpointError> {
    Ok(read_checkpoint(model, path)?.0)
}

/// Loads parameters into `model`, and says which of them were not float32 in the file.
///
/// The first bytes tell the format, whatever the name. SafeTensors and PyTorch's own format (`.pt`, `.pth`, `.ckpt`,
/// `.bin`: tensors only; nothing in the file is executed) have PyTorch's names and layout, a `.bpk` and SafeTensors that name
/// Burn as their producer Burn's. Weights under `state_dict`, `model_state_dict` or `model` are taken without what is beside
/// those, and the prefixes `module.` and `_orig_mod.` are left out.
///
/// # Errors
///
/// Every tensor of the model must be there, once, in its shape, finite and of floating-point numbers in float32's range, and
/// none besides.
pub fn read_checkpoint<M: Module>(mut model: M, path: &Path) -> Result<(M, Option<Conversion>), CheckpointError> {
    let Stored { tensors, layout, skip_enum_variants } = Stored::open(path)?;
    let parameters = Parameters::of(&model, skip_enum_variants);
    let known = by_name(&parameters, layout);
    let unfit = |reason: String| CheckpointError::Unfit { path: path.to_owned(), reason };
    let mut conversion = Conversion::default();
    let mut ready = Vec::new();
    for tensor in chosen(tensors, &parameters, layout, path)? {
        let parameter = known[tensor.name.as_str()];
        if tensor.shape[..] != parameter.in_layout(layout)[0].1 {
            return Err(unfit(parameter.misfit(&tensor.shape, layout)));
        }
        ready.push(if parameter.float { to_single(tensor, &mut conversion, path)? } else { tensor });
    }
    let adapter: Option<Box<dyn ModuleAdapter>> = match layout {
        Layout::PyTorch => Some(Box::new(PyTorchToBurnAdapter)),
        Layout::Burn => None,
    };
    let applied = model.apply(ready, None, adapter, skip_enum_variants);
    match applied.errors.first() {
        Some(error) => Err(unfit(error.to_string())),
        None => Ok((model, Some(conversion).filter(|conversion| conversion.tensors > 0))),
    }
}
