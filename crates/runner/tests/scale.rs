//! The page of costs is the one that the formulas write.
#![allow(clippy::unwrap_used)]

#[path = "../examples/scale/page.rs"]
mod page;

#[test]
fn the_page_of_costs_is_up_to_date() {
    let written = include_str!("../../../docs/scale.md");
    let command = "cargo run --release -p gradspectra --example scale -- docs/scale.md";
    assert!(written == page::markdown(), "docs/scale.md is stale; write it with {command}");
}
