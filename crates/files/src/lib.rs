//! Files that are whole or not there, arrays in files (NumPy's and SafeTensors'), and numbers in the words of messages.
//! Without Burn.

mod error;
mod header;
mod in_words;
mod kind;
pub mod npy;
mod stored;
mod whole;

pub use error::{Error, Result};
pub use header::{HeaderError, HeaderTensor, SafetensorsHeader};
pub use in_words::{counted, duration};
pub use kind::FileKind;
pub use stored::{Kind, Number, StoredArray};
pub use whole::{TEMPORARY, hold_writes, place, read_json, sha256, sha256_of_file, write, write_json};
