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
    #[error("only {positive} of {total} values are positive, {k} are to be fitted; lower K")]
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
    #[error("the sample has {n} values; the test needs at least {needed}")]
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
        "an eigenvalue, or the sum of all, of about 1e{0} leaves the range of f64; divide the matrix by 1e{0}, or the gradients that it is \
         formed of by 1e{half}",
        decimal(*.exponent),
        half = decimal(.exponent / 2)
    )]
    OutOfRange {
        /// Its binary logarithm, rounded.
        exponent: i32,
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
    #[error("the eigenvalues of a {order} × {order} matrix take {bytes} bytes, which the system refuses; lower T")]
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

/// How many of a kind are above rounding, where that is another number than the rank.
fn within(rank: usize, largest: usize, what: &str) -> String {
    if largest == rank { String::new() } else { format!(", with {largest} {what} above it") }
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
