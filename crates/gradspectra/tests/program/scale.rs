//! The page of costs is the one that the formulas write.

#[path = "../../examples/scale/page.rs"]
mod page;

use gradspectra::cost::{rates, training_seconds};
use gradspectra::data::Cifar100Labels;
use gradspectra::models::Training;
use gradspectra::{Row, catalogue};

#[test]
fn the_page_of_costs_is_up_to_date() {
    let written = include_str!("../../../../docs/scale.md");
    let command = "cargo run --release -p gradspectra --example scale -- docs/scale.md";
    assert!(written == page::markdown(), "docs/scale.md is stale; write it with {command}");
}

/// LeNet's last layer takes 84 inputs to 20 classes in place of 100; a pass back computes twice what one forward does.
#[test]
fn a_training_costs_what_its_labels_make_it() {
    let rows = catalogue::experiment("readings").unwrap().rows;
    let coarse = rows.into_iter().find(|row| row.id == "t9-random-coarse").unwrap();
    assert_eq!(coarse.cifar_100_labels, Cifar100Labels::Coarse);
    let fine = Row { cifar_100_labels: Cifar100Labels::Fine, ..coarse.clone() };
    let trained = catalogue::experiment("table-5").unwrap().rows.into_iter().find_map(|row| row.training).unwrap();
    let training = Training { epochs: 7, ..trained };
    let spared = training_seconds(&training, &fine) - training_seconds(&training, &coarse);
    let due = 7.0 * 50_000.0 * 3.0 * 2.0 * f64::from(84 * (100 - 20)) / rates::PASS;
    assert!((spared / due - 1.0).abs() < 1e-6, "{spared} s, and not {due}");
}
