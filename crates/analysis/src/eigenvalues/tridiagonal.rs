//! Eigenvalues of a symmetric tridiagonal matrix.

/// 2⁻⁵³, LAPACK's `eps`.
const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// Iterations allowed per eigenvalue, as in LAPACK.
const MAX_ITERATIONS: usize = 30;

/// A symmetric tridiagonal matrix.
#[derive(Clone, Debug)]
pub(super) struct SymmetricTridiagonal {
    /// Its n diagonal entries.
    pub(super) diagonal: Vec<f64>,
    /// Its n − 1 entries next to the diagonal.
    pub(super) off_diagonal: Vec<f64>,
}

impl SymmetricTridiagonal {
    /// The eigenvalues in no order, by the root-free QL iteration of Pal, Walker and Kahan (LAPACK `dsterf`;
    /// Parlett, "The Symmetric Eigenvalue Problem", §8.15); `None` where it does not converge.
    ///
    /// The entries are at most about 1 in magnitude.
    pub(super) fn eigenvalues(self) -> Option<Vec<f64>> {
        let Self { mut diagonal, off_diagonal: mut squares } = self;
        let mut budget = MAX_ITERATIONS * diagonal.len();
        let mut start = 0;
        while start < diagonal.len() {
            let end = (start..squares.len())
                .find(|&k| squares[k].abs() <= UNIT_ROUNDOFF * diagonal[k].abs().sqrt() * diagonal[k + 1].abs().sqrt())
                .unwrap_or(squares.len());
            let (values, squares) = (&mut diagonal[start..=end], &mut squares[start..end]);
            if values[values.len() - 1].abs() < values[0].abs() {
                values.reverse();
                squares.reverse();
            }
            for square in squares.iter_mut() {
                *square *= *square;
            }
            solve_unreduced(values, squares, &mut budget)?;
            start = end + 1;
        }
        Some(diagonal)
    }
}

/// Overwrites the diagonal with the eigenvalues; the squares of the off-diagonal are lost.
fn solve_unreduced(mut values: &mut [f64], mut squares: &mut [f64], budget: &mut usize) -> Option<()> {
    while !squares.is_empty() {
        let end = (0..squares.len())
            .find(|&k| squares[k] <= UNIT_ROUNDOFF * UNIT_ROUNDOFF * (values[k] * values[k + 1]).abs())
            .unwrap_or(squares.len());
        let found = match end {
            0 => 1,
            1 => {
                (values[0], values[1]) = two_by_two(values[0], squares[0].sqrt(), values[1]);
                2
            }
            _ => {
                *budget = budget.checked_sub(1)?;
                iterate(&mut values[..=end], &mut squares[..end]);
                continue;
            }
        };
        values = &mut values[found..];
        squares = squares.get_mut(found..).unwrap_or_default();
    }
    Some(())
}

/// One implicit QL step with Wilkinson's shift.
fn iterate(values: &mut [f64], squares: &mut [f64]) {
    let last = squares.len();
    let root = squares[0].sqrt();
    let ratio = (values[1] - values[0]) / (2.0 * root);
    let shift = values[0] - root / (ratio + ratio.hypot(1.0).copysign(ratio));
    let mut gamma = values[last] - shift;
    let mut p = gamma * gamma;
    let (mut cosine, mut sine) = (1.0, 0.0);
    for k in (0..last).rev() {
        let square = squares[k];
        let sum = p + square;
        if k + 1 != last {
            squares[k + 1] = sine * sum;
        }
        let old_cosine = cosine;
        cosine = p / sum;
        let secant = sum / p;
        sine = square / sum;
        let old_gamma = gamma;
        let alpha = values[k];
        gamma = cosine * (alpha - shift) - sine * old_gamma;
        values[k + 1] = old_gamma + (alpha - gamma);
        p = if cosine < f64::MIN_POSITIVE { old_cosine * square } else { gamma * gamma * secant };
    }
    squares[0] = sine * p;
    values[0] = shift + gamma;
}

/// The eigenvalues of [[a, b], [b, c]], the larger in magnitude first (LAPACK `dlae2`).
fn two_by_two(a: f64, b: f64, c: f64) -> (f64, f64) {
    let sum = a + c;
    let root = (a - c).hypot(2.0 * b);
    let (large, small) = if a.abs() > c.abs() { (a, c) } else { (c, a) };
    if sum == 0.0 {
        return (0.5 * root, -0.5 * root);
    }
    let first = 0.5 * (sum + root.copysign(sum));
    (first, large / first * small - b / first * b)
}
