use super::*;

/// A likelihood ratio −R of a nested alternative and its p-value erfc(√R): by mpmath 1.3.0 with 50 digits.
const NESTED: [(f64, f64); 22] = [
    (0.0, 1.0),
    (1e-20, 0.99999999988716208),
    (1e-8, 0.99988716208366658),
    (1e-4, 0.98871658444415038),
    (0.01, 0.88753708398171511),
    (0.0625, 0.72367360983176307),
    (0.25, 0.47950012218695346),
    (0.5, 0.3173105078629141),
    (0.7119140625, 0.23277433876765837),
    (1.0, 0.15729920705028513),
    (1.5625, 0.07709987174354177),
    (2.0, 0.045500263896358414),
    (4.0, 4.6777349810472658e-3),
    (6.25, 4.0695201744495894e-4),
    (9.0, 2.2090496998585441e-5),
    (16.0, 1.5417257900280019e-8),
    (25.0, 1.5374597944280349e-12),
    (64.0, 1.1224297172982927e-29),
    (169.0, 1.7395573154667245e-75),
    (400.0, 5.3958656116079009e-176),
    (676.0, 5.6631924088561428e-296),
    (700.0, 2.1010145162642175e-306),
];

/// Far in the tail, the rounding of the square root shows R times.
#[test]
fn p_values_agree_with_mpmath_into_the_far_tail() {
    for (ratio, right) in NESTED {
        let (found, p_value) = vuong(&[-0.25 * ratio, -0.75 * ratio], true);
        assert!((found + ratio).abs() <= f64::EPSILON * ratio, "{found} is not {ratio}");
        let tolerance = 2.0 * f64::EPSILON * (1.0 + 2.0 * ratio);
        assert!((p_value / right - 1.0).abs() < tolerance, "{ratio}: {p_value:e} is not {right:e}");
    }
}

/// Three values whose ratios sum to R = 3m with the deviation s, of which erfc(R/(s √6)) is by mpmath 1.3.0.
#[test]
fn p_values_of_alternatives_that_are_not_nested_agree_with_mpmath() {
    for (differences, right) in [([1.0, 2.0, 3.0], 2.2090496998585441e-5), ([-1.0, 0.5, 2.0], 0.47950012218695346)] {
        let (_, p_value) = vuong(&differences, false);
        assert!((p_value / right - 1.0).abs() < 1e-14, "{differences:?}: {p_value:e} is not {right:e}");
    }
}
