use proptest::prelude::*;

use super::characters::{Characters, Stranger};
use super::tokens::Tokens;
use super::windows::Windows;

#[test]
fn characters_are_numbered_in_their_order() {
    // sorted(set(text)) and [sorted(set(text)).index(c) for c in text] of Python
    let text = "héa\n €a😀h";
    let characters = Characters::of(text);
    assert_eq!(characters.count(), 7);
    let tokens = characters.tokens(text).expect("its own text");
    assert_eq!(tokens.at(0..tokens.len()).collect::<Vec<_>>(), [3, 4, 2, 0, 1, 5, 2, 6, 3]);
    assert_eq!(characters.text(tokens.at(0..9)).as_deref(), Some(text));
    assert_eq!(characters.text([7]), None);
}

#[test]
fn a_character_that_is_none_of_them_is_told_with_its_place() {
    let characters = Characters::of("abc\n");
    for (text, character, line, column) in
        [("abé", 'é', 1, 3), ("ab\nc\nccax", 'x', 3, 4), ("\n\n\u{301}", '\u{301}', 3, 1), ("ab\r\n", '\r', 1, 3)]
    {
        assert_eq!(characters.tokens(text), Err(Stranger { character, line, column }), "{text:?}");
    }
    assert_eq!(Characters::of("abd").first_beyond(&characters), Some('d'));
    assert_eq!(Characters::of("cab").first_beyond(&characters), None);
}

#[test]
fn a_window_needs_the_token_behind_it() {
    let windows = |count: u32, length| Windows::new(Tokens::of(100, 0..count), length);
    for (tokens, length, expected) in [(4, 4, 0), (5, 4, 1), (8, 4, 1), (9, 4, 2), (2, 1, 1), (0, 1, 0)] {
        assert_eq!(Windows::count(tokens as usize, length), expected);
        let found = windows(tokens, length).map_or_else(|error| error.to_string(), |found| found.len().to_string());
        match expected {
            0 => {
                assert_eq!(found, format!("the number of tokens is {tokens}, expected more than the length, {length}"))
            }
            _ => assert_eq!(found, expected.to_string()),
        }
    }
    assert_eq!(windows(9, 0).expect_err("no length").to_string(), "length is 0, expected at least 1");
}

proptest! {
    #[test]
    fn windows_have_every_token_once_and_its_follower(count in 2..300_u32, length in 1..40_usize, large in any::<bool>()) {
        prop_assume!(count as usize > length);
        let base = if large { 1 << 16 } else { 0 };
        let windows = Windows::new(Tokens::of((base + count) as usize, base..base + count), length).expect("one window");
        let inputs: Vec<u32> = (0..windows.len()).flat_map(|example| windows.inputs(example)).collect();
        let targets: Vec<u32> = (0..windows.len()).flat_map(|example| windows.targets(example)).collect();
        let end = base + inputs.len() as u32;
        prop_assert_eq!(inputs.len(), windows.len() * windows.length());
        prop_assert!(count as usize - inputs.len() <= length);
        prop_assert!(inputs.into_iter().eq(base..end));
        prop_assert!(targets.into_iter().eq(base + 1..end + 1));
    }
}
