//! Tests of gradient entries a second, by rows and by columns of a sample of LeNet's size.

use divan::Bencher;
use divan::counter::ItemsCount;
use faer::Mat;
use gradspectra_analysis::{EntryTestConfig, EntryTestSummary, EntryTests, Result};

/// Iterations of a LeNet row (§A.1).
const T: usize = 5000;
/// Parameters of LeNet.
const N: usize = 44_426;
/// K (§A.1).
const K: usize = 1000;

/// Heavy-tailed entries of both signs, a tenth of them zero.
fn gradients(rows: usize, columns: usize) -> Mat<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    Mat::from_fn(rows, columns, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let uniform = (state >> 40) as f32 / (1u64 << 24) as f32;
        if uniform < 0.1 { 0.0 } else { (state as i8 as f32).signum() * (1.0 - uniform).powf(-0.7) }
    })
}

fn test(walk: impl Fn(&mut EntryTests) -> Result<()>) -> EntryTestSummary {
    let mut tests = EntryTests::new(EntryTestConfig::new(K, 1)).expect("K is above 1");
    walk(&mut tests).expect("the entries are finite");
    tests.summary()
}

#[divan::bench(sample_count = 10)]
fn rows(bencher: Bencher) {
    let block = gradients(2048, T);
    bencher.counter(ItemsCount::new(block.nrows())).bench_local(|| test(|tests| tests.rows(block.as_ref())));
}

#[divan::bench(sample_count = 10)]
fn columns(bencher: Bencher) {
    let block = gradients(N, 200);
    bencher.counter(ItemsCount::new(block.ncols())).bench_local(|| test(|tests| tests.columns(block.as_ref())));
}

fn main() {
    divan::main();
}
