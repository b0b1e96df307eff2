use faer::MatRef;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::select::TopAbsolute;
use super::{DrawReading, EntryTestConfig, ZeroReading};
use crate::{AnalysisError, KsDistances, KsTest, NormalityTest, Result, power_law, random};

/// The two tests of one row or column of G.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EntryTest {
    /// How many of the top K absolute values are positive.
    pub positive: usize,
    /// Distances of the top K absolute values from their power law; `None` where every entry is zero.
    pub ks: Option<KsDistances>,
    /// d_c for the number of values in the empirical CDF.
    pub d_c: f64,
    /// The p-value of [`NormalityTest`] on the drawn entries; `None` where it is undefined: fewer than 8, or constant.
    pub p_value: Option<f64>,
}

impl EntryTest {
    /// Whether the power law is accepted: d_ks < d_c, and there are two positive values at least, without which there is
    /// no exponent; `None` where every entry is zero. The d_c of a handful of values accepts nearly anything.
    pub fn is_power_law(&self) -> Option<bool> {
        self.ks.map(|ks| self.positive > 1 && KsTest { d_ks: ks.two_sided, d_c: self.d_c }.is_power_law())
    }

    /// Whether normality is not rejected; `None` where the p-value is undefined.
    pub fn is_gaussian(&self) -> Option<bool> {
        self.p_value.map(NormalityTest::accepts)
    }
}

/// Tests samples one after another; holds the scratch space of one thread.
pub(super) struct SampleTester<'a, E: Entry> {
    config: &'a EntryTestConfig,
    top: TopAbsolute<E>,
    /// ln(x/λ_min) of the top K ascending, −∞ for zeros.
    logarithms: Vec<f64>,
    positions: Vec<usize>,
    drawn: Vec<f64>,
}

impl<'a, E: Entry> SampleTester<'a, E> {
    pub(super) fn new(config: &'a EntryTestConfig) -> Self {
        Self { config, top: TopAbsolute::new(), logarithms: Vec::new(), positions: Vec::new(), drawn: Vec::new() }
    }

    /// Tests `sample`, the `index`-th of all.
    pub(super) fn test(&mut self, sample: &[E], index: usize) -> Result<EntryTest> {
        let (positive, ks, d_c) = self.power_law(sample, index)?;
        Ok(EntryTest { positive, ks, d_c, p_value: self.normality(sample, index) })
    }

    fn power_law(&mut self, sample: &[E], index: usize) -> Result<(usize, Option<KsDistances>, f64)> {
        let k = self.config.k;
        let keys = self.top.select(sample, k).map_err(|entry| AnalysisError::EntryNotFinite {
            sample: index,
            index: entry,
            value: sample[entry].into(),
        })?;
        let positive = keys.len();
        let fitted = match self.config.zeros {
            ZeroReading::InCdf => k,
            ZeroReading::Dropped => positive.max(1),
        };
        let d_c = KsTest::critical_distance(fitted);
        let (Some(&smallest), Some(&largest)) = (keys.first(), keys.last()) else { return Ok((0, None, d_c)) };
        let relative = power_law::Relative::of(E::of_key(smallest), E::of_key(largest));
        self.logarithms.clear();
        self.logarithms.resize(fitted - positive, f64::NEG_INFINITY);
        self.logarithms.extend(keys.iter().map(|&key| relative.logarithm(E::of_key(key))));
        let rate = power_law::rate(&self.logarithms[fitted - positive..]);
        let ks = match rate {
            Some(rate) => power_law::distances(&self.logarithms, rate),
            None => KsDistances::at_one_point((fitted - positive) as f64 / fitted as f64),
        };
        Ok((positive, Some(ks), d_c))
    }

    fn normality(&mut self, sample: &[E], index: usize) -> Option<f64> {
        let stream = match self.config.draws {
            DrawReading::PerSample => index as u64,
            DrawReading::Shared => 0,
        };
        let mut rng = random::stream(self.config.seed, stream);
        self.drawn.clear();
        draw_positions(&mut self.positions, &mut rng, sample.len(), self.config.draw);
        self.drawn.extend(self.positions.iter().map(|&position| -> f64 { sample[position].into() }));
        NormalityTest::of(&self.drawn).ok().map(|test| test.p_value)
    }
}

/// Draws min(`count`, `n`) of the positions below `n` without replacement, by Floyd's algorithm
/// ([Bentley and Floyd](https://doi.org/10.1145/30401.315746) 1987).
fn draw_positions(positions: &mut Vec<usize>, rng: &mut ChaCha8Rng, n: usize, count: usize) {
    positions.clear();
    for last in n.saturating_sub(count)..n {
        let position = random::below(rng, last + 1);
        positions.push(if positions.contains(&position) { last } else { position });
    }
}

/// Tests the columns of `block`, which are samples `first`, `first + 1`, …
pub(super) fn test_columns<E: Entry>(
    tester: &mut SampleTester<'_, E>,
    buffer: &mut Vec<E>,
    block: MatRef<'_, E>,
    first: usize,
) -> Result<Vec<EntryTest>> {
    let n = block.nrows();
    if n > 0 && block.row_stride() == 1 {
        let columns = block.col_iter().map(|column| column.try_as_col_major().expect("the row stride is 1").as_slice());
        return columns.zip(first..).map(|(sample, index)| tester.test(sample, index)).collect();
    }
    buffer.resize(n * block.ncols(), E::default());
    for (row, entries) in block.row_iter().enumerate() {
        for (column, &entry) in entries.iter().enumerate() {
            buffer[column * n + row] = entry;
        }
    }
    (0..block.ncols()).map(|column| tester.test(&buffer[column * n..(column + 1) * n], first + column)).collect()
}
