//! Sums that keep what each addition rounds away.

/// A sum in f64 that is as right as one in twice the digits, rounded at the end
/// ([Ogita, Rump and Oishi](https://doi.org/10.1137/030601818) 2005, Algorithm 4.4).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Compensated {
    sum: f64,
    rounded_away: f64,
}

impl Compensated {
    /// Adds `value`; what the sum rounds away is known exactly ([Knuth](https://doi.org/10.5555/270146)'s TwoSum).
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let of_value = sum - self.sum;
        self.rounded_away += (self.sum - (sum - of_value)) + (value - of_value);
        self.sum = sum;
    }

    /// The sum of what was added.
    pub(crate) fn value(self) -> f64 {
        self.sum + self.rounded_away
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums by Python's `math.fsum`, which is right to the last bit.
    #[test]
    fn sums_keep_what_plain_ones_lose() {
        let sum = |values: &[f64]| {
            let mut sum = Compensated::default();
            values.iter().for_each(|&value| sum.add(value));
            sum.value()
        };
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1.0, 1e16, -1e16]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        let cancelling: Vec<f64> = (0..1000).flat_map(|k| [1e9 * f64::from(k), 1e-3, -1e9 * f64::from(k)]).collect();
        assert!((sum(&cancelling) - 1.0).abs() <= f64::EPSILON);
    }
}
