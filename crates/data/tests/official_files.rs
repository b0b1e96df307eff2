//! The official files, as far as they are there: MNIST and Avila are in the clone.

use std::{
    env,
    path::{Path, PathBuf},
};

use gradspectra_data::{
    Avila, Characters, Cifar10, Cifar100, DataRoot, ImageSet, LabelledDataSet, LoadOptions, Loaded, Mnist,
    Normalisation, Result, Shakespeare, Split,
};

fn clone() -> DataRoot {
    DataRoot::Given(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"))
}

fn silent(_: &str, _: u64, _: u64) {}

fn load_from(
    root: &DataRoot,
    data_set: &dyn LabelledDataSet,
    split: Split,
    normalisation: Normalisation,
) -> Result<Loaded> {
    let options = LoadOptions { normalisation, ..LoadOptions::default() };
    data_set.load(split, options, root, &mut silent)
}

fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
}

fn channel(images: &ImageSet, channel: usize) -> (f64, f64) {
    let [_, height, width] = images.shape();
    let pixels = (0..images.len()).flat_map(move |index| {
        let pixels = &images.image(index)[channel * height * width..][..height * width];
        pixels.iter().map(|&pixel| f64::from(pixel) / 255.0)
    });
    mean_and_deviation(pixels)
}

#[test]
fn mnist_is_the_official_one() -> Result<()> {
    for (split, count, first) in [(Split::Train, 60_000, [5, 0, 4, 1, 9]), (Split::Test, 10_000, [7, 2, 1, 0, 4])] {
        let loaded = Mnist {}.load_images(split, LoadOptions::default(), &clone(), &mut silent)?.expect("images");
        let images = &loaded.images;
        assert_eq!((images.len(), images.shape(), images.classes()), (count, [1, 28, 28], 10));
        assert_eq!(images.labels()[..5], first);
        assert!(loaded.files.iter().all(|file| file.listed && file.variant.is_none()));
        if split == Split::Train {
            let (mean, deviation) = channel(images, 0);
            assert_close(mean, 0.1307, 5e-5);
            assert_close(deviation, 0.3081, 5e-5);
        }
    }
    Ok(())
}

#[test]
fn mnist_is_standardised_as_a_whole_or_by_pixel() -> Result<()> {
    let whole = load_from(&clone(), &Mnist {}, Split::Train, Normalisation::PerChannel)?;
    let (mean, deviation) = mean_and_deviation(whole.examples.inputs().iter().map(|&x| f64::from(x)));
    assert_close(mean, 0.0, 1e-3);
    assert_close(deviation, 1.0, 1e-3);

    let by_pixel = load_from(&clone(), &Mnist {}, Split::Train, Normalisation::PerPixel)?;
    let pixel = |index| by_pixel.examples.inputs().iter().skip(index).step_by(784).map(|&x| f64::from(x));
    for index in [14 * 28 + 14, 10 * 28 + 9] {
        let (mean, deviation) = mean_and_deviation(pixel(index));
        assert_close(mean, 0.0, 1e-6);
        assert_close(deviation, 1.0, 1e-6);
    }
    assert!(pixel(0).all(|value| value == 0.0));
    Ok(())
}

#[test]
fn avila_is_the_official_one() -> Result<()> {
    let counts = [4286, 5, 103, 352, 1095, 1961, 446, 519, 831, 44, 522, 266];
    let raw = load_from(&clone(), &Avila {}, Split::Train, Normalisation::None)?;
    assert_eq!((raw.examples.len(), raw.examples.shape(), raw.examples.classes()), (10_430, &[10][..], 12));
    for (class, expected) in counts.into_iter().enumerate() {
        let count = raw.examples.labels().iter().filter(|&&label| label as usize == class).count();
        assert_eq!(count, expected, "class {class}");
    }
    assert_eq!(raw.examples.input(6619)[1], 386.0);
    assert!(raw.files[0].listed);

    let standardised = load_from(&clone(), &Avila {}, Split::Train, Normalisation::PerChannel)?;
    for feature in 0..10 {
        let values = standardised.examples.inputs().iter().skip(feature).step_by(10);
        let (mean, deviation) = mean_and_deviation(values.map(|&x| f64::from(x)));
        assert_close(mean, 0.0, 1e-6);
        assert_close(deviation, 1.0, 1e-6);
    }
    let test = load_from(&clone(), &Avila {}, Split::Test, Normalisation::PerChannel)?;
    assert_eq!(test.examples.len(), 10_437);
    assert!(test.examples.inputs().iter().all(|value| value.abs() < 15.0));
    Ok(())
}

