//! Usage errors in words of who wrote the command.

/// A usage error of the command line without words of Rust, and without a tip that does not help with a negative number.
pub(crate) fn of_usage(text: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("invalid digit found in string", "expected a whole number that is not negative"),
        ("cannot parse integer from empty string", "expected a whole number"),
        ("number too large to fit in target type", "expected a smaller whole number"),
        ("number too small to fit in target type", "expected a larger whole number"),
        ("invalid float literal", "expected a number"),
        ("cannot parse float from empty string", "expected a number"),
    ];
    let plain = |line: &str| anstream::adapter::strip_str(line).to_string();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let bare = plain(line);
        let number = bare
            .trim_start()
            .strip_prefix("tip: to pass '-")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
        if number {
            if lines.last().is_some_and(|line| plain(line).trim().is_empty()) {
                lines.pop();
            }
            continue;
        }
        let words = WORDS.iter().fold(line.to_owned(), |line, (rust, word)| line.replace(rust, word));
        lines.push(ranges_in_words(&words));
    }
    lines.join("\n") + "\n"
}

/// A line of clap in which `… is not in 1..=9` tells the range in words.
fn ranges_in_words(line: &str) -> String {
    let Some((head, range)) = line.split_once(" is not in ") else { return line.to_owned() };
    let Some((least, most)) = range.split_once("..") else { return line.to_owned() };
    let value = head.rsplit(": ").next().unwrap_or_default();
    let head = head.strip_suffix(value).unwrap_or(head);
    let expected = match (most.strip_prefix('='), most.parse::<u64>()) {
        (Some(most), _) => format!("from {least} to {most}"),
        (None, Ok(above)) if above < u64::MAX => format!("from {least} to {}", above - 1),
        (None, _) => format!("from {least}"),
    };
    format!("{head}expected a whole number {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_are_in_a_user_s_words() {
        for (text, expected) in [
            (
                "error: invalid value 'x' for '--seeds <N>': invalid digit found in string",
                "error: invalid value 'x' for '--seeds <N>': expected a whole number that is not negative\n",
            ),
            (
                "error: invalid value '0' for '--seeds <N>': 0 is not in 1..=1000",
                "error: invalid value '0' for '--seeds <N>': expected a whole number from 1 to 1000\n",
            ),
            (
                "error: invalid value '0' for '--epochs <E>': 0 is not in 1..4294967296",
                "error: invalid value '0' for '--epochs <E>': expected a whole number from 1 to 4294967295\n",
            ),
            (
                "error: unexpected argument '-5' found\n\n  tip: to pass '-5' as a value, use '-- -5'\n\nUsage: x",
                "error: unexpected argument '-5' found\n\nUsage: x\n",
            ),
            ("a\n\n  tip: to pass '-v' as a value, use '-- -v'", "a\n\n  tip: to pass '-v' as a value, use '-- -v'\n"),
        ] {
            assert_eq!(of_usage(text), expected);
        }
    }
}
