//! Powers of two, by which a float is scaled without rounding.

/// The bits of a float's exponent field are those from here on.
const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;

/// ⌊log₂ |value|⌋ of a normal number, and the exponent of the smallest for zero and subnormal numbers.
pub(crate) fn exponent(value: f64) -> i32 {
    let field = (value.abs().to_bits() >> MANTISSA_BITS) as i32;
    (field + f64::MIN_EXP - 2).max(f64::MIN_EXP - 1)
}

/// value · 2^exponent, rounded once and only where the result is subnormal.
pub(crate) fn times_power_of_two(mut value: f64, mut exponent: i32) -> f64 {
    const LARGEST: i32 = f64::MAX_EXP - 1;
    // Far enough above the smallest that a product with it is normal before the last factor rounds it.
    const SMALLEST: i32 = f64::MIN_EXP - 1 + f64::MANTISSA_DIGITS as i32;
    for _ in 0..2 {
        let step = exponent.clamp(SMALLEST, LARGEST);
        if step == exponent {
            break;
        }
        value *= power_of_two(step);
        exponent -= step;
    }
    value * power_of_two(exponent.clamp(f64::MIN_EXP - 1, LARGEST))
}

/// 2^exponent for the exponent of a normal number.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + f64::MAX_EXP - 1) as u64) << MANTISSA_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_bits() {
        for (value, expected) in [(1.0, 0), (-1.0, 0), (1.999_999_999_999_999_8, 0), (0.5, -1), (f64::MAX, 1023)] {
            assert_eq!(exponent(value), expected, "{value}");
        }
        for value in [0.0, f64::MIN_POSITIVE, 5e-324] {
            assert_eq!(exponent(value), -1022, "{value}");
        }
    }

    /// Products by C's `ldexp`.
    #[test]
    fn products_are_exact_or_rounded_once() {
        for (value, exponent, expected) in [
            (3.0, 4, 48.0),
            (5e-324, 2000, 5.672_519_334_708_34e278),
            (f64::MAX, -2097, 2.0 * f64::MIN_POSITIVE * f64::EPSILON),
            (1.5, 1024, f64::INFINITY),
            (-1.0, i32::MAX, f64::NEG_INFINITY),
            (1.0, i32::MIN, 0.0),
            (1.0 + f64::EPSILON, -1023, f64::MIN_POSITIVE / 2.0),
            (10.0 + 8.0 * f64::EPSILON, -1076, 3.0 * f64::MIN_POSITIVE * f64::EPSILON),
        ] {
            assert_eq!(times_power_of_two(value, exponent), expected, "{value} · 2^{exponent}");
        }
    }
}
