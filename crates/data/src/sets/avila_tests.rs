use proptest::prelude::*;

use super::*;

const ROW: &str = "0.5,-1,2e-1,3,4,5,6,7,8,9,";

fn read(text: impl AsRef<[u8]>) -> Result<Rows> {
    rows(Path::new("folder/avila-tr.txt"), text.as_ref())
}

#[test]
fn rows_end_in_line_feeds_or_carriage_returns_and_blank_lines_may_follow() -> Result<()> {
    let expected = read(format!("{ROW}A\n{ROW}Y"))?;
    assert_eq!(expected.labels, [0, 11]);
    assert_eq!(expected.features.len(), 2 * FEATURES);
    assert_eq!(expected.features[..3], [0.5, -1.0, 0.2]);
    for end in ["\n", "\r\n", "\r\n\r\n", "\n\n\n"] {
        assert_eq!(read(format!("{ROW}A\r\n{ROW}Y{end}"))?, expected);
    }
    Ok(())
}

#[test]
fn malformed_files_are_refused() {
    let wide = format!("1,{ROW}A");
    let cases = [
        ("".to_owned(), "no rows, expected at least one"),
        ("\r\n\r\n".to_owned(), "no rows"),
        ("A".to_owned(), "1 fields in line 1, expected 10 features and a class"),
        ("1,2,3,A\r\n".to_owned(), "4 fields in line 1"),
        (wide, "12 fields in line 1"),
        (format!("{ROW}A\n\n{ROW}A"), "1 fields in line 2"),
        (format!("{ROW}A\n   \n"), "1 fields in line 2"),
        (format!("{ROW}J\n"), "class \"J\" in line 1, expected one of A, B, C"),
        (format!("{ROW}a\n"), "class \"a\""),
        (format!("{ROW}\n"), "class \"\""),
        (format!("{ROW}A\n{ROW} B"), "class \" B\" in line 2"),
        (format!("{ROW}A;{ROW}B"), "21 fields"),
        (ROW.replace("0.5", "nan") + "A", "\"nan\" in line 1, column 1, expected a finite number"),
        (ROW.replace("9", "inf") + "A", "\"inf\" in line 1, column 10"),
        (ROW.replace("9", "1e99") + "A", "\"1e99\""),
        (ROW.replace("9", "") + "A", "\"\" in line 1, column 10"),
        (ROW.replace("9", "0x9") + "A", "\"0x9\""),
        (ROW.replace("0.5", "F1") + "A", "\"F1\""),
    ];
    for (text, expected) in cases {
        let error = read(text).expect_err(expected).to_string();
        for part in ["folder/avila-tr.txt: ", expected, "replace it"] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
    let error = read(b"\xff\xfe1,2").expect_err("bytes").to_string();
    assert!(error.contains("expected text"), "{error}");
}

#[test]
fn features_are_clipped_and_standardised_by_the_training_rows() {
    let mut training = vec![0.0; 4 * FEATURES];
    for (row, value) in [-10.0, -10.0, 386.0, 10.0].into_iter().enumerate() {
        training[row * FEATURES] = value;
        training[row * FEATURES + 1] = row as f32;
    }
    let test = [5.0, 1.5, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let found = standardise(&training, &test);
    assert_eq!(found[..3], [0.5, 0.0, 0.0]);
    let found = standardise(&training, &training);
    assert_eq!(found[2 * FEATURES], 1.0);
    assert!((found[FEATURES * 3 + 1] - 1.5 / 1.25_f32.sqrt()).abs() < 1e-6);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256), text in "[0-9.,eA-Y\r\n-]{0,256}") {
        for file in [bytes, text.into_bytes()] {
            if let Ok(rows) = read(file) {
                prop_assert_eq!(rows.features.len(), rows.labels.len() * FEATURES);
            }
        }
    }
}
