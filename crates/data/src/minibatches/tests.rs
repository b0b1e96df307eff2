use proptest::prelude::*;

use super::*;

fn seeded(examples: usize, batch: usize, iterations: usize, sampling: Sampling) -> Vec<u32> {
    Minibatches::seeded(examples, batch, iterations, sampling, 5).expect("valid settings").materialise()
}

proptest! {
    #[test]
    fn an_epoch_takes_each_example_once_and_leaves_out_the_rest(
        examples in 1_usize..50,
        batch in 1_usize..50,
        epochs in 1_usize..4,
    ) {
        prop_assume!(batch <= examples);
        let per_epoch = examples / batch;
        let indices = seeded(examples, batch, epochs * per_epoch, Sampling::ShuffledEpochs);
        for (epoch, indices) in indices.chunks(per_epoch * batch).enumerate() {
            let order = epoch_order(examples, 5, epoch as u64).expect("valid settings");
            prop_assert_eq!(indices, &order[..per_epoch * batch]);
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..examples as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn batches_are_the_same_in_any_order(iterations in prop::collection::vec(0_usize..40, 1..40), replace: bool) {
        let sampling = if replace { Sampling::WithReplacement } else { Sampling::ShuffledEpochs };
        let minibatches = Minibatches::seeded(17, 4, 40, sampling, 5).expect("valid settings");
        let all = minibatches.materialise();
        let mut reader = minibatches.reader();
        for iteration in iterations {
            prop_assert_eq!(reader.batch(iteration), &all[iteration * 4..][..4]);
        }
    }
}

#[test]
fn replacement_draws_every_example_alike() {
    let (examples, draws) = (50, 100_000);
    let indices = seeded(examples, 50, draws / 50, Sampling::WithReplacement);
    let mut counts = vec![0_usize; examples];
    for index in indices {
        counts[index as usize] += 1;
    }
    let expected = (draws / examples) as f64;
    for count in counts {
        assert!((count as f64 - expected).abs() < 5.0 * expected.sqrt(), "{count}");
    }
}

#[test]
fn the_numbers_of_a_seed_stay_what_they_are() {
    let order = |epoch| epoch_order(10, 0, epoch).expect("valid");
    let replaced = Minibatches::seeded(60_000, 2, 2, Sampling::WithReplacement, 0).expect("valid");
    let mut labels: Vec<u32> = (0..10).collect();
    let noise = crate::LabelCorruption::SymmetricNoise { rate: 0.5 };
    noise.apply(&mut labels, 10, 0).expect("valid");
    let found = [order(0), order(1), replaced.materialise(), labels];
    let expected: [&[u32]; 4] = [
        &[2, 8, 6, 1, 9, 5, 7, 4, 0, 3],
        &[0, 6, 4, 3, 8, 9, 7, 2, 5, 1],
        &[43190, 36971, 27880, 33004],
        &[7, 1, 1, 3, 4, 5, 6, 7, 5, 5],
    ];
    assert_eq!(found, expected);
}

#[test]
fn seeds_epochs_and_purposes_have_their_own_streams() {
    let order = epoch_order(100, 1, 0).expect("valid");
    assert_ne!(order, epoch_order(100, 2, 0).expect("valid"));
    assert_ne!(order, epoch_order(100, 1, 1).expect("valid"));
    let mut labels: Vec<u32> = (0..100).collect();
    crate::LabelCorruption::Shuffled.apply(&mut labels, 100, 1).expect("valid");
    assert_ne!(order, labels);
}

#[test]
fn listed_indices_are_given_back() -> Result<()> {
    let minibatches = Minibatches::listed(10, 2, vec![3, 9, 0, 0, 5, 1])?;
    assert_eq!((minibatches.iterations(), minibatches.batch_size()), (3, 2));
    assert_eq!(minibatches.reader().batch(1), [0, 0]);
    assert_eq!(minibatches.materialise(), [3, 9, 0, 0, 5, 1]);
    Ok(())
}

#[test]
fn impossible_settings_are_refused() {
    let seeded = |n, b, t| Minibatches::seeded(n, b, t, Sampling::ShuffledEpochs, 0);
    let listed = Minibatches::listed;
    let too_many = u32::MAX as usize + 1;
    for (outcome, expected) in [
        (seeded(0, 1, 1), "examples is 0, expected 1 to 2^32 - 1"),
        (seeded(10, 0, 1), "batch size is 0, expected 1 to 10, the number of examples"),
        (seeded(10, 11, 1), "batch size is 11, expected 1 to 10"),
        (seeded(10, 5, 0), "iterations is 0"),
        (seeded(10, 5, usize::MAX), "expected 1 to 2^64 / batch size"),
        (seeded(too_many, 5, 1), "examples is 4294967296, expected 1 to 2^32 - 1"),
        (listed(10, 0, vec![1]), "batch size 0, which is not 0"),
        (listed(10, 2, vec![1]), "indices is 1, expected a multiple of the batch size 2"),
        (listed(10, 2, vec![]), "iterations is 0"),
        (listed(10, 1, vec![1, 10]), "an index is 10, expected less than 10"),
        (listed(1, 2, vec![0, 0]), "batch size is 2, expected 1 to 1"),
    ] {
        let error = outcome.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    }
    epoch_order(0, 0, 0).expect_err("no examples");
}
