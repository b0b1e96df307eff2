//! The report in a browser, where Chromium is installed.

use crate::common;

use std::path::Path;
use std::process::Command;

const EXPERIMENT: &str = "
title = 'A table with a rather long title: <script>document.title = 1</script>'
caption = 'Rows of every kind.'

[defaults]
data-set = 'avila'
model = { kind = 'fcn', width = 12, batch-norm = 'none' }
iterations = 80
analysis = { kind = 'spectrum', matrix = 'covariance', top = 40 }

[[row]]
id = 'eigenvalues'
setting = 'a setting in many words, none of which is in any way short, as a user may write it'

[[row]]
id = 'eigengaps-of-a-row-with-a-name-that-is-longer-than-a-telephone-is-wide-without-a-space'
analysis = { values = 'eigengaps' }

[[row]]
id = 'dimension'
analysis = { kind = 'entries', along = 'dimension', top = 50 }
";

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()))
}

/// A page that shows `report` at two widths and says in its title how wide its content is there, how many plots there
/// are, how wide the narrowest is, and how many scripts.
fn measuring(report: &str) -> String {
    let frame = |width: u32| {
        let document = report.replace('&', "&amp;").replace('"', "&quot;");
        format!("<iframe style=\"border:0;width:{width}px;height:900px\" srcdoc=\"{document}\"></iframe>")
    };
    let script = "onload = () => document.title = [...document.querySelectorAll('iframe')].map(frame => {
        const page = frame.contentDocument, plots = [...page.querySelectorAll('svg.plot')];
        const narrowest = Math.min(...plots.map(plot => Math.floor(plot.getBoundingClientRect().width)));
        return [page.documentElement.scrollWidth, plots.length, narrowest, page.scripts.length].join(' ');
    }).join(';')";
    format!("<!doctype html><title></title>{}{}<script>{script}</script>", frame(360), frame(1280))
}

fn title(browser: &str, page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    title.unwrap_or_else(|| panic!("no title: {text}")).0.to_owned()
}

#[test]
fn the_report_fits_a_telephone_and_a_desk() {
    let Some(browser) = browser() else {
        println!("skipped: no Chromium is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), EXPERIMENT).unwrap();
    common::succeed(folder.path(), &["run", "own.toml", "--quiet"]);
    let report = std::fs::read_to_string(folder.path().join("results/report.html")).unwrap();
    let page = folder.path().join("measuring.html");
    std::fs::write(&page, measuring(&report)).unwrap();
    let title = title(browser, &page);
    let measures: Vec<Vec<u32>> =
        title.split(';').map(|frame| frame.split(' ').map(|number| number.parse().unwrap()).collect()).collect();
    for (measure, width) in measures.iter().zip([360, 1280]) {
        let [content, plots, narrowest, scripts] = measure[..] else { panic!("{title}") };
        assert!(content <= width, "{content} pixels at {width}");
        assert_eq!((plots, scripts), (5, 0), "at {width}");
        assert!(narrowest >= 280, "a plot of {narrowest} pixels at {width}");
    }
    assert_eq!(measures.len(), 2, "{title}");
}
