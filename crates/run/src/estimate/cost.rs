//! The operations and the time of rows and trainings, from one set of formulas.

use gradspectra_experiment::{Analysis, Axis, Row, Vectors};
use gradspectra_models::Training;

use crate::estimate::memory::{Share, Sizes};

/// Operations a second, and seconds, as docs/performance.md measured them on 2 virtual cores.
pub mod rates {
    /// Operations a second of f32 products G'G, and of the products in a reduction to a band.
    pub const PRODUCT: f64 = 166e9;
    /// Operations a second of the sums A'D over minibatches.
    pub const SUMS: f64 = 80e9;
    /// Operations a second of passes forward and backward: LeNet 53e9, ResNet18 44e9.
    pub const PASS: f64 = 45e9;
    /// Seconds that every pass takes beside.
    pub const PASS_START: f64 = 0.3e-3;
    /// Seconds that eigenvalues take an entry of the matrix, beside the products.
    pub const EIGENVALUE_ENTRY: f64 = 4e-8;
    /// Seconds that tests along iterations take an entry of G.
    pub const ITERATION_ENTRY: f64 = 12e-9;
    /// Seconds that tests along parameters take an entry of G.
    pub const DIMENSION_ENTRY: f64 = 4e-9;
    /// Seconds to start and load the examples.
    pub const START: f64 = 1.0;
}

/// The sizes that decide what a row costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// n.
    pub parameters: f64,
    /// T.
    pub iterations: f64,
    /// B.
    pub batch: f64,
    /// The examples to choose from.
    pub examples: f64,
    /// Multiply-adds of a pass forward, an example.
    pub multiply_adds: f64,
    /// Numbers in an example's factors; 0 where a minibatch takes a pass of its own.
    pub factors: f64,
    /// Multiply-adds of the inner product of the gradients of two single examples, and of an example to form what it is of.
    pub pair: [f64; 2],
    /// Multiply-adds to form the gradient of an example from its factors.
    pub gradient: f64,
    /// The passes over the examples for their factors, more than one where the memory does not hold those of all layers.
    pub repeats: f64,
    /// What is done with G.
    pub use_of_g: Use,
}

/// What is done with G.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The spectrum; `from_factors`, where B = 1 lets the Gram matrix be formed without G.
    Spectrum {
        /// Whether no vector of G need be formed.
        from_factors: bool,
    },
    /// Tests of the entries along an axis.
    Entries(Axis),
}

/// Operations of a row's steps; a multiply-add is two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operations {
    /// Passes forward and backward.
    pub passes: f64,
    /// Sums over minibatches of products of factors.
    pub sums: f64,
    /// The symmetric product G'G.
    pub gram: f64,
    /// All eigenvalues of a T × T matrix.
    pub eigenvalues: f64,
}

impl Workload {
    /// The sizes of `row`, of which B and T are known.
    pub fn of(row: &Row) -> Self {
        Self::with_sizes(&Sizes::of(row), row)
    }

    /// The sizes for data and a network of other sizes than the row's.
    pub fn with_sizes(sizes: &Sizes, row: &Row) -> Self {
        let plain = row.batch_size == 1 && row.vectors == Vectors::Gradients && sizes.factors > 0;
        let (use_of_g, parameters) = match row.analysis {
            Analysis::Spectrum { .. } => (Use::Spectrum { from_factors: plain }, None),
            Analysis::Entries { along, sampled_parameters, .. } => (Use::Entries(along), sampled_parameters),
        };
        Self {
            parameters: parameters.map_or(sizes.parameters, |sampled| sizes.parameters.min(sampled as u64)) as f64,
            iterations: row.iterations as f64,
            batch: row.batch_size as f64,
            examples: sizes.examples as f64,
            multiply_adds: sizes.multiply_adds as f64,
            factors: sizes.factors as f64,
            pair: sizes.pair.map(|part| part as f64),
            gradient: sizes.gradient as f64,
            repeats: 1.0,
            use_of_g,
        }
    }

    /// What its steps compute.
    pub fn operations(&self) -> Operations {
        let Self { parameters: n, iterations: t, batch, factors, pair, .. } = *self;
        let (sums, gram, eigenvalues) = match self.use_of_g {
            Use::Spectrum { from_factors: true } => (2.0 * t * pair[1], t * t * pair[0], 4.0 / 3.0 * t.powi(3)),
            Use::Spectrum { .. } => (2.0 * t * batch * self.gradient, t * t * n, 4.0 / 3.0 * t.powi(3)),
            Use::Entries(_) => (2.0 * t * batch * self.gradient, 0.0, 0.0),
        };
        let sums = if factors > 0.0 { sums } else { 0.0 };
        let passes = self.repeats * pass_operations(self.passed(), self.multiply_adds);
        Operations { passes, sums, gram, eigenvalues }
    }

