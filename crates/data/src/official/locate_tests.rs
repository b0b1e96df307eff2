use std::fs;

use super::*;
use crate::{sets::avila, sets::cifar, sets::mnist};

const BATCHES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn put(folder: &Path, names: &[&str]) {
    fs::create_dir_all(folder).expect("writable");
    for name in names {
        fs::write(folder.join(name), "").expect("writable");
    }
}

fn searched(folders: &[&Path], cache: Option<&Path>) -> DataRoot {
    DataRoot::Searched {
        folders: folders.iter().map(|&folder| folder.to_owned()).collect(),
        cache: cache.map(Path::to_owned),
    }
}

fn locate(root: &DataRoot, source: &Source) -> Result<Vec<PathBuf>> {
    let mut no_download = |name: &str, _: u64, _: u64| panic!("download of {name}");
    root.locate(source, Split::Train, &mut no_download)
}

#[test]
fn a_split_is_found_in_each_of_its_layouts() -> Result<()> {
    for (data_set, layout, names) in [
        (&avila::SOURCE, "avila", vec!["avila-tr.txt"]),
        (&avila::SOURCE, ".", vec!["avila-tr.txt"]),
        (&cifar::CIFAR_10, "cifar-10/cifar-10-batches-bin", BATCHES.to_vec()),
        (&cifar::CIFAR_10, "cifar-10-batches-bin", BATCHES.to_vec()),
        (&cifar::CIFAR_10, ".", BATCHES.to_vec()),
        (&cifar::CIFAR_10, ".", vec!["cifar-10-binary.tar.gz"]),
        (&cifar::CIFAR_100, "cifar-100", vec!["cifar-100-binary.tar.gz"]),
        (&cifar::CIFAR_100, "cifar-100-binary", vec!["train.bin"]),
        (&mnist::SOURCE, "mnist", vec!["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]),
        (&mnist::SOURCE, "MNIST/raw", vec!["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]),
    ] {
        let root = folder();
        let layout = root.path().join(layout);
        put(&layout, &names);
        let expected: Vec<_> = names.iter().map(|name| layout.join(name)).collect();
        assert_eq!(locate(&DataRoot::Given(root.path().to_owned()), data_set)?, expected);
    }
    Ok(())
}

#[test]
fn the_first_folder_with_the_whole_split_is_taken() -> Result<()> {
    let (partial, whole, cache) = (folder(), folder(), folder());
    put(partial.path(), &BATCHES[..4]);
    put(whole.path(), &BATCHES);
    put(cache.path(), &BATCHES);
    let root = searched(&[partial.path(), whole.path()], Some(cache.path()));
    assert_eq!(locate(&root, &cifar::CIFAR_10)?[0], whole.path().join("./data_batch_1.bin"));
    let root = searched(&[partial.path()], Some(cache.path()));
    assert_eq!(locate(&root, &cifar::CIFAR_10)?[0], cache.path().join("./data_batch_1.bin"));
    Ok(())
}

#[test]
fn a_given_folder_is_the_only_one() {
    let root = folder();
    let given = DataRoot::Given(root.path().to_owned());
    let error = locate(&given, &mnist::SOURCE).expect_err("empty").to_string();
    let path = root.path().join("mnist/train-images-idx3-ubyte.gz");
    assert!(error.starts_with(&format!("{} does not exist; put MNIST there", path.display())), "{error}");

    put(&root.path().join("cifar-10-batches-bin"), &BATCHES[..2]);
    let error = locate(&given, &cifar::CIFAR_10).expect_err("partial").to_string();
    assert!(error.contains("cifar-10-batches-bin/data_batch_3.bin does not exist"), "{error}");
}

#[test]
fn what_is_nowhere_and_has_no_mirror_names_the_folders_and_the_mend() {
    let (first, cache) = (folder(), folder());
    let root = searched(&[first.path()], Some(cache.path()));
    let error = locate(&root, &avila::SOURCE).expect_err("empty").to_string();
    let searched_folders = format!("(searched: {}, {});", first.path().display(), cache.path().display());
    for part in ["Avila is missing ", &searched_folders, "put avila-tr.txt into a folder", VARIABLE] {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
    let root = searched(&[first.path()], None);
    let error = locate(&root, &mnist::SOURCE).expect_err("no cache").to_string();
    assert!(error.contains("MNIST is missing (searched: "), "{error}");
}

#[test]
fn a_download_that_fails_is_the_source_of_the_error() {
    let folder = folder();
    put(folder.path(), &["file"]);
    let root = searched(&[], Some(&folder.path().join("file")));
    let error = locate(&root, &cifar::CIFAR_10).expect_err("no folder to download into");
    assert!(error.to_string().contains("CIFAR-10 is missing"), "{error}");
    assert!(error.to_string().contains("try the download again"), "{error}");
    let source = std::error::Error::source(&error).expect("the failed download").to_string();
    assert!(source.contains("cannot create") && source.contains("file/cifar-10"), "{source}");
}

#[test]
fn variable_then_clone_then_cache_are_searched() -> Result<()> {
    let root = folder();
    let (data, clone) = (root.path().join("data"), root.path().join("clone"));
    let inside = clone.join("crates/data");
    put(&data, &[]);
    put(&inside, &[]);
    put(&clone.join("datasets"), &["datasets.toml"]);
    let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/me"));
    let cache = Path::new("/home/me/.cache/gradspectra");

    let found = DataRoot::searched(home, Some(inside.clone()))?;
    assert_eq!(found, searched(&[&clone.join("datasets")], Some(cache)));
    let found = DataRoot::searched(home, Some(root.path().to_owned()))?;
    assert_eq!(found, searched(&[], Some(cache)));

    let all = |name: &str| match name {
        VARIABLE => Some(data.clone()),
        "XDG_CACHE_HOME" => Some(PathBuf::from("/cache")),
        name => home(name),
    };
    let found = DataRoot::searched(all, Some(inside))?;
    assert_eq!(found, searched(&[&data, &clone.join("datasets")], Some(Path::new("/cache/gradspectra"))));
    let nothing = |name: &str| (name == VARIABLE).then(PathBuf::new);
    assert_eq!(DataRoot::searched(nothing, None)?, searched(&[], None));
    Ok(())
}

#[test]
fn a_variable_that_names_no_folder_is_refused() {
    let wrong = |name: &str| (name == VARIABLE).then(|| PathBuf::from("/no/such/folder"));
    let error = DataRoot::searched(wrong, None).expect_err("no folder").to_string();
    assert!(error.contains("GRADSPECTRA_DATA is /no/such/folder, which is not a folder"), "{error}");
}
