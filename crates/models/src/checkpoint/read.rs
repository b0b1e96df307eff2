use std::path::Path;

use burn::store::burn_pack::Tensor;
use burn::store::pytorch_reader::PytorchReader;
use burn::store::{BurnpackStore, ModuleStore, SafetensorsStore, bridge, map_indices_contiguous};
use gradspectra_files::{FileKind, HeaderError, SafetensorsHeader};
use safetensors::Dtype;

use super::parameters::Layout;
use super::{CheckpointError, burnpack, pickle};

/// The tensors of a file, none of which is read yet.
pub(super) struct Stored {
    pub tensors: Vec<Tensor>,
    pub layout: Layout,
    /// Whether the names in the file leave out variants of a module's enums.
    pub skip_enum_variants: bool,
}

impl Stored {
    /// The parameters in the file at `path`, whose format its first bytes tell.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
        let kind = FileKind::of(path).map_err(|error| unreadable(error.to_string()))?;
        match kind {
            FileKind::Safetensors => safetensors(path),
            FileKind::Zip | FileKind::Pickle | FileKind::Tar => pytorch(path, kind),
            FileKind::Burnpack => {
                burnpack::check(path)?;
                let tensors = all(BurnpackStore::from_file(path)).map_err(unreadable)?;
                Ok(Self { tensors, layout: Layout::Burn, skip_enum_variants: false })
            }
            // Pickles as text have no beginning of their own.
            FileKind::Text | FileKind::Unknown if named_as_pytorchs(path) => pytorch(path, kind),
            kind => Err(unreadable(format!("it is {kind}"))),
        }
    }
}

fn named_as_pytorchs(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pt" || extension == "pth")
}

fn all<S: ModuleStore>(mut store: S) -> Result<Vec<Tensor>, String> {
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.values().cloned().collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn safetensors(path: &Path) -> Result<Stored, CheckpointError> {
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    let header = SafetensorsHeader::read(path).map_err(|error: HeaderError| unreadable(error.to_string()))?;
    let numbers = |dtype| {
        use Dtype::{BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(dtype, F64 | F32 | F16 | BF16 | I64 | I32 | I16 | I8 | U64 | U32 | U16 | U8 | BOOL)
    };
    if let Some(tensor) = header.tensors.iter().find(|tensor| !numbers(tensor.dtype)) {
        let what = format!("of {:?}; parameters are real numbers: save them as float32", tensor.dtype);
        return Err(CheckpointError::Numbers { path: path.to_owned(), tensor: tensor.name.clone(), what });
    }
    let tensors = all(SafetensorsStore::from_file(path)).map_err(unreadable)?;
    let burns = header.metadata.get("producer").is_some_and(|name| name == "burn");
    let layout = if burns { Layout::Burn } else { Layout::PyTorch };
    Ok(Stored { tensors, layout, skip_enum_variants: false })
}

fn pytorch(path: &Path, kind: FileKind) -> Result<Stored, CheckpointError> {
    let unreadable = |reason: String| CheckpointError::Unreadable { path: path.to_owned(), reason };
    let pickles = pickle::pickles(path, kind).map_err(|error| unreadable(error.to_string()))?;
    if let Some(pickle::Foreign { tensor, what }) = pickle::foreign(&pickles) {
        return Err(CheckpointError::Numbers { path: path.to_owned(), tensor, what: what.to_owned() });
    }
    let reader = PytorchReader::new(path).map_err(|error| match error.to_string() {
        nothing if nothing.contains("no ZIP, TAR, legacy or pickle header") => unreadable(format!("it is {kind}")),
        other => unreadable(other),
    })?;
    let tensors = reader.into_tensors().into_values().map(bridge::from_pytorch).collect();
    let (tensors, _) = map_indices_contiguous(tensors);
    Ok(Stored { tensors, layout: Layout::PyTorch, skip_enum_variants: true })
}
