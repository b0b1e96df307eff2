mod entry;
mod sample;
mod select;

use faer::MatRef;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use entry::Entry;
pub use sample::EntryTest;
use sample::{SampleTester, test_columns};

use crate::{AnalysisError, KsDistances, KsTest, Result};

/// What to do with a row or column of G that has fewer than K entries other than zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroReading {
    /// The top K absolute values include zeros: the power law is fitted to the P positive ones, the empirical CDF is of
    /// all K and so has (K − P)/K below λ_min, and d_c is that of K.
    #[default]
    InCdf,
    /// Only the P positive values are fitted and tested, with the d_c of P.
    Dropped,
}

/// What to do with a row or column of G that is all zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllZeroReading {
    /// Counted, and left out of the mean distance and the power-law rate.
    #[default]
    LeftOut,
    /// Counted as a distance of 1 and no power law.
    Rejected,
}

/// What to do with an undefined p-value: that of constant (all-zero too) or fewer than 8 entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndefinedPReading {
    /// Counted as not Gaussian in the rate; the mean p-value is over the defined ones.
    #[default]
    NotGaussian,
    /// Counted, and left out of the rate as well.
    LeftOut,
}

/// Which entries of each sample the normality test draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrawReading {
    /// Other positions for each sample, from the random stream of the sample's number.
    #[default]
    PerSample,
    /// Positions that are equal for every sample of one length.
    Shared,
}

/// How to test the rows or columns of G (§A.2, Tables 2 and 3).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EntryTestConfig {
    /// K: how many of the largest absolute values the power law is fitted to.
    pub k: usize,
    /// How many entries the normality test draws; all where there are fewer.
    pub draw: usize,
    /// Which entries it draws.
    pub draws: DrawReading,
    /// The seed of the draws.
    pub seed: u64,
    /// The reading of samples with fewer than K positive absolute values.
    pub zeros: ZeroReading,
    /// The reading of samples that are all zero.
    pub all_zero: AllZeroReading,
    /// The reading of undefined p-values.
    pub undefined_p: UndefinedPReading,
    /// Whether every sample's [`EntryTest`] is kept (64 bytes a sample), not only their means and counts.
    pub keep: bool,
}

impl EntryTestConfig {
    /// The number of entries that the normality test draws (§A.2).
    pub const DRAW: usize = 100;

    /// The default readings, with nothing kept.
    pub fn new(k: usize, seed: u64) -> Self {
        Self {
            k,
            draw: Self::DRAW,
            draws: DrawReading::default(),
            seed,
            zeros: ZeroReading::default(),
            all_zero: AllZeroReading::default(),
            undefined_p: UndefinedPReading::default(),
            keep: false,
        }
    }
}

/// Tests of the entries of G, row by row (iteration-wise) or column by column (dimension-wise), as Tables 2 and 3 do:
/// a power law for the largest absolute values, and normality of random entries, signs included.
///
/// Samples may come in blocks, so that G need not be held whole. The result depends neither on the blocks nor on the
/// number of threads; with [`DrawReading::PerSample`] it depends on the order of the samples, whose numbers choose the
/// draws. Where all positive values of a sample are equal, d_ks is 1: F̂(λ_min) = 0 for every exponent.
#[derive(Debug, Clone)]
pub struct EntryTests {
    config: EntryTestConfig,
    tally: Tally,
    kept: Vec<EntryTest>,
}

impl EntryTests {
    /// How many samples a call tests before it adds up their results.
    const BATCH: usize = 1 << 15;
    /// About how many entries a thread copies to walk across the storage order.
    const BUFFER: usize = 1 << 19;

    /// Tests with nothing counted yet.
    ///
    /// # Errors
    ///
    /// K below 2.
    pub fn new(config: EntryTestConfig) -> Result<Self> {
        if config.k < 2 {
            return Err(AnalysisError::TooSmallK { k: config.k });
        }
        Ok(Self { config, tally: Tally::default(), kept: Vec::new() })
    }

    /// Tests one sample.
    ///
    /// # Errors
    ///
    /// Fewer than K entries, or one that is not finite; the sample is then not counted.
    pub fn sample<E: Entry>(&mut self, sample: &[E]) -> Result<()> {
        self.columns(MatRef::from_column_major_slice(sample, sample.len(), 1))
    }

    /// Tests every row of `block` on all cores; of the whole of G, this is iteration-wise.
    ///
    /// # Errors
    ///
    /// Fewer than K columns, or an entry that is not finite; nothing of the block is then counted.
    pub fn rows<E: Entry>(&mut self, block: MatRef<'_, E>) -> Result<()> {
        self.columns(block.transpose())
    }

