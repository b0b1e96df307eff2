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
    #[error("the values span {smallest} to {largest}; likelihoods need a ratio below e^300")]
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
        value: f32,
    },
    /// The matrix is not square.
    #[error("the matrix is {rows} × {columns}; it must be square")]
    NotSquare {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// The eigenvalue iteration did not converge.
    #[error("the eigenvalues of a {order} × {order} matrix did not converge")]
    NoConvergence {
        /// The order of the matrix.
        order: usize,
    },
}

/// The result of an analysis.
pub type Result<T, E = AnalysisError> = std::result::Result<T, E>;

/// Refuses NaN and infinities.
pub(crate) fn finite(values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(AnalysisError::NotFinite { index, value: values[index] }),
        None => Ok(()),
    }
}