    /// Examples that go forward and backward.
    fn passed(&self) -> f64 {
        let drawn = self.iterations * self.batch;
        if self.factors > 0.0 { drawn.min(self.examples) } else { drawn }
    }

    /// Seconds on the machine that was measured, where no other row shares its steps.
    pub fn seconds(&self) -> f64 {
        let operations = self.operations();
        let entries = self.parameters * self.iterations;
        let starts = if self.factors > 0.0 { 0.0 } else { self.iterations * rates::PASS_START };
        let analysis = match self.use_of_g {
            Use::Spectrum { .. } => eigenvalue_seconds(self.iterations),
            Use::Entries(Axis::Iteration) => entries * rates::ITERATION_ENTRY,
            Use::Entries(Axis::Dimension) => entries * rates::DIMENSION_ENTRY,
        };
        rates::START
            + starts
            + operations.passes / rates::PASS
            + operations.sums / rates::SUMS
            + operations.gram / rates::PRODUCT
            + analysis
    }
}

/// Seconds of `row` where no more than `share` is captured for its spectrum, in `repeats` passes over the examples.
pub(crate) fn seconds_of_share(row: &Row, share: Share, repeats: u64) -> f64 {
    if share.parameters == 0 {
        return rates::START + eigenvalue_seconds(row.iterations as f64);
    }
    let sizes = Sizes::of(row);
    let (parameters, factors) = (sizes.parameters.min(share.parameters), sizes.factors.min(share.factors));
    // Of a part as much as its share of the factors is.
    let part = |cost: u64| (cost as f64 * factors as f64 / sizes.factors.max(1) as f64) as u64;
    let (pair, gradient) = (sizes.pair.map(part), part(sizes.gradient));
    let workload = Workload::with_sizes(&Sizes { parameters, factors, pair, gradient, ..sizes }, row);
    Workload { repeats: repeats as f64, ..workload }.seconds()
}

/// Seconds of all eigenvalues of a matrix of order `order`.
pub fn eigenvalue_seconds(order: f64) -> f64 {
    4.0 / 3.0 * order.powi(3) / rates::PRODUCT + order * order * rates::EIGENVALUE_ENTRY
}

/// Seconds of training `model` on `data_set`, without loading.
pub fn training_seconds(training: &Training, row: &Row) -> f64 {
    let sizes = Sizes::of(row);
    let (examples, epochs) = (sizes.examples as f64, training.epochs as f64);
    let steps = epochs * (examples / training.batch as f64).ceil();
    steps * rates::PASS_START + pass_operations(epochs * examples, sizes.multiply_adds as f64) / rates::PASS
}

/// Operations of `examples` passes forward and backward; the way back computes twice as much.
fn pass_operations(examples: f64, multiply_adds: f64) -> f64 {
    3.0 * 2.0 * multiply_adds * examples
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradspectra_experiment::catalogue;

    fn row(table: &str, id: &str) -> Row {
        let rows = catalogue::experiment(table).expect("it is built in").rows;
        rows.into_iter().find(|row| row.id == id).expect("the table has it")
    }

    #[test]
    fn networks_compute_what_is_known_of_them() {
        assert_eq!(Sizes::of(&row("table-5", "random-b1")).multiply_adds, 281_640);
        let resnet = Sizes::of(&row("table-3", "c10-random-dimension")).multiply_adds as f64;
        assert!((resnet / 0.556e9 - 1.0).abs() < 0.01, "{resnet}");
    }

    /// Measured: docs/performance.md, and `timings.json` of experiments/results.
    #[test]
    fn estimates_are_near_what_was_measured() {
        let spectrum = |id| Workload::of(&row("table-5", id)).seconds();
        let lenet = row("table-5", "pretrain-b1");
        let epoch = Training { epochs: 1, ..lenet.training.clone().expect("it is trained") };
        let fcn = row("table-1", "fcn-pretrain");
        let fcn_training = fcn.training.clone().expect("it is trained");
        for (what, estimate, measured) in [
            ("B = 1", spectrum("random-b1"), 3.2),
            ("B = 100", spectrum("random-b100"), 10.0),
            ("B = 10,000", spectrum("random-b10000"), 63.0),
            ("eigenvalues", eigenvalue_seconds(5000.0), 2.0),
            ("an epoch of LeNet", training_seconds(&epoch, &lenet), 1.9),
            ("a fully connected network", training_seconds(&fcn_training, &fcn), 45.0),
            ("its row", Workload::of(&fcn).seconds(), 11.8),
        ] {
            let ratio = estimate / measured;
            assert!((0.5..=2.0).contains(&ratio), "{what}: estimated {estimate:.1} s, measured {measured} s");
        }
    }
}
