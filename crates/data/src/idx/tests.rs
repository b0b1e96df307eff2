use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

fn idx(magic: u32, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = magic.to_be_bytes().to_vec();
    file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(data);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn path() -> &'static Path {
    Path::new("folder/some-ubyte")
}

#[test]
fn gzipped_and_plain_files_read_alike() -> Result<()> {
    let file = idx(IMAGES, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let expected = IdxImages { count: 2, rows: 1, columns: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(images(path(), &file)?, expected);
    assert_eq!(images(path(), &gzip(&file))?, expected);
    let file = idx(LABELS, &[3], &[0, 9, 5]);
    assert_eq!(labels(path(), &file, 10)?, [0, 9, 5]);
    assert_eq!(labels(path(), &gzip(&file), 10)?, [0, 9, 5]);
    Ok(())
}

#[test]
fn malformed_images_are_refused() {
    let sound = idx(IMAGES, &[1, 2, 2], &[1; 4]);
    let mut wrong_checksum = gzip(&sound);
    let length = wrong_checksum.len();
    wrong_checksum[length - 5] ^= 1;
    let truncated_gzip = gzip(&sound)[..length - 9].to_vec();
    let followed = [gzip(&sound), b"rest".to_vec()].concat();
    let bomb = gzip(&idx(IMAGES, &[1, 2, 2], &vec![0; 1 << 20]));
    let claim = |sizes: &[u32]| idx(IMAGES, sizes, &[1; 4]);
    let cases = [
        (vec![], "no magic number", "a header of 16 bytes"),
        (vec![0, 0, 8], "no magic number", "a header of 16 bytes"),
        (sound[..13].to_vec(), "no sizes", "a header of 16 bytes"),
        (idx(LABELS, &[4], &[1; 4]), "0x0801", "0x0803 (IDX images)"),
        (idx(0x0d03, &[1, 2, 2], &[1; 16]), "0x0d03", "0x0803"),
        (idx(0x0308_0000, &[1], &[1]), "0x3080000", "0x0803"),
        (b"<html>not found</html>".to_vec(), "magic", "0x0803"),
        (sound[..19].to_vec(), "3 bytes of data", "4 bytes for images of [1, 2, 2]"),
        ([sound.clone(), vec![0]].concat(), "5 bytes of data", "4 bytes for images of [1, 2, 2]"),
        (claim(&[0, 2, 2]), "claims images of [0, 2, 2]", "at least one"),
        (claim(&[1, 0, 2]), "[1, 0, 2]", "at least one"),
        (claim(&[60_000, 28, 28]), "[60000, 28, 28]", "at most 20 bytes"),
        (claim(&[u32::MAX; 3]), "[4294967295, 42949", "at most 20 bytes"),
        (gzip(&claim(&[60_000, 28, 28])), "[60000, 28, 28]", "as the file has"),
        (gzip(&claim(&[u32::MAX; 3])), "claims", "as the file has"),
        (gzip(&sound[..18]), "2 bytes of data", "4 bytes"),
        (gzip(&[sound.clone(), vec![0; 3]].concat()), "7 bytes of data", "4 bytes for images of [1, 2, 2]"),
        (bomb, "1048576 bytes of data", "4 bytes for images of [1, 2, 2]"),
        (wrong_checksum, "damaged data", "a sound gzip file"),
        (truncated_gzip, "damaged data", "a sound gzip file"),
        (followed, "damaged data", "a sound gzip file"),
        (vec![0x1f, 0x8b, 0, 0], "no magic number", "a header"),
        (gzip(&[]), "no magic number", "a header of 16 bytes"),
    ];
    for (file, found, expected) in cases {
        let error = images(path(), &file).expect_err(found).to_string();
        for part in ["folder/some-ubyte: ", found, expected, "replace it"] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

#[test]
fn malformed_labels_are_refused() {
    for (file, expected) in [
        (idx(LABELS, &[2], &[3, 10]), "label 10 of example 1, expected 0 to 9"),
        (idx(LABELS, &[0], &[]), "at least one"),
        (idx(LABELS, &[3], &[1, 2]), "2 bytes of data, expected 3 bytes"),
        (idx(LABELS, &[1], &[1, 2]), "2 bytes of data, expected 1 byte for labels of [1]"),
        (idx(IMAGES, &[1, 1, 1], &[1]), "0x0803, expected 0x0801 (IDX labels)"),
        (idx(LABELS, &[], &[]), "no sizes"),
    ] {
        let error = labels(path(), &file, 10).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(header in 0_usize..5, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut file = match header {
            0 => vec![],
            1 => GZIP.to_vec(),
            2 => IMAGES.to_be_bytes().to_vec(),
            3 => LABELS.to_be_bytes().to_vec(),
            _ => idx(IMAGES, &[2, 2, 2], &[]),
        };
        file.extend(bytes);
        for file in [gzip(&file), file] {
            if let Ok(images) = images(path(), &file) {
                prop_assert_eq!(images.pixels.len(), images.count * images.rows * images.columns);
            }
            if let Ok(labels) = labels(path(), &file, 10) {
                prop_assert!(labels.iter().all(|&label| label < 10));
            }
        }
    }
}
