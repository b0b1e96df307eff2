//! Text with raised and lowered parts.

/// How far a part of a text is from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Base,
    Lowered,
    Raised,
}

impl Level {
    /// Its distance below the line, in units of the size.
    pub(super) fn shift(self) -> f32 {
        match self {
            Self::Base => 0.0,
            Self::Lowered => 0.22,
            Self::Raised => -0.38,
        }
    }

    /// Its size to that of the line.
    pub(super) fn scale(self) -> f32 {
        if self == Self::Base { 1.0 } else { 0.74 }
    }
}

/// The parts of `text`, where `_{}` lowers and `^{}` raises what is between the braces.
pub(super) fn parts(text: &str) -> Vec<(Level, &str)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((start, level)) = first_mark(rest)
        && let Some(end) = rest[start..].find('}')
    {
        parts.push((Level::Base, &rest[..start]));
        parts.push((level, &rest[start + 2..start + end]));
        rest = &rest[start + end + 1..];
    }
    parts.push((Level::Base, rest));
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

fn first_mark(text: &str) -> Option<(usize, Level)> {
    let marks = [("_{", Level::Lowered), ("^{", Level::Raised)];
    marks.into_iter().filter_map(|(mark, level)| Some((text.find(mark)?, level))).min_by_key(|(start, _)| *start)
}

/// A number to `digits` significant digits, with a power of ten where it is small or large.
pub(super) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.0$e}", digits - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    match exponent.parse::<i32>() {
        Ok(exponent @ -3..=3) => format!("{value:.0$}", (digits as i32 - 1 - exponent).max(0) as usize),
        _ => format!("{mantissa}×10^{{{}}}", exponent.replace('-', "−")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_split_text() {
        let expected = [(Level::Base, "d"), (Level::Lowered, "ks"), (Level::Base, " 10"), (Level::Raised, "−3")];
        assert_eq!(parts("d_{ks} 10^{−3}"), expected);
        assert_eq!(parts("a_{b"), [(Level::Base, "a_{b")]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(number(1.4249, 4), "1.425");
        assert_eq!(number(0.02261, 3), "0.0226");
        assert_eq!(number(2.3456e-7, 2), "2.3×10^{−7}");
        assert_eq!(number(12345.0, 2), "1.2×10^{4}");
        assert_eq!(number(0.0, 3), "0.00");
    }
}
