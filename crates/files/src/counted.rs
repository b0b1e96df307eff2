//! Numbers of things in words.

/// `1 epoch`, `2 epochs`: a number and its noun, whose plural adds an s.
pub fn counted(count: usize, plural: &str) -> String {
    let noun = if count == 1 { plural.strip_suffix('s').unwrap_or(plural) } else { plural };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "epochs")), ["0 epochs", "1 epoch", "2 epochs"]);
    }
}
