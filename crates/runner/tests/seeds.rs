//! The fuzz targets' readers, on the small files that fuzzing begins with and those that it found faults with.

#[path = "../../../fuzz/src/lib.rs"]
mod readers;

use std::path::Path;

#[test]
fn every_reader_returns_on_every_seed() {
    type Reader = fn(&[u8]);
    let readers: [(&str, Reader); 11] = [
        ("idx", readers::idx),
        ("cifar_binary", readers::cifar_binary),
        ("cifar_archive", readers::cifar_archive),
        ("avila", readers::avila),
        ("npy", readers::npy),
        ("matrix", readers::matrix),
        ("safetensors", readers::safetensors),
        ("pt", readers::pt),
        ("bpk", readers::bpk),
        ("experiment", readers::experiment),
        ("result", readers::result),
    ];
    for (name, reader) in readers {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for entry in entries {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            reader(&bytes);
            for cut in [0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                reader(&bytes[..cut]);
            }
            count += 1;
        }
        assert!(count > 0, "{} has no seed", folder.display());
    }
}
