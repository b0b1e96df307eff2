//! The data of gradspectra's experiments: MNIST, CIFAR-10, CIFAR-100 and Avila (§A of "On the Overlooked Structure
//! of Stochastic Gradients", NeurIPS 2023), their normalisation, label corruption, augmentation and minibatches; and texts
//! as tokens ([`Characters`], [`Windows`]), Shakespeare's for one.
//!
//! A [`LabelledDataSet`] finds its files ([`DataRoot`]), downloads them if they are nowhere, checks them and gives [`Examples`], which are
//! a Burn dataset. Everything random takes a seed and gives the same numbers on any machine and thread count.
//!
//! ```
//! use gradspectra_data::{
//!     DataRoot, LabelCorruption, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split,
//! };
//!
//! # fn main() -> gradspectra_data::Result<()> {
//! let root = DataRoot::new(None)?;
//! let mut silent = |_: &str, _: u64, _: u64| {};
//! let mut loaded = Mnist {}.load(Split::Test, LoadOptions::default(), &root, &mut silent)?;
//! assert_eq!(loaded.examples.shape(), [1, 28, 28]);
//! assert!(loaded.files.iter().all(|file| file.listed));
//!
//! loaded.examples.corrupt_labels(LabelCorruption::SymmetricNoise { rate: 0.4 }, 1)?;
//!
//! let examples = loaded.examples.len();
//! let minibatches = Minibatches::seeded(examples, 100, 5000, Sampling::ShuffledEpochs, 1)?;
//! let mut reader = minibatches.reader();
//! for iteration in 0..minibatches.iterations() {
//!     for &index in reader.batch(iteration) {
//!         let _input: &[f32] = loaded.examples.input(index as usize);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod augment;
mod data_set;
mod error;
mod examples;
mod idx;
mod images;
mod labels;
mod minibatches;
mod normalisation;
mod official;
mod seed;
mod sequences;
mod sets;

pub use augment::{augmentation_generator, crop_and_flip};
pub use data_set::{DataFacts, LabelledDataSet, LoadOptions, Loaded, LoadedImages};
pub use error::{DataError, Result};
pub use examples::{Example, Examples};
pub use idx::read_idx;
pub use images::ImageSet;
pub use labels::LabelCorruption;
pub use minibatches::{MinibatchReader, Minibatches, Sampling, epoch_order};
pub use normalisation::{Normalisation, Normaliser};
pub use official::catalogue::Split;
pub use official::download::Progress;
pub use official::file::FileProvenance;
pub use official::locate::DataRoot;
pub use sequences::characters::{Characters, Stranger};
pub use sequences::tokens::Tokens;
pub use sequences::windows::Windows;
pub use sets::avila::Avila;
pub use sets::cifar::{Cifar10, Cifar100, Cifar100Labels};
pub use sets::mnist::Mnist;
pub use sets::shakespeare::Shakespeare;
