//! The fuzz targets' readers, on the small files that fuzzing begins with and those that it found faults with.

#[path = "../../../../fuzz/src/lib.rs"]
mod readers;

use std::panic::catch_unwind;
use std::path::Path;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Reader = fn(&[u8]);

const READERS: [(&str, Reader); 11] = [
    ("idx", |bytes| readers::check(readers::idx, bytes)),
    ("cifar_binary", |bytes| readers::check(readers::cifar_binary, bytes)),
    ("cifar_archive", |bytes| readers::check(readers::cifar_archive, bytes)),
    ("avila", |bytes| readers::check(readers::avila, bytes)),
    ("npy", |bytes| readers::check(readers::npy, bytes)),
    ("matrix", readers::matrix),
    ("safetensors", |bytes| readers::check(readers::safetensors, bytes)),
    ("pt", |bytes| readers::check(readers::pt, bytes)),
    ("bpk", |bytes| readers::check(readers::bpk, bytes)),
    ("experiment", |bytes| readers::check(readers::experiment, bytes)),
    ("result", |bytes| readers::check(readers::result, bytes)),
];

/// The names and bytes of a reader's seeds, in the order of their names.
fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut seeds: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file"))).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} has no seed", folder.display());
    seeds
}

/// `bytes` with one to four of its bytes changed, left out, doubled or cut off from.
fn mutated(bytes: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let place = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[place] ^= 1 << random.random_range(0..8),
            1 => bytes[place] = random.random(),
            2 => bytes[place] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            3 => drop(bytes.remove(place)),
            4 => bytes.insert(place, bytes[place]),
            _ => bytes.truncate(place),
        }
    }
    bytes
}

#[test]
fn every_reader_returns_on_every_seed_whole_and_cut() {
    for (name, reader) in READERS {
        for (_, bytes) in seeds(name) {
            for length in [bytes.len(), 0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                reader(&bytes[..length]);
            }
        }
    }
}

/// `GRADSPECTRA_MUTATIONS` says how many of each seed.
#[test]
fn every_reader_returns_on_mutated_seeds() {
    let count = std::env::var("GRADSPECTRA_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let mut faults = Vec::new();
    for (name, reader) in READERS {
        for (path, bytes) in seeds(name) {
            for seed in 0..count {
                let mutated = mutated(&bytes, &mut ChaCha8Rng::seed_from_u64(seed));
                if catch_unwind(|| reader(&mutated)).is_err() {
                    faults.push(format!("{path}, mutation {seed}"));
                    break;
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
