use gradspectra_experiment::{
    CaptureReport, PositionReport, PowerLawReport, Row, SpectrumFinding, SpectrumSummary, Way,
};

use super::figure::{Anchor, Mark};
use super::*;

const NAME: &str = "<script>alert(1)</script>";

/// A result whose largest eigenvalue is `largest`, and its eigenvalues.
pub(crate) fn result(values: &str, largest: f64) -> (RowResult, Vec<f64>) {
    let row = format!(
        "id = 'a'\nsetting = '{NAME}'\ndata-set = 'mnist'\nmodel = {{ kind = 'lenet' }}\n\
         analysis = {{ kind = 'spectrum', matrix = 'covariance', values = '{values}', top = 100 }}"
    );
    let row: Row = toml::from_str(&row).expect("a row");
    let mut eigenvalues: Vec<f64> = (1..=400).map(|rank| f64::from(rank).powf(-1.3)).collect();
    eigenvalues[0] = largest;
    let spectrum = gradspectra_analysis::Spectrum::new(eigenvalues.clone()).expect("finite values");
    let tested = if values == "eigenvalues" { eigenvalues.clone() } else { spectrum.sorted_eigengaps() };
    let result = RowResult {
        program: String::new(),
        task: String::new(),
        experiment: "own".to_owned(),
        row,
        seed: 1,
        backend: gradspectra_experiment::Backend::default(),
        device: None,
        data_files: Vec::new(),
        position: PositionReport::default(),
        capture: CaptureReport {
            way: Way::Factored,
            parameters: 7,
            frozen: Vec::new(),
            batch_size: 1,
            iterations: 400,
            why_direct: None,
            layers: Vec::new(),
            products: None,
            mean_norm: None,
            largest_norm: None,
            norm_of_mean: None,
        },
        finding: Finding::Spectrum(SpectrumFinding {
            power_law: Some(PowerLawReport::of(&tested, 100, 1).expect("positive values")),
            no_fit: None,
            spectrum: SpectrumSummary::of(&spectrum),
            eigenvalues_sha256: String::new(),
        }),
    };
    (result, eigenvalues)
}

fn drawn(values: &str) -> Sheet {
    drawn_with(values, 1.0)
}

fn drawn_with(values: &str, largest: f64) -> Sheet {
    let (result, eigenvalues) = result(values, largest);
    let Finding::Spectrum(finding) = &result.finding else { panic!("a spectrum") };
    Sheet { heading: heading(&result), panels: spectrum::panels(&result, finding, &eigenvalues) }
}

#[test]
fn eigengaps_have_two_panels_and_the_law_is_drawn_in_the_tested_one() {
    let lines = |panel: &Panel| {
        panel.marks.iter().filter(|mark| matches!(mark, Mark::Line { ink: figure::Ink::Fit, .. })).count()
    };
    let sheet = drawn("eigengaps");
    assert_eq!(sheet.panels.iter().map(lines).collect::<Vec<_>>(), [0, 2], "the law and its sign in the legend");
    assert_eq!(drawn("eigenvalues").panels.len(), 1);
}

#[test]
fn marks_stay_on_the_panel() {
    let sheets = [drawn("top-eigengaps"), drawn_with("eigenvalues", 1e20), drawn_with("eigengaps", 1e20)];
    for panel in sheets.iter().flat_map(|sheet| &sheet.panels) {
        for mark in &panel.marks {
            let points = match mark {
                Mark::Line { points, .. } | Mark::Dots { points } => points.clone(),
                Mark::Segments { lines, .. } => lines.concat(),
                Mark::Bars { bars } => bars.concat(),
                Mark::Diamond { at } | Mark::Text { at, .. } => vec![*at],
            };
            let inside = |(x, y): &(f32, f32)| (0.0..=Panel::WIDTH).contains(x) && (0.0..=Panel::HEIGHT).contains(y);
            assert!(points.iter().all(inside), "{mark:?}");
        }
    }
}

#[test]
fn names_are_inert_and_the_bytes_are_the_same_each_time() {
    let (first, second) = (drawn("eigenvalues"), drawn("eigenvalues"));
    let text = svg::sheet(&first);
    assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
    assert_eq!(text, svg::sheet(&second));
    assert_eq!(png::sheet(&first), png::sheet(&second));
    assert!(first.panels[0].marks.iter().any(|mark| matches!(mark, Mark::Text { anchor: Anchor::Start, .. })));
}

#[test]
fn an_inline_plot_is_small() {
    let size: usize = drawn("eigengaps").panels.iter().map(|panel| svg::inline(panel).len()).sum();
    assert!(size < 15_000, "{size} bytes");
}
