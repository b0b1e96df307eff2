/// Why a sample or matrix has no spectrum, fit or test.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A value is NaN or infinite.
    #[error("value {index} is {value}; every value must be finite")]
    NotFinite {
        /// Its position in the sample, or in the matrix column by column.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Fewer values are positive than the fit takes.
    #[error("only {positive} of {} positive, {k} are to be fitted; {}", are(*.total), fewer(*.positive))]
    TooFewPositive {
        /// How many values are positive.
        positive: usize,
        /// How many values there are.
        total: usize,
        /// K.
        k: usize,
    },
    /// K is below two, so that nothing is left to fit.
    #[error("K is {k}; a fit needs at least 2 values")]
    TooSmallK {
        /// K.
        k: usize,
    },
    /// The K largest values are equal, so that the maximum-likelihood exponent is infinite.
    #[error("the {k} largest values all equal {value}; they have no power-law exponent")]
    AllEqual {
        /// K.
        k: usize,
        /// The value.
        value: f64,
    },
    /// The sample is smaller than the test is defined for.
    #[error("the sample has {}; the test needs at least {needed}", counted(*.n, "values"))]
    TooFewValues {
        /// Its size.
        n: usize,
        /// The smallest size.
        needed: usize,
    },
    /// The sample has no spread, so that skewness and kurtosis are undefined.
    #[error("all values equal {value} to rounding; skewness and kurtosis are undefined")]
    Constant {
        /// The mean.
        value: f64,
    },
    /// The values span more than the likelihoods of their ratios can be computed for.
    #[error(
        "the values to be compared span {smallest:e} to {largest:e}, a ratio above e^300, beyond which likelihoods leave \
         f64's range; lower K"
    )]
    TooWide {
        /// The smallest fitted value.
        smallest: f64,
        /// The largest.
        largest: f64,
    },
    /// A gradient entry is NaN or infinite.
    #[error("entry {index} of sample {sample} is {value}; every entry must be finite")]
    EntryNotFinite {
        /// The sample's position among all that were tested.
        sample: usize,
        /// The entry's position in it.
        index: usize,
        /// The entry.
        value: f64,
    },
    /// The matrix is not square.
    #[error("the matrix is {rows} × {columns}; it must be square")]
    NotSquare {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// An eigenvalue, or their sum, is too large or too small for a normal `f64`.
    #[error(
        "an eigenvalue, or the sum of all, of about 1e{} leaves the range of f64; {}, or the matrix twice by as much",
        decimal(*.exponent),
        into_range(*.exponent)
    )]
    OutOfRange {
        /// Its binary logarithm, rounded.
        exponent: i32,
    },
    /// Every eigenvalue is zero.
    #[error(
        "all {what} are 0: the gradients are all 0 or, under a covariance, all equal; where they are below the smallest \
         number of their type (1e-45 of float32), multiply the loss by a large number"
    )]
    AllZero {
        /// What is fitted, in the plural.
        what: &'static str,
    },
    /// More eigenvalues or eigengaps are asked for than are above rounding.
    #[error(
        "K is {k} {what}; the numerical rank is {rank}, beyond which lies rounding{}: {}",
        within(*.rank, *.largest, .what),
        mend(*.rank, *.largest)
    )]
    BeyondRank {
        /// K.
        k: usize,
        /// How many eigenvalues are above rounding.
        rank: usize,
        /// The largest K that can be fitted.
        largest: usize,
        /// What is fitted, in the plural.
        what: &'static str,
    },
    /// Memory is refused.
    #[error(
        "the eigenvalues of a {order} × {order} matrix take {} MB, which the system refuses; lower T",
        bytes.div_ceil(1_000_000)
    )]
    Memory {
        /// The order of the matrix.
        order: usize,
        /// What was asked for.
        bytes: usize,
    },
    /// The eigenvalue iteration did not converge.
    #[error("the eigenvalues of a {order} × {order} matrix did not converge")]
    NoConvergence {
        /// The order of the matrix.
        order: usize,
    },
}

impl AnalysisError {
    /// Whether it says that the values have no power law, rather than that something failed.
    pub fn is_of_the_values(&self) -> bool {
        matches!(
            self,
            Self::TooFewPositive { .. }
                | Self::TooSmallK { .. }
                | Self::TooFewValues { .. }
                | Self::AllEqual { .. }
                | Self::AllZero { .. }
                | Self::BeyondRank { .. }
        )
    }
}

/// The result of an analysis.
pub type Result<T, E = AnalysisError> = std::result::Result<T, E>;

/// The decimal logarithm of 2^exponent, rounded.
fn decimal(exponent: i32) -> i64 {
    (f64::from(exponent) * std::f64::consts::LOG10_2).round() as i64
}

/// What brings eigenvalues of about 2^`exponent` into the range of f64: a number that f64 holds, where 2^(`exponent`/2) may
/// be beyond it.
fn into_range(exponent: i32) -> String {
    const LARGEST: i64 = 300;
    let half = decimal(exponent / 2);
    let (verb, power) = if half < 0 { ("multiply", -half) } else { ("divide", half) };
    format!("{verb} the gradients that it is formed of by 1e{}", power.min(LARGEST))
}

/// A number of things and their noun, whose plural adds an s.
fn counted(count: usize, plural: &str) -> String {
    let noun = if count == 1 { plural.strip_suffix('s').unwrap_or(plural) } else { plural };
    format!("{count} {noun}")
}

/// `3 values are`, `1 value is`.
fn are(total: usize) -> String {
    format!("{} {}", counted(total, "values"), if total == 1 { "is" } else { "are" })
}

/// What to do where no more than `positive` values can be fitted.
fn fewer(positive: usize) -> String {
    if positive < 2 { "a fit needs at least 2".to_owned() } else { format!("lower K to at most {positive}") }
}

/// How many of a kind are above rounding, where that is another number than the rank.
fn within(rank: usize, largest: usize, what: &str) -> String {
    if largest == rank { String::new() } else { format!(", with {} above it", counted(largest, what)) }
}

/// What to do where the rank allows at most `largest` values.
fn mend(rank: usize, largest: usize) -> String {
    match (rank, largest) {
        (0 | 1, _) => format!("no power law can be fitted to rank {rank}"),
        (_, 0 | 1) => "no power law can be fitted to so few".to_owned(),
        _ => format!("lower K to at most {largest}"),
    }
}

/// Refuses NaN and infinities.
pub(crate) fn finite(values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(AnalysisError::NotFinite { index, value: values[index] }),
        None => Ok(()),
    }
}
