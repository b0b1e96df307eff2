//! The paper's experiments, built into the program from `experiments/`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::row::Experiment;

macro_rules! files {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../experiments/", $name, ".toml")))),*]
    };
}

const FILES: [(&str, &str); 12] = files![
    "table-1", "table-2", "table-3", "table-4", "table-5", "table-6", "table-7", "table-8", "table-9", "figure-1",
    "avila", "readings"
];

/// The names of the experiments: `table-1` to `table-9`, `figure-1`, and our own `avila` and `readings`.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// One of the paper's experiments.
///
/// # Errors
///
/// None has this name.
pub fn experiment(name: &str) -> Result<Experiment> {
    let Some((name, text)) = FILES.iter().find(|(known, _)| *known == name) else {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Error::NoSuchExperiment { name: name.to_owned(), known });
    };
    Experiment::parse(name, text, Path::new(&format!("experiments/{name}.toml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_the_papers_rows_and_figures() {
        let mut rows = 0;
        for name in names() {
            let experiment = experiment(name).expect("a test parses it");
            if name.starts_with("table") {
                assert!(experiment.rows.iter().all(|row| row.paper.is_some()), "{name}");
                rows += experiment.rows.iter().filter(|row| !row.id.ends_with("-t500")).count();
            }
        }
        assert_eq!(rows, 77);
    }

    #[test]
    fn table_5_has_the_papers_fifteen_rows() {
        let table = experiment("table-5").expect("it is built in");
        let figures: Vec<_> = table.rows.iter().map(|row| row.paper.and_then(|paper| paper.s)).collect();
        let paper =
            [1.425, 1.331, 1.311, 1.423, 1.320, 1.299, 1.310, 1.386, 1.312, 1.331, 1.453, 11.442, 1.374, 1.323, 1.343];
        assert_eq!(figures, paper.map(Some));
        let batches: Vec<_> = table.rows.iter().map(|row| row.batch_size).collect();
        assert_eq!(batches, [1, 10, 100, 1000, 10000, 1, 10, 100, 1000, 10000, 1, 1, 1, 1, 1]);
        assert_eq!(table.rows.iter().filter(|row| row.training.is_some()).count(), 10);
    }

    #[test]
    fn an_unknown_experiment_is_refused_with_the_known_ones() {
        let error = experiment("table-99").expect_err("there is none").to_string();
        assert!(error.contains("table-99") && error.contains("table-5"), "{error}");
    }
}
