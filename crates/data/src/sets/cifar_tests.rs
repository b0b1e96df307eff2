use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 2] = ["data_batch_1.bin", "data_batch_2.bin"];

fn record(labels: &[u8], pixel: u8) -> Vec<u8> {
    let mut record = labels.to_vec();
    record.extend((0..PIXELS).map(|index| pixel.wrapping_add(index as u8)));
    record
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).expect("short");
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let header = header(name, bytes.len() as u64);
        builder.append(&header, *bytes).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

fn read(records: Records, bytes: &[u8]) -> Result<ImageSet> {
    batches(records, &[(Path::new("folder/train.bin"), bytes.to_vec())])
}

fn read_archive(bytes: &[u8]) -> Result<ImageSet> {
    archive(Records::CIFAR_10, Path::new("folder/cifar.tar.gz"), bytes, &NAMES)
}

#[test]
fn batches_follow_one_another() -> Result<()> {
    let files = [[record(&[3], 10), record(&[9], 20)].concat(), record(&[0], 30)];
    let files: Vec<_> = NAMES.iter().map(Path::new).zip(files).collect();
    let set = batches(Records::CIFAR_10, &files)?;
    assert_eq!((set.shape(), set.labels(), set.classes()), (SHAPE, &[3, 9, 0][..], 10));
    assert_eq!(set.image(1), &record(&[9], 20)[1..]);
    assert_eq!(set.image(2), &record(&[0], 30)[1..]);
    Ok(())
}

#[test]
fn cifar_100_has_fine_and_coarse_labels() -> Result<()> {
    let file = [record(&[19, 99], 1), record(&[4, 30], 2)].concat();
    let fine = read(Records::cifar_100(Cifar100Labels::Fine), &file)?;
    let coarse = read(Records::cifar_100(Cifar100Labels::Coarse), &file)?;
    assert_eq!((fine.labels(), fine.classes()), (&[99, 30][..], 100));
    assert_eq!((coarse.labels(), coarse.classes()), (&[19, 4][..], 20));
    assert_eq!(fine.pixels(), coarse.pixels());
    Ok(())
}

#[test]
fn an_archive_reads_as_its_members_in_the_named_order() -> Result<()> {
    let (first, second) = (record(&[1], 10), record(&[2], 20));
    let archive = gzip(&tar(&[
        ("cifar-10-batches-bin/readme.html", b"hello"),
        ("cifar-10-batches-bin/data_batch_2.bin", &second),
        ("cifar-10-batches-bin/data_batch_1.bin", &first),
    ]));
    let plain = read(Records::CIFAR_10, &[first, second].concat())?;
    assert_eq!(read_archive(&archive)?, plain);
    Ok(())
}

#[test]
fn malformed_files_are_refused() {
    let fine = Records::cifar_100(Cifar100Labels::Fine);
    let sound = record(&[3], 0);
    for (records, file, found, expected) in [
        (Records::CIFAR_10, vec![], "0 bytes", "records of 3073 bytes, at least one"),
        (Records::CIFAR_10, vec![1], "1 bytes", "records of 3073 bytes"),
        (Records::CIFAR_10, sound[..3072].to_vec(), "3072 bytes", "3073"),
        (Records::CIFAR_10, [&sound[..], &[0]].concat(), "3074 bytes", "3073"),
        (Records::CIFAR_10, record(&[10], 0), "label 10 of record 0", "0 to 9"),
        (Records::CIFAR_10, [sound.clone(), record(&[255], 0)].concat(), "label 255 of record 1", "0 to 9"),
        (fine, sound.clone(), "3073 bytes", "records of 3074 bytes"),
        (fine, vec![], "0 bytes", "records of 3074 bytes"),
        (fine, record(&[20, 5], 0), "label 20 of record 0", "0 to 19"),
        (fine, record(&[5, 100], 0), "label 100 of record 0", "0 to 99"),
        (Records::cifar_100(Cifar100Labels::Coarse), record(&[5, 100], 0), "label 100", "0 to 99"),
        (fine, [record(&[1, 1], 0), vec![1, 1]].concat(), "3076 bytes", "records of 3074"),
    ] {
        let error = read(records, &file).expect_err(found).to_string();
        for part in ["folder/train.bin: ", found, expected, "replace it"] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

#[test]
fn malformed_archives_are_refused() {
    let sound = record(&[3], 0);
    let both = tar(&[(NAMES[0], &sound), (NAMES[1], &sound)]);
    let whole = gzip(&both);
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_path(NAMES[0]).expect("short");
    link.set_link_name("/etc/passwd").expect("short");
    link.set_size(0);
    link.set_cksum();
    let endless = header(NAMES[0], u64::MAX / 3073 * 3073);
    let claims = header(NAMES[0], 1_000_000 * 3073);
    let bad_header = {
        let mut bytes = both.clone();
        bytes[0] ^= 1;
        gzip(&bytes)
    };
    let wrong_checksum = {
        let mut bytes = whole.clone();
        let place = bytes.len() - 8;
        bytes[place] ^= 1;
        bytes
    };
    let first = |bytes: &[u8]| gzip(&tar(&[(NAMES[0], bytes), (NAMES[1], &sound)]));
    for (file, found) in [
        (vec![], "damaged archive"),
        (b"plain text".to_vec(), "damaged archive"),
        (both.clone(), "damaged archive"),
        (whole[..whole.len() / 2].to_vec(), "data_batch"),
        (bad_header, "damaged archive"),
        (wrong_checksum, "damaged archive"),
        (gzip(&tar(&[])), "no member data_batch_1.bin"),
        (gzip(&tar(&[(NAMES[0], &sound)])), "no member data_batch_2.bin"),
        (gzip(&tar(&[("xdata_batch_1.bin", &sound)])), "no member data_batch_1.bin"),
        (gzip(&tar(&[(NAMES[0], &sound), (NAMES[0], &sound)])), "a second member"),
        (gzip(link.as_bytes()), "a link or folder"),
        (gzip(endless.as_bytes()), "expected records of 3073 bytes"),
        (gzip(claims.as_bytes()), "3073000000 bytes, expected records"),
        (gzip(&both[..512 + 3000]), "an end in record 0"),
        (first(&sound[1..]), "cifar.tar.gz/data_batch_1.bin: 3072 bytes"),
        (first(&[]), "0 bytes"),
        (first(&record(&[77], 0)), "label 77 of record 0, expected 0 to 9"),
    ] {
        let error = read_archive(&file).expect_err(found).to_string();
        for part in ["folder/cifar.tar.gz", found, "replace it"] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        for records in [Records::CIFAR_10, Records::cifar_100(Cifar100Labels::Fine)] {
            if let Ok(set) = read(records, &bytes) {
                prop_assert!(set.labels().iter().all(|&label| (label as usize) < set.classes()));
            }
        }
        prop_assert!(read_archive(&bytes).is_err());
        prop_assert!(read_archive(&gzip(&bytes)).is_err());
    }

    #[test]
    fn an_archive_with_changed_bytes_is_read_or_refused(
        changes in prop::collection::vec((0_usize..1100, any::<u8>()), 1..20),
    ) {
        let sound = record(&[3], 0);
        let mut bytes = tar(&[(NAMES[0], &sound), (NAMES[1], &sound)]);
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        if let Ok(set) = read_archive(&gzip(&bytes)) {
            prop_assert!(set.labels().iter().all(|&label| label < 10));
        }
    }
}
