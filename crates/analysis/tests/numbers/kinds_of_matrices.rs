//! Eigenvalues over the matrix types of LAPACK's tests.

#[path = "../../examples/numbers/matrix_types.rs"]
mod matrix_types;

use matrix_types::{markdown, ratios};

/// LAPACK passes residuals below 50; ours are far below, and a lost digit shows.
const MAX_RESIDUAL: f64 = 1.0;
/// A tenth of n at these orders.
const MAX_ERROR: f64 = 35.0;

#[test]
fn eigenvalues_pass_lapacks_tests() {
    for order in [60, 350] {
        for (name, ratios) in ratios(order, 1).unwrap() {
            assert!(ratios.residual < MAX_RESIDUAL && ratios.error < MAX_ERROR, "{name}, n = {order}: {ratios:?}");
        }
    }
}

#[test]
fn the_table_has_a_line_a_type() {
    let table = markdown(&[20], 1).unwrap();
    assert_eq!(table.lines().count(), 2 + 21, "{table}");
    assert!(table.lines().all(|line| line.matches('|').count() == 5), "{table}");
}
