//! Captures and the hash of them that is written after them.

use gradspectra_files as files;

/// The captures `csv` of which the JSON beside it says the SHA-256: all, or all but the one that was written last, where a
/// process ended before it wrote the JSON.
pub(super) fn whole(csv: String, sha256: &str) -> Option<String> {
    if files::sha256(csv.as_bytes()) == sha256 {
        return Some(csv);
    }
    let lines: Vec<&str> = csv.split_inclusive('\n').collect();
    (1..lines.len()).rev().find_map(|last| {
        let before = [&lines[..last], &lines[last + 1..]].concat().concat();
        (files::sha256(before.as_bytes()) == sha256).then_some(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_that_its_json_does_not_know_yet_takes_none_before_it_along() {
        let (before, all) = ("head\n0\n40\n", "head\n0\n20\n40\n");
        let known = files::sha256(before.as_bytes());
        assert_eq!(whole(before.to_owned(), &known).as_deref(), Some(before));
        assert_eq!(whole(all.to_owned(), &known).as_deref(), Some(before));
        assert_eq!(whole("head\n0\n41\n".to_owned(), &known), None);
        assert_eq!(whole("head\n0\n".to_owned(), &known), None);
    }
}
