//! Sums over long columns in a fixed order of several lanes, which the processor takes together.

use pulp::Arch;

const LANES: usize = 8;

/// A number that a column may hold.
pub(crate) trait Number: Copy + Into<f64> + Send + Sync + 'static {}

impl<T: Copy + Into<f64> + Send + Sync + 'static> Number for T {}

/// The largest magnitude; 0 of none.
pub(crate) fn largest(values: &[f32]) -> f32 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut largest = [0.0_f32; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                largest.iter_mut().zip(chunk).for_each(|(largest, x)| {
                    *largest = if x.abs() > *largest { x.abs() } else { *largest };
                });
            }
            rest.iter().chain(&largest).fold(0.0, |largest: f32, x| largest.max(x.abs()))
        },
    )
}

/// Σ x_i y_i in f64.
pub(crate) fn dot<T: Number>(values: &[T], others: &[f64]) -> f64 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let ((chunks, rest), (other_chunks, other_rest)) =
                (values.as_chunks::<LANES>(), others.as_chunks::<LANES>());
            for (chunk, other) in chunks.iter().zip(other_chunks) {
                for lane in 0..LANES {
                    sums[lane] += chunk[lane].into() * other[lane];
                }
            }
            let rest: f64 = rest.iter().zip(other_rest).map(|(&value, other)| value.into() * other).sum();
            sums.iter().sum::<f64>() + rest
        },
    )
}

/// Adds `values` to `sums`, entry by entry.
pub(crate) fn add<T: Number>(sums: &mut [f64], values: &[T]) {
    Arch::new().dispatch(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value.into()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_what_is_left_of_them_are_all_taken() {
        for length in [0, 1, 7, 8, 9, 40, 45] {
            let values: Vec<f32> = (0..length).map(|index| (index % 11) as f32 - 6.0).collect();
            let others: Vec<f64> = (0..length).map(|index| (index % 7) as f64 + 0.5).collect();
            let expected: f64 = values.iter().zip(&others).map(|(&value, other)| f64::from(value) * other).sum();
            assert_eq!(dot(&values, &others), expected, "{length}");
            assert_eq!(largest(&values), values.iter().fold(0.0, |largest: f32, x| largest.max(x.abs())), "{length}");
            let mut sums = others.clone();
            add(&mut sums, &values);
            assert!(
                sums.iter().zip(&values).zip(&others).all(|((sum, &value), other)| *sum == other + f64::from(value))
            );
        }
    }
}
