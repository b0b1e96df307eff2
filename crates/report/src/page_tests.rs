use std::path::Path;

use gradspectra_experiment::{Finding, PaperFigures};
use gradspectra_files::npy;

use super::*;
use crate::plots::tests::result;

/// Puts a result of `program` into `folder`, beside the paper's verdict where there is one.
fn keep(folder: &Path, experiment: &str, program: &str, paper: Option<bool>) {
    let (mut result, eigenvalues) = result("eigenvalues", 1.0);
    result.experiment = experiment.to_owned();
    result.program = program.to_owned();
    let figures = |power_law| PaperFigures {
        d_ks: 0.02,
        power_law: Some(power_law),
        s: None,
        power_law_percent: None,
        p_value: None,
        gaussian_percent: None,
    };
    result.row.paper = paper.map(figures);
    let values = npy::bytes(&eigenvalues);
    let Finding::Spectrum(finding) = &mut result.finding else { panic!("a spectrum") };
    finding.eigenvalues_sha256 = files::sha256(&values);
    let store = Store::open(folder).expect("a folder");
    let file = store.eigenvalues_file(experiment, "a", 1);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
    files::write(&file, &values).expect("it can be written");
    files::write_json(&store.row_file(experiment, "a", 1, "json"), &result).expect("it can be written");
}

fn pages(folder: &Path) -> [String; 2] {
    let store = Store::at(folder);
    let report = Report::of(&store).expect("there are results");
    [Page::Html, Page::Markdown].map(|page| report.text(page).expect("the eigenvalues are there"))
}

#[test]
fn a_report_of_ones_own_experiments_does_not_speak_of_the_paper() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), "arms & legs", "spirals 0.3.0, gradspectra 0.1.0", None);
    let [html, markdown] = pages(folder.path());
    for page in [&html, &markdown] {
        assert!(page.contains("Stochastic gradients: arms &amp; legs"), "{page}");
        assert!(!page.contains("Agreement") && !page.contains("xtask"), "{page}");
    }
    let words = html.split_once("</style>").expect("a style").1;
    assert!(
        !words.to_lowercase().contains("paper") && !markdown.to_lowercase().contains("paper"),
        "{words}\n{markdown}"
    );
    assert!(html.contains("spirals run 'arms &amp; legs.toml' --rows a --seed 1"), "{html}");
    assert!(markdown.contains("    spirals run 'arms & legs.toml' --rows a --seed 1\n"), "{markdown}");
    assert!(html.contains("Results of spirals 0.3.0, gradspectra 0.1.0: 1 row."), "{html}");
    assert!(markdown.contains("`spirals report --format markdown`"), "{markdown}");
}

#[test]
fn figures_of_another_paper_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), "own", "gradspectra 0.1.0", Some(true));
    let [html, markdown] = pages(folder.path());
    for page in [html, markdown] {
        assert!(page.contains("that the experiment file gives") && page.contains("Agreement"), "{page}");
        assert!(!page.contains("Overlooked") && page.contains("cargo xtask run own.toml --rows a"), "{page}");
    }
}

#[test]
fn the_papers_text_stands_where_its_tables_are() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), "table-1", "gradspectra 0.1.0", None);
    keep(folder.path(), "own", "spirals 0.3.0, gradspectra 0.1.0", None);
    let [html, markdown] = pages(folder.path());
    assert!(html.contains("On the Overlooked Structure of Stochastic Gradients"), "{html}");
    assert!(html.contains("Results of gradspectra 0.1.0 and spirals 0.3.0, gradspectra 0.1.0 beside"), "{html}");
    assert!(markdown.starts_with("# Results beside the paper's\n"), "{markdown}");
    for command in ["cargo xtask reproduce --table 1 --rows a", "spirals run own.toml --rows a"] {
        assert!(html.contains(command) && markdown.contains(command), "{command}");
    }
}

#[test]
fn names_are_inert_in_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), "own", "<b>\u{1}\u{7f} 1", None);
    let [html, markdown] = pages(folder.path());
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("Results of &lt;b&gt; 1:"),
        "{html}"
    );
    assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
    assert!(!markdown.contains("<script"), "{markdown}");
}

#[test]
fn a_spectrum_without_a_fit_is_counted_as_the_page_says() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), "own", "gradspectra 0.1.0", Some(false));
    let store = Store::at(folder.path());
    let mut result = store.result("own", "a", 1, None).expect("it is there");
    let Finding::Spectrum(finding) = &mut result.finding else { panic!("a spectrum") };
    (finding.power_law, finding.no_fit) = (None, Some("a reason".to_owned()));
    files::write_json(&store.row_file("own", "a", 1, "json"), &result).expect("it can be written");
    let [html, markdown] = pages(folder.path());
    assert!(html.contains("1 <span class=\"same\">same</span>") && html.contains("no fit counts as No"), "{html}");
    assert!(markdown.contains("1 say the same") && markdown.contains("no fit counts as No"), "{markdown}");
}
