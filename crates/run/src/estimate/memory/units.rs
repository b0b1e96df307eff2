//! Bytes in words.

/// `bytes` in the unit that fits: GB from 0.1 GB on, else MB, kB or B; rounded to the nearest, or `up`.
pub(super) fn in_units(bytes: u64, up: bool) -> String {
    let (step, steps_a_unit, decimals, unit) = match bytes {
        ..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (100, 10.0, 1, "kB"),
        1_000_000..100_000_000 => (100_000, 10.0, 1, "MB"),
        _ => (10_000_000, 100.0, 2, "GB"),
    };
    let steps = if up { bytes.div_ceil(step) } else { bytes.saturating_add(step / 2) / step };
    format!("{:.decimals$} {unit}", steps as f64 / steps_a_unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::bytes;

    #[test]
    fn every_size_has_the_unit_that_fits() {
        for (bytes, nearest, up) in [
            (0, "0 B", "0 B"),
            (1, "1 B", "1 B"),
            (999, "999 B", "999 B"),
            (1_000, "1.0 kB", "1.0 kB"),
            (50_331_648, "50.3 MB", "50.4 MB"),
            (99_999_999, "100.0 MB", "100.0 MB"),
            (100_000_000, "0.10 GB", "0.10 GB"),
            (1_234_567_890, "1.23 GB", "1.24 GB"),
        ] {
            assert_eq!((in_units(bytes, false).as_str(), in_units(bytes, true).as_str()), (nearest, up));
        }
    }

    #[test]
    fn what_is_told_as_needed_is_enough_when_it_is_given() {
        for needed in (0..64).map(|exponent| (1_u64 << exponent) / 10 * 9 + 1) {
            let told = in_units(needed, true);
            assert!(bytes(&told).expect(&told) >= needed, "{told} for {needed}");
        }
    }
}
