//! The norms of the columns of G.

use faer::MatRef;

/// The squared norm of every iteration's gradient, each a plain sum of squares: as a difference of inner products the norm
/// of a gradient far smaller than the mean one would be rounding.
#[derive(Debug)]
pub(crate) struct Norms {
    /// A power of two that is taken out of the entries, so that squares stay in the range of f64.
    exponent: i32,
    squares: Vec<f64>,
}

impl Norms {
    /// Of `iterations` gradients, with no parameter in them yet.
    pub(crate) fn new(iterations: usize) -> Self {
        Self { exponent: f64::MIN_EXP - 1, squares: vec![0.0; iterations] }
    }

    /// Adds the rows `[parameters, T]` of G, all finite.
    pub(crate) fn add(&mut self, rows: MatRef<'_, f64>) {
        let entries = rows.col_iter().flat_map(|column| column.iter());
        let largest = entries.fold(0.0_f64, |largest, entry| entry.abs().max(largest));
        let exponent = libm::ilogb(largest).max(f64::MIN_EXP - 1);
        if exponent > self.exponent {
            let factor = 2_f64.powi(self.exponent - exponent);
            self.squares.iter_mut().for_each(|square| *square *= factor * factor);
            self.exponent = exponent;
        }
        let factor = 2_f64.powi(-self.exponent);
        for (square, column) in self.squares.iter_mut().zip(rows.col_iter()) {
            *square += column.iter().map(|entry| (entry * factor).powi(2)).sum::<f64>();
        }
    }

    /// The mean over iterations.
    pub(crate) fn mean(&self) -> f64 {
        let sum: f64 = self.squares.iter().map(|square| square.sqrt()).sum();
        sum / self.squares.len() as f64 * 2_f64.powi(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    #[test]
    fn the_mean_is_right_over_the_whole_range() {
        for unit in [1.0, 1e-320, 1e-300, 1e-160, 1e160, 1e300] {
            let mut norms = Norms::new(2);
            norms.add(Mat::from_fn(1, 2, |_, t| if t == 0 { 3.0 * unit } else { 0.0 }).as_ref());
            norms.add(Mat::from_fn(1, 2, |_, t| if t == 0 { 4.0 * unit } else { unit }).as_ref());
            let ratio = norms.mean() / (3.0 * unit);
            assert!((ratio - 1.0).abs() < if unit < 1e-310 { 1e-3 } else { 1e-15 }, "{unit:e}: {ratio}");
        }
        let mut norms = Norms::new(3);
        norms.add(Mat::zeros(4, 3).as_ref());
        assert_eq!(norms.mean(), 0.0);
        norms.add(Mat::from_fn(1, 3, |_, t| [1e-200, 1e200, 0.0][t]).as_ref());
        assert!((norms.mean() / (1e200 / 3.0) - 1.0).abs() < 1e-15);
    }
}
