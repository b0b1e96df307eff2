//! The columns of every table, each stated once: text, CSV, Markdown, LaTeX and both pages take them from here, in this
//! order. JSON is the [`TableRow`] itself.

use super::column::{Align, Column, Digits, Line};
use super::{Agreement, Figures, Kind, Measure, TableRow};

/// Every column, in the order in which they stand.
pub(super) const COLUMNS: &[Column] = &[
    Column::word(|line| line.experiment.to_owned()).csv("experiment"),
    Column::word(|line| line.row.id.clone()).csv("row").terminal("row").full("Row").page("Row"),
    Column::agreement(|row| Some(row.agreement())).align(Align::Left).page("Agreement"),
    Column::word(gradients).page("Gradients"),
    Column::word(|line| line.row.data_set.clone()).csv("data-set").full("Data set"),
    Column::word(|line| line.row.model.clone()).csv("model").full("Model"),
    Column::word(|line| line.row.training.to_owned()).csv("training").full("Training"),
    Column::word(|line| line.row.tested.to_owned()).csv("tested").full("Tested"),
    Column::word(|line| line.row.batch_size.to_string())
        .align(Align::Right)
        .csv("batch-size")
        .terminal("B")
        .in_terminal_only_of(Kind::Spectrum)
        .full("Batch")
        .page("B"),
    Column::word(|line| line.row.k.to_string()).align(Align::Right).csv("k").full("K"),
    Column::word(|line| line.row.setting.clone()).csv("setting").full("Setting").page("Setting"),
    Column::word(seeds).csv("seeds"),
    Column::word(|line| line.row.seeds.len().to_string()).align(Align::Right).page("Seeds"),
    Column::measure(|row| row.d_ks, Digits::Fixed(4))
        .paper(|paper| Some(paper.d_ks))
        .or_what_is_missing()
        .csv("d-ks")
        .terminal("d_ks")
        .full("d_ks")
        .page("d_ks"),
    Column::number(|line| line.row.d_c, Digits::Fixed(4)).csv("d-c").full("d_c").page("d_c"),
    Column::word(|line| line.row.verdict().map_or_else(String::new, |verdict| verdict.to_string()))
        .paper_word(|row| row.paper_verdict().map_or_else(String::new, |verdict| verdict.to_string()))
        .of(Kind::Spectrum)
        .align(Align::Right)
        .csv("power-law")
        .terminal("law")
        .full("Power law")
        .page("Power law"),
    Column::measure(s, Digits::Fixed(3))
        .paper(|paper| paper.s)
        .of(Kind::Spectrum)
        .csv("s")
        .terminal("s")
        .full("s")
        .page("s"),
    Column::agreement(verdicts_agree).of(Kind::Spectrum).csv("verdict").terminal("").full("Verdict"),
    Column::measure(|row| entries(row, |[power_law, ..]| power_law), Digits::Fixed(2))
        .paper(|paper| paper.power_law_percent)
        .of(Kind::Entries)
        .csv("power-law-percent")
        .terminal("law %")
        .full("Power law (%)")
        .page("Power law (%)"),
    Column::measure(|row| entries(row, |[_, p_value, ..]| p_value), Digits::Probability)
        .paper(|paper| paper.p_value)
        .of(Kind::Entries)
        .csv("p-value")
        .terminal("p")
        .full("p")
        .page("p-value"),
    Column::measure(|row| entries(row, |[_, _, gaussian, _]| gaussian), Digits::Fixed(1))
        .paper(|paper| paper.gaussian_percent)
        .of(Kind::Entries)
        .csv("gaussian-percent")
        .terminal("Gauss %")
        .full("Gaussian (%)")
        .page("Gaussian (%)"),
    Column::measure(|row| entries(row, |[.., all_zero]| all_zero), Digits::Fixed(1))
        .of(Kind::Entries)
        .csv("all-zero-percent")
        .full("All zero (%)")
        .page("All zero (%)"),
    Column::measure(|row| row.test_accuracy, Digits::Fixed(2))
        .csv("test-accuracy")
        .full("Test accuracy (%)")
        .page("Test accuracy (%)"),
    Column::number(|line| line.seconds, Digits::Seconds).page("Seconds"),
];

fn gradients(line: &Line) -> String {
    let row = line.row;
    format!("{} on {}, {}, {}", row.model, row.data_set, row.training.to_lowercase(), row.tested)
}

fn seeds(line: &Line) -> String {
    line.row.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn s(row: &TableRow) -> Option<Measure> {
    match row.figures {
        Figures::Spectrum { s, .. } => s,
        Figures::Entries { .. } => None,
    }
}

/// One of what only entries have: rate of power laws, p-value, rate of Gaussians, rate of samples that are all zero.
fn entries(row: &TableRow, figure: fn([Option<Measure>; 4]) -> Option<Measure>) -> Option<Measure> {
    match row.figures {
        Figures::Entries { power_law_percent, p_value, gaussian_percent, all_zero_percent } => {
            figure([power_law_percent, p_value, gaussian_percent, all_zero_percent])
        }
        Figures::Spectrum { .. } => None,
    }
}

/// The agreement of two verdicts on a spectrum.
fn verdicts_agree(row: &TableRow) -> Option<Agreement> {
    Some(row.agreement()).filter(|agreement| row.kind() == Kind::Spectrum && agreement.is_of_two())
}
