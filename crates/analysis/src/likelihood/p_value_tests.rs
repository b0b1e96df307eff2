use super::*;

/// A likelihood ratio −R of a nested alternative and its p-value erfc(√R): by mpmath 1.3.0 with 50 digits.
const NESTED: [(f64, f64); 22] = [
    (0.0, 1.0),
    (1e-20, 0.999999999887162),
    (1e-8, 0.9998871620836666),
    (1e-4, 0.9887165844441503),
    (0.01, 0.8875370839817152),
    (0.0625, 0.7236736098317631),
    (0.25, 0.4795001221869535),
    (0.5, 0.3173105078629141),
    (0.7119140625, 0.23277433876765838),
    (1.0, 0.15729920705028513),
    (1.5625, 0.07709987174354177),
    (2.0, 0.04550026389635842),
    (4.0, 0.004677734981047266),
    (6.25, 0.0004069520174449589),
    (9.0, 2.209049699858544e-05),
    (16.0, 1.541725790028002e-08),
    (25.0, 1.537459794428035e-12),
    (64.0, 1.1224297172982926e-29),
    (169.0, 1.7395573154667246e-75),
    (400.0, 5.395865611607901e-176),
    (676.0, 5.663192408856143e-296),
    (700.0, 2.1010145162642176e-306),
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
    for (differences, right) in [([1.0, 2.0, 3.0], 2.209049699858544e-05), ([-1.0, 0.5, 2.0], 0.4795001221869535)] {
        let (_, p_value) = vuong(&differences, false);
        assert!((p_value / right - 1.0).abs() < 1e-14, "{differences:?}: {p_value:e} is not {right:e}");
    }
}
