//! A Gram matrix as the sum of terms that are made apart.

use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;
use gradspectra_capture::{CaptureError, ExampleFactors, Gram, GramBuilder, MinibatchIndices, Precision, gram_terms};
use gradspectra_data::{DataRoot, Examples, LabelledDataSet, LoadOptions, Minibatches, Mnist, Sampling, Split};
use gradspectra_models::{Initialisation, LabelledInputs, LeNet, LeNetConfig, initialise};

const ITERATIONS: usize = 50;

fn mnist() -> Examples {
    let root = DataRoot::Given(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"));
    Mnist {}.load(Split::Train, LoadOptions::default(), &root, &mut |_, _, _| ()).unwrap().examples
}

fn lenet() -> LeNet {
    initialise(LeNetConfig::mnist().init(&Device::flex().autodiff()), Initialisation::Uniform, 5).unwrap()
}

/// The factors of the layers that have some of the parameters `wanted`.
fn factors(examples: LabelledInputs, minibatches: MinibatchIndices, wanted: Range<usize>) -> ExampleFactors {
    let (used, device) = (minibatches.examples(), Device::flex().autodiff());
    ExampleFactors::capture_parameters(&lenet(), examples, &used, &[wanted], &device, |_| ()).unwrap()
}

/// The numbers' bits: -0 is not 0.
fn bits(gram: &Gram) -> Vec<u64> {
    gram.numbers().map(f64::to_bits).collect()
}

#[test]
fn terms_that_are_made_apart_add_up_to_the_same_bits() {
    let mnist = mnist();
    let examples = LabelledInputs::new(mnist.inputs(), mnist.labels(), 784);
    for batch in [1, 10] {
        let indices = Minibatches::seeded(mnist.len(), batch, ITERATIONS, Sampling::ShuffledEpochs, 3).unwrap();
        let indices = indices.materialise();
        let minibatches = MinibatchIndices::new(&indices, batch, mnist.len()).unwrap();
        let whole = factors(examples, minibatches, 0..usize::MAX);
        let blocks: Vec<_> =
            whole.blocks(minibatches, 0..usize::MAX).unwrap().map(|(parameters, _)| parameters).collect();
        let (mut sum, mut start) = (Gram::zeros(ITERATIONS, Precision::Single).unwrap(), 0);
        for layer in whole.layers() {
            let own = start..start + layer.parameters();
            let alone = factors(examples, minibatches, own.clone());
            assert_eq!(alone.layers(), [layer]);
            if batch == 1 {
                sum += &alone
                    .add_layers(Gram::zeros(ITERATIONS, Precision::Single).unwrap(), minibatches, own.clone())
                    .unwrap();
            }
            for block in gram_terms(&blocks).into_iter().filter(|block| batch > 1 && own.contains(&block.start)) {
                let mut term = GramBuilder::new(ITERATIONS, Precision::Single).unwrap();
                alone.blocks(minibatches, block).unwrap().for_each(|(_, rows)| term.add(rows));
                sum += &term.finish().unwrap();
            }
            start = own.end;
        }
        assert_eq!(start, 44_426);
        let sum = if batch == 1 { sum.centred() } else { sum };
        assert_eq!(bits(&sum), bits(&whole.gram(minibatches, Precision::Single).unwrap()), "B = {batch}");
        assert_eq!(sum.numbers().count(), Gram::count(ITERATIONS));
    }
}

#[test]
fn terms_of_several_blocks_are_added_up_before_they_are_added() {
    let blocks: Vec<_> = (0..300).map(|block| 2 * block..2 * block + 2).collect();
    let terms = gram_terms(&blocks);
    assert_eq!((terms.len(), terms[0].clone(), terms[99].clone()), (100, 0..6, 594..600));
    assert_eq!(gram_terms(&blocks[..128]), blocks[..128]);
    let rows = |block: &Range<usize>| {
        let entry = |row: usize, t: usize| (((block.start + row) * 7 + t * 13) as f32).sin();
        faer::Mat::from_fn(block.len(), ITERATIONS, entry)
    };
    let (mut whole, mut plain) = (
        GramBuilder::new(ITERATIONS, Precision::Single).unwrap(),
        GramBuilder::new(ITERATIONS, Precision::Single).unwrap(),
    );
    for block in &blocks {
        whole.add_to_term(&terms, block.clone(), rows(block)).unwrap();
        plain.add(rows(block));
    }
    let mut sum = Gram::zeros(ITERATIONS, Precision::Single).unwrap();
    let mut term = GramBuilder::new(ITERATIONS, Precision::Single).unwrap();
    for blocks in blocks.chunks(3) {
        blocks.iter().for_each(|block| term.add(rows(block)));
        sum.add_numbers(term.sum().numbers());
        term.clear();
    }
    let (whole, plain) = (whole.finish().unwrap(), plain.finish().unwrap());
    assert_eq!(bits(&sum), bits(&whole));
    let far = |(ours, theirs): (f64, f64)| (ours - theirs).abs() > 1e-9;
    assert!(!whole.numbers().zip(plain.numbers()).any(far));
}

#[test]
fn a_term_that_is_not_complete_is_an_error_that_names_its_parameters() {
    let rows = |count: usize| faer::Mat::from_fn(count, ITERATIONS, |row, t| ((row + t * 13) as f32).sin());
    let incomplete = |parameters| Err(CaptureError::Incomplete { parameters, paths: Vec::new() });
    let terms = [0..4, 4..10];
    let mut builder = GramBuilder::new(ITERATIONS, Precision::Single).unwrap();
    builder.add_to_term(&terms, 0..4, rows(4)).unwrap();
    builder.add_to_term(&terms, 4..6, rows(2)).unwrap();
    assert_eq!(builder.add_to_term(&terms, 8..10, rows(2)), incomplete(4..6), "a block is missing");
    assert_eq!(builder.add_to_term(&terms, 10..12, rows(2)), incomplete(10..12), "no term has it");
    assert_eq!(builder.finish().map(|_| ()), incomplete(4..6), "the last block is missing");
}