/// Numbers and pieces as of Python: `text = open(path).read()`, `sorted(set(text))`, `text[: int(0.9 * len(text))]`.
#[test]
fn shakespeare_is_the_official_one() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/shakespeare/input.txt");
    let text = std::fs::read_to_string(path).expect("in the clone");
    let characters = Characters::of(&text);
    assert_eq!((text.chars().count(), characters.count()), (1_115_394, Shakespeare::VOCABULARY));
    assert_eq!([Split::Train, Split::Test].map(Shakespeare::characters), [1_003_854, 111_540]);

    let shakespeare = Shakespeare::default();
    let load = |split| shakespeare.load(split, &clone(), &mut silent);
    let (training, files) = load(Split::Train)?;
    assert!(files[0].listed && files[0].name == "input.txt");
    assert_eq!((training.len(), training.length()), (15_685, 64));
    assert_eq!(training.len(), shakespeare.examples(Split::Train)?);
    assert_eq!(training.inputs(0).take(10).collect::<Vec<_>>(), [18, 47, 56, 57, 58, 1, 15, 47, 58, 47]);
    let first = characters.text(training.inputs(0)).expect("characters");
    assert!("First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n".starts_with(&first), "{first:?}");
    assert_eq!(characters.text(training.targets(0)).expect("characters")[..63], first[1..]);
    assert_eq!(characters.text(training.inputs(100)).as_deref(), Some(&text[6400..6464]));

    let (test, _) = load(Split::Test)?;
    assert_eq!((test.len(), shakespeare.examples(Split::Test)?), (1742, 1742));
    assert_eq!(characters.text(test.inputs(0)).as_deref(), Some(&text[1_003_854..1_003_918]));
    Ok(())
}

#[test]
fn cifar_is_the_official_one_where_it_is() -> Result<()> {
    let Some(folder) = env::var_os("GRADSPECTRA_DATA").map(PathBuf::from) else {
        println!("skipped: GRADSPECTRA_DATA names no folder with CIFAR");
        return Ok(());
    };
    let cifar_10 = [0.4914, 0.4822, 0.4465, 0.2470, 0.2435, 0.2616];
    let cifar_100 = [0.5071, 0.4865, 0.4409, 0.2673, 0.2564, 0.2762];
    let data_sets: [(&dyn LabelledDataSet, _, _); 2] = [(&Cifar10 {}, 10, cifar_10), (&Cifar100 {}, 100, cifar_100)];
    for (data_set, classes, statistics) in data_sets {
        for (split, count) in [(Split::Train, 50_000), (Split::Test, 10_000)] {
            let root = DataRoot::Given(folder.clone());
            let loaded = data_set.load_images(split, LoadOptions::default(), &root, &mut silent)?.expect("images");
            let images = &loaded.images;
            assert_eq!((images.len(), images.shape(), images.classes()), (count, [3, 32, 32], classes));
            for class in 0..classes {
                let members = images.labels().iter().filter(|&&label| label as usize == class);
                assert_eq!(members.count(), count / classes);
            }
            assert!(loaded.files.iter().all(|file| file.listed), "{:?}", loaded.files);
            if split == Split::Train {
                for index in 0..3 {
                    let (mean, deviation) = channel(images, index);
                    assert_close(mean, statistics[index], 6e-5);
                    assert_close(deviation, statistics[3 + index], 6e-5);
                }
            }
        }
    }
    Ok(())
}
