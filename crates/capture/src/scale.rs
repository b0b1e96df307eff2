//! Powers of two that are taken out of numbers and put back: exact but where the range of f64 ends.

/// The exponent of `magnitude` in base two, within that of normal numbers; 0 of 0.
pub(crate) fn exponent_of(magnitude: f64) -> i32 {
    const BIAS: i32 = 1023;
    match magnitude {
        0.0 => 0,
        magnitude => ((magnitude.to_bits() >> 52) as i32 & 0x7ff).clamp(1, 2 * BIAS) - BIAS,
    }
}

/// 2^`exponent`.
pub(crate) fn power_of_two(exponent: i32) -> f64 {
    2.0_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_numbers() {
        for (magnitude, exponent) in
            [(0.0, 0), (1.0, 0), (0.75, -1), (3.9, 1), (1e-300, -997), (f64::MAX, 1023), (1e-320, -1022)]
        {
            assert_eq!(exponent_of(magnitude), exponent, "{magnitude}");
        }
    }
}
