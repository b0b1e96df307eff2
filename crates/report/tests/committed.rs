//! The committed results give the committed report and the tables and plots that they have always given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use gradspectra_experiment::spec::{DataSettings, ModelSettings, Registry, register};
use gradspectra_experiment::{Store, catalogue, folders, seeds};
use gradspectra_report::{Page, Report, Table, TableFormat, draw};
use serde_json::{Map, Value, json};

/// The SHA-256 of each file, as the program of 26 November 2026 wrote it.
const FILES: &str = include_str!("fixtures/committed.sha256");

/// Settings of a network or a data set with the name that it has in tables.
#[derive(Debug, Clone)]
struct StandIn {
    kind: &'static str,
    title: String,
    settings: Map<String, Value>,
}

impl StandIn {
    /// What is written, over `defaults`.
    fn new(kind: &'static str, defaults: Value, written: Map<String, Value>) -> Self {
        let Value::Object(mut settings) = defaults else { panic!("an object") };
        settings.extend(written);
        let layers = || settings["hidden-layers"].as_u64().expect("a number") + 1;
        let title = match kind {
            "lenet" => "LeNet".to_owned(),
            "fcn" => format!("{}Layer-FCN", layers()),
            "lnn" => format!("{}Layer-LNN", layers()),
            "resnet18" => "ResNet18".to_owned(),
            "avila" => "Avila".to_owned(),
            other => other.to_uppercase(),
        };
        Self { kind, title, settings }
    }
}

impl ModelSettings for StandIn {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.title.clone()
    }
}

impl DataSettings for StandIn {
    fn kind(&self) -> &str {
        self.kind
    }

    fn settings(&self) -> &dyn erased_serde::Serialize {
        &self.settings
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn is_labelled(&self) -> bool {
        true
    }

    fn has_images(&self) -> bool {
        self.kind != "avila"
    }

    fn has_coarse_labels(&self) -> bool {
        self.kind == "cifar-100"
    }

    fn with_paths(&self, _map: &dyn Fn(&Path) -> PathBuf) -> Arc<dyn DataSettings> {
        Arc::new(self.clone())
    }
}

fn register_stand_ins() {
    fn all(registry: &mut Registry) -> Result<(), String> {
        let fcn = |kind, written| {
            let defaults = json!({"width": 70, "hidden-layers": 1, "batch-norm": "before-linear"});
            Ok(Arc::new(StandIn::new(kind, defaults, written)) as Arc<dyn ModelSettings>)
        };
        let lnn = |kind, written| {
            let defaults = json!({"width": 70, "hidden-layers": 3, "batch-norm": "none", "relu": false});
            Ok(Arc::new(StandIn::new(kind, defaults, written)) as Arc<dyn ModelSettings>)
        };
        registry.model::<StandIn>("fcn", fcn)?;
        registry.model::<StandIn>("lnn", lnn)?;
        registry.model::<StandIn>("lenet", |kind, written| {
            Ok(Arc::new(StandIn::new(kind, json!({"padded": false}), written)))
        })?;
        registry.model::<StandIn>("resnet18", |kind, written| {
            Ok(Arc::new(StandIn::new(kind, json!({"width": 64}), written)))
        })?;
        for kind in ["mnist", "cifar-10", "cifar-100", "avila"] {
            registry.data_set::<StandIn>(kind, |kind, written| Ok(Arc::new(StandIn::new(kind, json!({}), written))))?;
        }
        Ok(())
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| register(all).expect("the kinds differ"));
}

/// The committed results; `None` in a package without them.
fn results() -> Option<PathBuf> {
    register_stand_ins();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/results");
    if !folder.is_dir() {
        println!("skipped: experiments/results is absent");
        return None;
    }
    Some(folder)
}

/// The files of `FILES` that begin with `kind`, each as `HASH  NAME`.
fn listed(kind: &str) -> Vec<String> {
    FILES.lines().filter(|line| line.contains(&format!("  {kind} "))).map(str::to_owned).collect()
}

fn hashed(kind: &str, name: &str, bytes: &[u8]) -> String {
    format!("{}  {kind} {name}", gradspectra_files::sha256(bytes))
}

#[track_caller]
fn assert_alike(found: &[String], listed: &[String]) {
    let others: Vec<_> = found.iter().filter(|line| !listed.contains(line)).collect();
    assert!(others.is_empty() && found.len() == listed.len(), "not as listed: {others:#?}");
}

#[test]
fn the_committed_report_is_made_again() {
    let Some(folder) = results() else { return };
    let store = Store::at(&folder);
    let text = Report::of(&store).expect("results").text(Page::Markdown).expect("no plot is read");
    let committed = std::fs::read_to_string(folder.join("REPORT.md")).expect("it is committed");
    for (line, (ours, theirs)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", line + 1);
    }
    assert!(text == committed, "one is longer");
}

#[test]
fn tables_are_the_same_bytes_in_every_format() {
    let Some(folder) = results() else { return };
    let store = Store::at(&folder);
    let mut found = Vec::new();
    for name in catalogue::names() {
        let experiment = catalogue::experiment(name).expect("it is built in");
        let rows = folders(&folder.join(name)).expect("it has results");
        let all_seeds = rows.iter().flat_map(|row| seeds(&folder.join(name).join(row)).expect("a folder"));
        let all_seeds: Vec<u64> = all_seeds.collect::<BTreeSet<_>>().into_iter().collect();
        let table = Table::of(&experiment, &all_seeds, |row, seed| store.result(name, &row.id, seed, None));
        for (format, ending) in [
            (TableFormat::Text, "txt"),
            (TableFormat::Json, "json"),
            (TableFormat::Csv, "csv"),
            (TableFormat::Markdown, "md"),
            (TableFormat::Latex, "tex"),
        ] {
            found.push(hashed("table", &format!("{name}/table.{ending}"), table.format(format).as_bytes()));
        }
    }
    assert_alike(&found, &listed("table"));
}

#[test]
fn plots_are_the_same_bytes() {
    let Some(folder) = results() else { return };
    let store = Store::at(&folder);
    let copy = tempfile::tempdir().expect("a folder");
    let drawn = Store::at(copy.path());
    let mut found = Vec::new();
    for (experiment, row) in
        [("table-1", "lenet-random"), ("table-2", "dimension-b1"), ("avila", "pretrain-covariance")]
    {
        let result = store.result(experiment, row, 1, None).expect("it is committed");
        let values = drawn.eigenvalues_file(experiment, row, 1);
        std::fs::create_dir_all(values.parent().expect("a folder")).expect("it can be made");
        let _ = std::fs::copy(store.eigenvalues_file(experiment, row, 1), values);
        draw(&drawn, &result).expect("it can be drawn");
        for ending in ["svg", "png"] {
            let bytes = std::fs::read(drawn.row_file(experiment, row, 1, ending)).expect("it is drawn");
            found.push(hashed("plot", &format!("{experiment}/{row}/seed-1.{ending}"), &bytes));
        }
    }
    assert_alike(&found, &listed("plot"));
}
