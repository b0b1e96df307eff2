//! Files that are whole or not there, and arrays in files: NumPy's and SafeTensors'. Without Burn.

mod counted;
mod error;
mod header;
mod kind;
pub mod npy;
mod stored;
mod whole;

pub use counted::counted;
pub use error::{Error, Result};
pub use header::{HeaderError, HeaderTensor, SafetensorsHeader};
pub use kind::FileKind;
pub use stored::{Kind, Number, StoredArray};
pub use whole::{TEMPORARY, hold_writes, place, read_json, sha256, sha256_of_file, write, write_json};
