//! The program of this crate, run as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn spirals(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spirals"));
    command.current_dir(folder).args(arguments);
    command
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = spirals(folder, arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{arguments:?}: {errors}");
    format!("{errors}{}", String::from_utf8_lossy(&stdout))
}

/// A folder with the experiment file of this crate, in which `from` reads `to`.
fn folder(name: &str, from: &str, to: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("spirals.toml")).unwrap();
    assert!(text.contains(from));
    fs::write(folder.join("spirals.toml"), text.replace(from, to)).unwrap();
    folder
}

#[test]
fn a_network_and_data_of_ones_own_get_the_whole_program() {
    let folder = folder("whole", "", "");
    let plan = succeed(&folder, &["plan", "spirals.toml"]);
    assert!(plan.contains("SpiralNet on spirals, trained for 4 epochs"), "{plan}");
    let table = succeed(&folder, &["run", "spirals.toml", "--seeds", "2"]);
    assert!(table.contains("trained-b10") && !table.contains("not done") && !table.contains("no fit"), "{table}");
    let result = fs::read_to_string(folder.join("results/spirals/random-b10/seed-2.json")).unwrap();
    for part in [
        "\"program\": \"spirals 0.1.0, gradspectra",
        "\"kind\": \"spiral-net\"",
        "\"way\": \"factored\"",
        "\"points\": 2000",
    ] {
        assert!(result.contains(part), "{part}: {result}");
    }
    let report = fs::read_to_string(folder.join("results/report.html")).unwrap();
    assert!(report.contains("SpiralNet on spirals") && report.contains("spirals run spirals.toml --rows random-b1"));
    assert!(succeed(&folder, &["run", "spirals.toml", "--seeds", "2"]).matches("done already").count() == 6);
    let track = succeed(&folder, &["track", "spirals.toml", "--rows", "trained-b10", "--every", "80"]);
    assert_eq!(track.lines().filter(|line| line.trim_start().starts_with("step")).count(), 3, "{track}");
    assert!(succeed(&folder, &["tasks", "spirals.toml"]).contains("spirals/random-b10/seed-1"));
    assert!(succeed(&folder, &["submit", "spirals.toml", "--dry-run", "--seeds", "3"]).contains("#SBATCH"));
}

#[test]
fn a_training_that_was_killed_goes_on_to_the_same_bytes() {
    let [undisturbed, killed] = ["undisturbed", "killed"].map(|name| folder(name, "epochs = 4", "epochs = 400"));
    let arguments = ["run", "spirals.toml", "--rows", "trained-b10", "--keep-every", "0"];
    succeed(&undisturbed, &arguments);
    let mut run = spirals(&killed, &arguments).spawn().unwrap();
    let begun = || {
        let positions = fs::read_dir(killed.join("results/positions")).ok()?;
        positions.flatten().find(|entry| entry.file_name().to_string_lossy().ends_with(".begun.json"))
    };
    let start = Instant::now();
    while begun().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60) && run.try_wait().unwrap().is_none(), "no epoch was kept");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let output = succeed(&killed, &arguments);
    assert!(output.contains("goes on after epoch"), "{output}");
    for file in ["seed-1.json", "seed-1.eigenvalues.npy"] {
        let file = Path::new("results/spirals/trained-b10").join(file);
        assert!(
            fs::read(undisturbed.join(&file)).unwrap() == fs::read(killed.join(&file)).unwrap(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    for (from, to, expected) in [
        ("\"spiral-net\"", "\"spiral-nett\"", "model is \"spiral-nett\"; did you mean spiral-net?"),
        ("width = 20", "wdth = 20", "wdth is not a key here; did you mean width?"),
        ("points = 2000", "points = 2", "it has 2 points; give points from 3 on"),
        ("{ kind = \"spirals\", points = 2000 }", "\"mnist\"", "name a network and a data set that fit each other"),
        ("\"short\"\n", "\"short\"\nlabels = { kind = \"shuffled\" }\n", "data-set is spirals, which has none of"),
    ] {
        let folder = folder("refused", from, to);
        let output = spirals(&folder, &["run", "spirals.toml"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.lines().count() == 1 && errors.contains(expected), "{expected}: {errors}");
        assert!(!folder.join("results").exists(), "{errors}");
    }
}
