//! The program, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The program, in the folder `folder`, with the clone's data sets.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradspectra"));
    command.current_dir(folder).env("GRADSPECTRA_DATA", root().join("datasets")).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the program with `arguments` and expects it to succeed.
#[allow(dead_code)]
pub fn succeed(folder: &Path, arguments: &[&str]) -> Output {
    let output = program(folder).args(arguments).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    output
}

/// Every file below `folder` with its bytes, but for timings, the report that tells them, and the lock.
#[allow(dead_code)]
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(contents(&path));
        } else if !name.ends_with(".timings.json") && !["report.html", ".lock"].contains(&name.as_str()) {
            files.push((path.clone(), std::fs::read(&path).expect("a file")));
        }
    }
    files.sort();
    files
}

/// An array file of NumPy's.
#[allow(dead_code)]
pub fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(data);
    bytes
}

/// The one line by which the program refuses, with exit status 2.
#[allow(dead_code)]
pub fn refusal(folder: &Path, line: &str) -> String {
    let output = program(folder).args(line.split(' ')).output().expect("the program starts");
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{line}: {error}");
    assert!(error.lines().count() == 1, "{line}: {error}");
    assert!(output.stdout.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    error
}
