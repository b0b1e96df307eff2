use std::{fs, path::Path};

use super::*;
use crate::{Avila, Cifar100, Cifar100Labels, Mnist, official::file};

fn silent(_: &str, _: u64, _: u64) {}

fn load_from(folder: &Path, data_set: &dyn LabelledDataSet, split: Split, options: LoadOptions) -> Result<Loaded> {
    data_set.load(split, options, &DataRoot::Given(folder.to_owned()), &mut silent)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).expect("writable");
}

fn write_mnist(folder: &Path, prefix: &str, sizes: [u8; 3], labels: &[u8]) {
    let pixels = sizes.map(usize::from).iter().product();
    let [count, rows, columns] = sizes;
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, rows, 0, 0, 0, columns];
    images.extend((0..pixels).map(|index: usize| (index % 251) as u8));
    write(folder, &format!("{prefix}-images-idx3-ubyte"), &images);
    let labels = [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat();
    write(folder, &format!("{prefix}-labels-idx1-ubyte"), &labels);
}

#[test]
fn a_sound_file_that_is_not_listed_is_read_and_says_so() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    write_mnist(folder.path(), "train", [3, 28, 28], &[0, 9, 1]);
    let loaded = load_from(folder.path(), &Mnist {}, Split::Train, LoadOptions::default())?;
    assert_eq!((loaded.examples.len(), loaded.examples.labels()), (3, &[0, 9, 1][..]));
    assert_eq!(loaded.files[0].name, "train-images-idx3-ubyte");
    assert_eq!(loaded.files[0].sha256.len(), 64);
    assert!(loaded.files.iter().all(|file| !file.listed));
    Ok(())
}

#[test]
fn files_at_hand_are_known_by_what_is_in_them_now() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = DataRoot::Given(folder.path().to_owned());
    assert_eq!(Mnist {}.files_at_hand(Split::Train, &root)?, None);
    for labels in [&[0, 9, 1][..], &[2, 9, 1], &[2, 9]] {
        write_mnist(folder.path(), "train", [labels.len() as u8, 28, 28], labels);
        let at_hand = Mnist {}.files_at_hand(Split::Train, &root)?;
        let loaded = load_from(folder.path(), &Mnist {}, Split::Train, LoadOptions::default())?;
        assert_eq!(at_hand, Some(loaded.files.clone()));
        assert_eq!(Mnist {}.files_at_hand(Split::Train, &root)?, at_hand);
    }
    Ok(())
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    for (sizes, labels, expected) in [
        ([3, 28, 28], &[0, 9][..], "2 labels, expected 3, one for each image in"),
        ([3, 14, 28], &[0, 9, 1], "images of 14 x 28, expected 28 x 28"),
        ([1, 28, 28], &[10], "label 10 of example 0"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        write_mnist(folder.path(), "train", sizes, labels);
        let outcome = load_from(folder.path(), &Mnist {}, Split::Train, LoadOptions::default());
        let error = outcome.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    }
}

#[test]
fn the_test_images_are_normalised_by_the_training_pixels() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    write_mnist(folder.path(), "train", [4, 28, 28], &[0, 1, 2, 3]);
    write_mnist(folder.path(), "t10k", [2, 28, 28], &[0, 1]);
    let options = LoadOptions { normalisation: Normalisation::PerPixel, ..LoadOptions::default() };
    let training = load_from(folder.path(), &Mnist {}, Split::Train, options)?;
    let test = load_from(folder.path(), &Mnist {}, Split::Test, options)?;
    // The synthetic test images are the first training images.
    assert_eq!(test.examples.input(1), training.examples.input(1));
    assert_eq!(test.files.len(), 4);
    Ok(())
}

#[test]
fn cifar_is_read_from_files_with_the_labels_asked_for() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut record = vec![7, 42];
    record.extend([255; 3072]);
    write(folder.path(), "train.bin", &record);
    for (cifar_100_labels, label, classes) in [(Cifar100Labels::Fine, 42, 100), (Cifar100Labels::Coarse, 7, 20)] {
        let options = LoadOptions { cifar_100_labels, ..LoadOptions::default() };
        let examples = load_from(folder.path(), &Cifar100 {}, Split::Train, options)?.examples;
        assert_eq!((examples.label(0), examples.classes()), (label, classes));
        assert_eq!(examples.input(0)[2048], (1.0 - 0.4409) / 0.2762);
    }
    Ok(())
}

#[test]
fn avila_has_no_images() -> Result<()> {
    let root = DataRoot::Given(PathBuf::from("anywhere"));
    assert!(!Avila {}.has_images() && Mnist {}.has_images());
    assert!(Avila {}.load_images(Split::Train, LoadOptions::default(), &root, &mut silent)?.is_none());
    Ok(())
}

#[test]
fn unreadable_files_are_named() {
    let error = file::read(Path::new("no/such/file")).expect_err("missing");
    assert_eq!(error.to_string(), "cannot read no/such/file");
    let folder = tempfile::tempdir().expect("a folder");
    file::read(folder.path()).expect_err("a folder");
}

#[test]
fn options_of_experiment_files_have_defaults_and_no_others() {
    let parse = toml::from_str::<LoadOptions>;
    assert_eq!(parse("").expect("defaults"), LoadOptions::default());
    let options = parse("normalisation = 'per-pixel'\ncifar-100-labels = 'coarse'").expect("valid");
    assert_eq!(options.normalisation, Normalisation::PerPixel);
    assert_eq!(options.cifar_100_labels, Cifar100Labels::Coarse);
    parse("normalization = 'none'").expect_err("unknown key");
}
