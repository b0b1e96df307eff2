//! The benchmarks, and their figures as the tables of docs/performance.md.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, ensure};

use crate::cargo;

/// The iterations of the benchmark of backward passes, and of the rows that it stands for.
const DIRECT_ITERATIONS: f64 = 50.0;
const ITERATIONS: f64 = 5000.0;
/// The examples of a benchmarked training, and of MNIST's epoch.
const TRAINED: f64 = 60.0 * 128.0;
const EPOCH: f64 = 60_000.0;

/// Median seconds by the path of a benchmark: `gram/100`.
type Medians = BTreeMap<String, f64>;

/// Runs the benchmarks of `packages`, all without any, and prints their tables.
pub fn run(packages: &[String]) -> anyhow::Result<()> {
    let mut arguments = vec!["bench".to_owned()];
    match packages {
        [] => arguments.push("--workspace".to_owned()),
        packages => arguments.extend(packages.iter().flat_map(|name| ["-p".to_owned(), format!("gradspectra-{name}")])),
    }
    let mut child =
        cargo::command().args(&arguments).stdout(Stdio::piped()).spawn().context("cannot start cargo bench")?;
    let mut medians = Medians::new();
    let mut reader = Reader::default();
    for line in BufReader::new(child.stdout.take().context("cargo bench has no output")?).lines() {
        let line = line.context("cannot read what cargo bench prints")?;
        println!("{line}");
        medians.extend(reader.line(&line));
    }
    ensure!(child.wait()?.success(), "cargo bench failed");
    print!("{}", tables(&medians));
    Ok(())
}

/// Reads divan's trees.
#[derive(Default)]
struct Reader {
    parent: String,
}

impl Reader {
    /// The benchmark of a line and its median, if it has one.
    fn line(&mut self, line: &str) -> Option<(String, f64)> {
        let (margin, entry) = line.split_once("─ ")?;
        let (name, rest) = entry.split_once(' ')?;
        let nested = margin.starts_with("│  ") || margin.starts_with("   ");
        if !nested {
            self.parent = name.to_owned();
        }
        let median = seconds(rest.split('│').nth(2)?)?;
        Some((if nested { format!("{}/{name}", self.parent) } else { name.to_owned() }, median))
    }
}

/// The seconds of a text such as `94.1 ms`.
fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let scale = match unit {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// The tables of what was measured.
fn tables(medians: &Medians) -> String {
    let median = |path: &str| medians.get(path).copied();
    let batches = [1, 10, 100, 1000, 10_000].into_iter().filter_map(|batch| {
        let direct = median(&format!("direct/{batch}"))? * ITERATIONS / DIRECT_ITERATIONS;
        Some(vec![batch.to_string(), short(median(&format!("gram/{batch}"))?), short(direct)])
    });
    let orders = [1000, 2000, 5000].into_iter().filter_map(|order| {
        Some(vec![
            order.to_string(),
            short(median(&format!("two_stages/{order}"))?),
            short(median(&format!("faer/{order}"))?),
        ])
    });
    let others = [
        ("the pass over 60,000 examples", median("all_examples")),
        ("gradients and Gram matrix at B = 1", median("single_examples")),
        ("an epoch of training", median("sixty_steps").map(|seconds| seconds * EPOCH / TRAINED)),
        ("tests of 2048 rows of entries", median("rows")),
        ("tests of 200 columns of entries", median("columns")),
    ];
    let others = others.into_iter().filter_map(|(name, seconds)| Some(vec![name.to_owned(), short(seconds?)]));
    table(&["B", "Gram matrix from factors, seconds", "one backward pass an iteration, seconds"], batches.collect())
        + &table(&["order", "ours, seconds", "faer, seconds"], orders.collect())
        + &table(&["step", "seconds"], others.collect())
}

/// A Markdown table with a blank line before it; nothing without rows.
fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let head = line(header.iter().map(|&name| name.to_owned()).collect());
    let rule = line(vec!["---".to_owned(); header.len()]);
    format!("\n{head}{rule}{}", rows.into_iter().map(line).collect::<String>())
}

/// Two significant digits, or all of a large number.
fn short(seconds: f64) -> String {
    let digits = (1 - seconds.log10().floor() as i32).clamp(0, 6) as usize;
    format!("{seconds:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
eigenvalues    fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ faer                      │               │               │               │         │
│  ├─ 1000     93.1 ms       │ 99.4 ms       │ 94.26 ms      │ 95.5 ms       │ 3       │ 3
│  ╰─ 5000     6.321 s       │ 6.5 s         │ 6.4 s         │ 6.4 s         │ 3       │ 3
╰─ two_stages                │               │               │               │         │
   ├─ 1000     53.1 ms       │ 59.4 ms       │ 54.26 ms      │ 55.5 ms       │ 3       │ 3
   ╰─ 5000     2.02 s        │ 2.5 s         │ 2.04 s        │ 2.4 s         │ 3       │ 3
entries        fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ columns     13.1 ms       │ 19.4 ms       │ 14 ms         │ 15.5 ms       │ 10      │ 10
│              15.2 Kitem/s  │ 10.3 Kitem/s  │ 14.2 Kitem/s  │ 12.9 Kitem/s  │         │
╰─ rows        131 ms        │ 194 ms        │ 140 ms        │ 155 ms        │ 10      │ 10
";

    #[test]
    fn medians_are_read_from_divans_trees() {
        let mut reader = Reader::default();
        let medians: Medians = PRINTED.lines().filter_map(|line| reader.line(line)).collect();
        let expected = [
            ("columns", 0.014),
            ("faer/1000", 0.09426),
            ("faer/5000", 6.4),
            ("rows", 0.14),
            ("two_stages/1000", 0.05426),
            ("two_stages/5000", 2.04),
        ];
        assert!(medians.keys().eq(expected.map(|(path, _)| path)), "{medians:?}");
        let near = |(ours, (_, theirs)): (&f64, (&str, f64))| (ours / theirs - 1.0).abs() < 1e-12;
        assert!(medians.values().zip(expected).all(near), "{medians:?}");
        let tables = tables(&medians);
        assert!(tables.contains("| 1000 | 0.054 | 0.094 |\n| 5000 | 2.0 | 6.4 |"), "{tables}");
        assert!(!tables.contains("| B |") && tables.contains("| tests of 2048 rows of entries | 0.14 |"), "{tables}");
    }
}
