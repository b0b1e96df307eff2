//! The readers of foreign files, each as a function of bytes that must return: no panic, no hang, no more memory than
//! [`bound`] says.
//!
//! The fuzz targets call these, and `crates/gradspectra/tests/program/seeds.rs` calls them with the files in `seeds/`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::Device;
use gradspectra::data::{Avila, Cifar10, Cifar100, DataRoot, LabelledDataSet, LoadOptions, Mnist, Split};
use gradspectra::memory::peak_of;
use gradspectra::models::{BatchNormPlacement, FcnConfig, load_checkpoint};
use gradspectra::{AnalyzeOptions, Experiment, Orientation, Reporter, RowResult, Verbosity, analyze, read_values};

/// The bytes of memory that a reader may hold at once for a file of `length` bytes. Deflate packs up to 1032 bytes into one,
/// a growing vector is copied at twice its size, and pixels become numbers of four bytes.
pub fn bound(length: usize) -> usize {
    (8 << 20) + 8192 * length
}

/// Held by what takes memory, so that [`check`] sees its reader's alone.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `reader`, one at a time.
///
/// # Panics
///
/// If it holds more memory than [`bound`] says.
pub fn check(reader: fn(&[u8]), bytes: &[u8]) {
    let _turn = turn();
    let ((), taken) = peak_of(|| reader(bytes));
    let taken = taken.expect("the allocator counts");
    assert!(taken <= bound(bytes.len()) as u64, "{taken} bytes of memory for a file of {}", bytes.len());
}

thread_local! {
    /// A folder of the thread's own, in memory where that is one.
    static FOLDER: tempfile::TempDir = {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        folder.expect("a temporary folder")
    };
}

/// MNIST's two files, IDX, plain or gzipped: two bytes with the length of the first, the first, the second.
pub fn idx(bytes: &[u8]) {
    let Some((&[low, high], files)) = bytes.split_first_chunk() else { return };
    let (images, labels) = files.split_at(usize::from(u16::from_le_bytes([low, high])).min(files.len()));
    let folder = folder("idx");
    write(&folder, "t10k-images-idx3-ubyte", images);
    write(&folder, "t10k-labels-idx1-ubyte", labels);
    let _ = Mnist {}.load_images(Split::Test, LoadOptions::default(), &DataRoot::Given(folder), &mut silent);
}

/// A file of CIFAR's binary version, first as CIFAR-10's and then as CIFAR-100's.
pub fn cifar_binary(bytes: &[u8]) {
    let folder = folder("cifar-binary");
    let data_sets: [(&dyn LabelledDataSet, _); 2] = [(&Cifar10 {}, "test_batch.bin"), (&Cifar100 {}, "test.bin")];
    for (data_set, name) in data_sets {
        write(&folder, name, bytes);
        let root = DataRoot::Given(folder.clone());
        let _ = data_set.load_images(Split::Test, LoadOptions::default(), &root, &mut silent);
    }
}

/// CIFAR-10's archive.
pub fn cifar_archive(bytes: &[u8]) {
    let folder = folder("cifar-archive");
    write(&folder, "cifar-10-binary.tar.gz", bytes);
    let _ = Cifar10 {}.load_images(Split::Test, LoadOptions::default(), &DataRoot::Given(folder), &mut silent);
}

/// Avila's training file.
pub fn avila(bytes: &[u8]) {
    let folder = folder("avila");
    write(&folder, "avila-tr.txt", bytes);
    let _ = Avila {}.load(Split::Train, LoadOptions::default(), &DataRoot::Given(folder), &mut silent);
}

/// The values of an `.npy`.
pub fn npy(bytes: &[u8]) {
    let _ = read_values(&write(&folder("npy"), "values.npy", bytes));
}

/// A gradient matrix in an `.npy` and in a SafeTensors file, read in both ways and analysed: not for [`check`], since the
/// products' workspaces are as large as the CPU's cache.
pub fn matrix(bytes: &[u8]) {
    let _turn = turn();
    let reporter = Reporter::new(Verbosity::Quiet);
    for name in ["matrix.npy", "matrix.safetensors"] {
        let path = write(&folder("matrix"), name, bytes);
        for orientation in [Orientation::IterationsByParameters, Orientation::ParametersByIterations] {
            let (memory, seed, top) = (1 << 16, 1, Some(2));
            let _ = analyze(
                &path,
                &AnalyzeOptions { orientation, tensor: None, top, seed, memory, out: None, replace: false, reporter },
            );
        }
    }
}

/// Weights of a small network as SafeTensors.
pub fn safetensors(bytes: &[u8]) {
    weights(bytes, "weights.safetensors");
}

/// Weights of a small network in PyTorch's format.
pub fn pt(bytes: &[u8]) {
    weights(bytes, "weights.pt");
}

/// Weights of a small network in Burn's format.
pub fn bpk(bytes: &[u8]) {
    weights(bytes, "weights.bpk");
}

/// The text of an experiment file.
pub fn experiment(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Experiment::parse("fuzzed", text, Path::new("fuzzed.toml"));
    }
}

/// The result of a row.
pub fn result(bytes: &[u8]) {
    let _ = serde_json::from_slice::<RowResult>(bytes);
}

fn weights(bytes: &[u8], name: &str) {
    let config = FcnConfig::new(10).with_classes(12).with_width(4).with_batch_norm(BatchNormPlacement::None);
    let path = write(&folder("weights"), name, bytes);
    let _ = load_checkpoint(config.init(&Device::flex()), &path);
}

fn folder(name: &str) -> PathBuf {
    let folder = FOLDER.with(|folder| folder.path().join(name));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

fn silent(_: &str, _: u64, _: u64) {}
