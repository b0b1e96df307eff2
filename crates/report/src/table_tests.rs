use gradspectra_experiment::PaperFigures;

use super::*;

const NAME: &str = "<script>alert(1)</script> & 50% _x_ | =1+1";

fn table() -> Table {
    let row = |id: &str, figures, d_ks| TableRow {
        no_fit: None,
        id: id.to_owned(),
        data_set: "MNIST".to_owned(),
        model: "LeNet".to_owned(),
        training: "Pretrain",
        tested: "covariance",
        batch_size: 10_000,
        k: 1000,
        setting: NAME.to_owned(),
        seeds: vec![1, 2],
        d_ks: Measure::of(d_ks),
        d_c: Some(0.043),
        test_accuracy: Measure::of(&[99.0, 99.5]),
        figures,
        paper: Some(PaperFigures {
            d_ks: 0.0226,
            power_law: Some(true),
            s: Some(11.442),
            power_law_percent: None,
            p_value: None,
            gaussian_percent: None,
        }),
    };
    let spectrum = Figures::Spectrum { accepted: 1, s: Measure::of(&[1.4, 1.5]) };
    let entries = Figures::Entries {
        power_law_percent: Measure::of(&[12.5, 13.5]),
        p_value: Measure::of(&[4e-5, 5e-5]),
        gaussian_percent: None,
        all_zero_percent: Measure::of(&[1.0]),
    };
    Table {
        experiment: "=cmd".to_owned(),
        title: "Table 5".to_owned(),
        caption: NAME.to_owned(),
        notes: vec!["shortened: T = 2000 instead of 5000".to_owned()],
        rows: vec![
            row("label-noise-40", spectrum.clone(), &[0.012, 0.02]),
            row("entries", entries, &[0.4]),
            TableRow { seeds: vec![], ..row("missing", Figures::Spectrum { accepted: 0, s: None }, &[]) },
        ],
    }
}

#[test]
fn terminal_tables_fit_80_columns_and_set_ours_beside_the_papers() {
    let text = table().format(TableFormat::Text);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let row = text.lines().find(|line| line.starts_with("label-noise-40")).expect("the row is there");
    for part in ["10000", "0.0160±0.0057", "0.0226", "1/2", "Yes", "1.450±0.071", "11.442", "differs"] {
        assert!(row.contains(part), "{part} in {row}");
    }
    assert!(text.contains("missing") && text.contains("not done"), "{text}");
    assert!(text.contains("test accuracy 99.25±0.35%: label-noise-40"), "{text}");
    assert!(text.contains("shortened: T = 2000"), "{text}");
    assert!(text.contains("p and its deviation: entries 4.5e-5±7.1e-6"), "{text}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let (plain, coloured) = (table().format(TableFormat::Text), table().coloured());
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[33mdiffers\x1b[0m"), "{coloured:?}");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn every_format_but_the_terminals_has_the_deviation_of_p() {
    let table = table();
    let csv = table.format(TableFormat::Csv);
    let [header, entries] = [0, 2].map(|line| csv.lines().nth(line).expect("a line").rsplit(',').collect::<Vec<_>>());
    let place = header.iter().position(|name| *name == "p-value-deviation").expect("a column");
    assert!(entries[place].starts_with("0.00000707"), "{csv}");
    for format in [TableFormat::Markdown, TableFormat::Json] {
        let text = table.format(format);
        assert!(text.contains("±7.1e-6") || text.contains("7.07106"), "{text}");
    }
}

#[test]
fn every_format_escapes_names() {
    let table = table();
    let markdown = table.format(TableFormat::Markdown);
    assert!(!markdown.contains("<script>") && markdown.contains("\\_x\\_ \\| =1+1"), "{markdown}");
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    for rows in markdown.split("\n\n").filter(|part| part.starts_with('|')) {
        let counts: Vec<_> = rows.lines().map(columns).collect();
        assert!(counts.iter().all(|count| *count == counts[0]), "{rows}");
    }
    let latex = table.format(TableFormat::Latex);
    assert!(latex.contains("\\& 50\\% \\_x\\_") && !latex.contains("<script>"), "{latex}");
    let csv = table.format(TableFormat::Csv);
    assert!(csv.lines().all(|line| !line.starts_with(['=', '+', '@'])), "{csv}");
    assert!(csv.contains("'=cmd,label-noise-40") && csv.contains("0.016,"), "{csv}");
}

#[test]
fn csv_rows_have_as_many_cells_as_the_header() {
    let csv = Table { caption: String::new(), ..table() }.format(TableFormat::Csv);
    let counts: Vec<_> = csv.lines().map(|line| line.matches(',').count()).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn json_keeps_every_figure() {
    let json: serde_json::Value = serde_json::from_str(&table().format(TableFormat::Json)).expect("JSON");
    assert_eq!(json["rows"][0]["s"]["mean"], 1.45);
    assert_eq!(json["rows"][0]["paper"]["s"], 11.442);
    assert_eq!(json["rows"][1]["power-law-percent"]["mean"], 13.0);
    assert_eq!(json["rows"][2]["d-ks"], serde_json::Value::Null);
}

#[test]
fn no_fit_counts_as_the_papers_no() {
    let mut row = table().rows.remove(0);
    let mut agreement = |accepted, s, paper: Option<bool>| {
        row.figures = Figures::Spectrum { accepted, s };
        row.paper = paper.map(|power_law| PaperFigures { power_law: Some(power_law), ..row.paper.expect("figures") });
        (row.verdict().expect("a verdict").to_string(), row.agreement())
    };
    let s = Measure::of(&[1.0]);
    assert_eq!(agreement(0, None, Some(false)), ("none".to_owned(), Agreement::Same));
    assert_eq!(agreement(0, None, Some(true)), ("none".to_owned(), Agreement::Differs));
    assert_eq!(agreement(0, s, Some(false)), ("No".to_owned(), Agreement::Same));
    assert_eq!(agreement(1, s, Some(true)), ("1/2".to_owned(), Agreement::Differs));
    assert_eq!(agreement(2, s, Some(true)), ("Yes".to_owned(), Agreement::Same));
    assert_eq!(agreement(2, s, None), ("Yes".to_owned(), Agreement::NotInPaper));
}

#[test]
fn a_deviation_needs_two_values() {
    assert_eq!(Measure::of(&[]), None);
    assert_eq!(Measure::of(&[2.0]), Some(Measure { mean: 2.0, deviation: None }));
    let two = Measure::of(&[1.0, 3.0]).expect("values");
    assert_eq!((two.mean, two.deviation), (2.0, Some(2_f64.sqrt())));
}