    /// Tests every column of `block` on all cores; of the whole of G, this is dimension-wise.
    ///
    /// # Errors
    ///
    /// Fewer than K rows, or an entry that is not finite; nothing of the block is then counted.
    pub fn columns<E: Entry>(&mut self, block: MatRef<'_, E>) -> Result<()> {
        let (counted, kept) = (self.tally, self.kept.len());
        let result = self.try_columns(block);
        if result.is_err() {
            self.tally = counted;
            self.kept.truncate(kept);
        }
        result
    }

    fn try_columns<E: Entry>(&mut self, block: MatRef<'_, E>) -> Result<()> {
        let (n, samples) = block.shape();
        if samples > 0 && n < self.config.k {
            return Err(AnalysisError::TooFewValues { n, needed: self.config.k });
        }
        let group = (Self::BUFFER / n.max(1)).clamp(4, 128);
        for batch in (0..samples).step_by(Self::BATCH) {
            let end = samples.min(batch + Self::BATCH);
            let starts: Vec<usize> = (batch..end).step_by(group).collect();
            let (config, counted) = (&self.config, self.tally.samples - batch);
            let groups: Vec<Result<Vec<EntryTest>>> = starts
                .into_par_iter()
                .map_init(
                    || (SampleTester::new(config), Vec::new()),
                    |(tester, buffer), start| {
                        let columns = block.subcols(start, group.min(end - start));
                        test_columns(tester, buffer, columns, counted + start)
                    },
                )
                .collect();
            for tests in groups {
                for test in tests? {
                    self.tally.add(&test, &self.config);
                    if self.config.keep {
                        self.kept.push(test);
                    }
                }
            }
        }
        Ok(())
    }

    /// Every sample's tests in order; empty unless they are kept.
    pub fn kept(&self) -> &[EntryTest] {
        &self.kept
    }

    /// The tests that are kept, which then are no longer.
    pub fn take_kept(&mut self) -> Vec<EntryTest> {
        std::mem::take(&mut self.kept)
    }

    /// Means, rates and counts so far.
    pub fn summary(&self) -> EntryTestSummary {
        let tally = &self.tally;
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        let rate = |count: usize, of: usize| mean(count as f64, of);
        let p_values = tally.samples - tally.undefined_p;
        let in_gaussian_rate = match self.config.undefined_p {
            UndefinedPReading::NotGaussian => tally.samples,
            UndefinedPReading::LeftOut => p_values,
        };
        EntryTestSummary {
            samples: tally.samples,
            k: self.config.k,
            d_c: KsTest::critical_distance(self.config.k),
            mean_ks: (tally.distances > 0).then(|| tally.ks_sum.over(tally.distances)),
            power_law_rate: rate(tally.power_laws, tally.distances),
            mean_p_value: mean(tally.p_sum, p_values),
            gaussian_rate: rate(tally.gaussians, in_gaussian_rate),
            all_zero: tally.all_zero,
            fewer_than_k: tally.fewer_than_k,
            undefined_p: tally.undefined_p,
        }
    }
}

/// Means, rates and counts of [`EntryTests`]; a mean or rate of nothing is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EntryTestSummary {
    /// How many samples were tested.
    pub samples: usize,
    /// K.
    pub k: usize,
    /// d_c for K values.
    pub d_c: f64,
    /// The mean distances; the paper's d̄_ks is the two-sided one.
    pub mean_ks: Option<KsDistances>,
    /// The share of samples that are power laws.
    pub power_law_rate: Option<f64>,
    /// The mean of the defined p-values.
    pub mean_p_value: Option<f64>,
    /// The share of samples whose normality is not rejected.
    pub gaussian_rate: Option<f64>,
    /// How many samples are all zero.
    pub all_zero: usize,
    /// How many others have fewer than K entries that are not zero.
    pub fewer_than_k: usize,
    /// How many samples have no p-value.
    pub undefined_p: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    samples: usize,
    all_zero: usize,
    fewer_than_k: usize,
    undefined_p: usize,
    distances: usize,
    ks_sum: KsDistances,
    power_laws: usize,
    p_sum: f64,
    gaussians: usize,
}

impl Tally {
    fn add(&mut self, test: &EntryTest, config: &EntryTestConfig) {
        self.samples += 1;
        self.all_zero += usize::from(test.positive == 0);
        self.fewer_than_k += usize::from(test.positive > 0 && test.positive < config.k);
        let rejected = (config.all_zero == AllZeroReading::Rejected).then(|| KsDistances::at_one_point(0.0));
        if let Some(ks) = test.ks.or(rejected) {
            self.distances += 1;
            self.ks_sum = self.ks_sum.plus(&ks);
            self.power_laws += usize::from(test.is_power_law() == Some(true));
        }
        match test.p_value {
            Some(p_value) => {
                self.p_sum += p_value;
                self.gaussians += usize::from(test.is_gaussian() == Some(true));
            }
            None => self.undefined_p += 1,
        }
    }
}
