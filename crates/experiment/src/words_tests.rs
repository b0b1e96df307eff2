use super::lines::Lines;
use super::*;

#[test]
fn a_reader_s_words_become_a_user_s() {
    for (message, path, expected) in [
        (
            "invalid value: integer `-5`, expected usize",
            "batch-size",
            "batch-size is -5; expected a whole number from 1",
        ),
        (
            "invalid type: string \"x\", expected f64",
            "training.learning-rate",
            "training.learning-rate is \"x\"; expected a number",
        ),
        (
            "invalid type: floating point `1.5`, expected u64",
            "seed-offset",
            "seed-offset is 1.5; expected a whole number from 0",
        ),
        ("invalid type: boolean `true`, expected a string", "title", "title is true; expected text in quotes"),
        ("invalid type: sequence, expected usize", "top", "top is a list; expected a whole number from 2"),
        ("invalid type: map, expected a sequence", "row", "row is a group of settings; expected a list in [ ]"),
        (
            "invalid type: string \"x\", expected internally tagged enum Analysis",
            "analysis",
            "analysis is \"x\"; expected settings, as { kind = \"…\" }",
        ),
        (
            "unknown variant `sdg`, expected one of `sgd`, `momentum`, `adam`",
            "optimiser",
            "optimiser is \"sdg\"; did you mean sgd? There are sgd, momentum, adam",
        ),
        (
            "unknown field `tob`, expected `top` or `kind`",
            "analysis",
            "tob is not a key of analysis; did you mean top? There are top, kind",
        ),
        ("unknown field `x`, there are no fields", "model", "x is not a key of model, and there is none: leave it out"),
        ("missing field `kind`", "model", "model.kind is missing; give it"),
        ("a sentence of ours; with the mend", "model", "a sentence of ours; with the mend"),
    ] {
        let path = path.split('.').map(str::to_owned).collect();
        assert_eq!(Fault::told(message, path).text, expected);
    }
}

/// Counted by hand.
#[test]
fn keys_are_found_on_their_lines() {
    let text = "title = 'x'\n\n[defaults]\nmodel = { kind = 'fcn',\n width = 3 }\n[[row]]\nid = 'a'\n\n[[row]]\nid = 'b'\ntop = 4\n";
    let lines = Lines::of(text);
    for (path, line) in [
        ("title", Some(1)),
        ("defaults.model", Some(4)),
        ("defaults.model.width", Some(5)),
        ("row.0.id", Some(7)),
        ("row.1", Some(9)),
        ("row.1.top", Some(11)),
        ("row.1.batch", Some(9)),
        ("nothing", None),
    ] {
        assert_eq!(lines.of_key(&path.split('.').collect::<Vec<_>>()), line, "{path}");
    }
    assert_eq!(lines.of_whole_key(&["row", "1", "batch"]), None);
    assert_eq!(lines.key_at(text.find("3 }").expect("there")), ["defaults", "model", "width"]);
}
