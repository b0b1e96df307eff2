//! Plots of spectra and of tests of entries, as SVG and PNG, the same bytes for the same result.

mod axis;
mod entries;
mod figure;
mod png;
mod spectrum;
mod svg;
mod text;
mod track;

use gradspectra_experiment::{Experiment, Finding, PLOTS, Result, RowResult, Store, Track};
use gradspectra_files as files;
use gradspectra_files::npy;

use figure::{Panel, Sheet};

/// Draws the plots of a result and writes them beside it.
///
/// # Errors
///
/// The eigenvalues cannot be read, or a file cannot be written.
pub fn write(store: &Store, result: &RowResult) -> Result<()> {
    let sheet = Sheet { heading: heading(result), panels: panels(store, result)? };
    let [svg, png] = plot_files(store, result);
    files::write(&svg, svg::sheet(&sheet).as_bytes())?;
    Ok(files::write(&png, &png::sheet(&sheet))?)
}

/// Draws the plots that are missing of the rows of `experiments`.
///
/// # Errors
///
/// The eigenvalues cannot be read, or a file cannot be written.
pub fn draw_missing(store: &Store, experiments: &[Experiment], seeds: &[u64]) -> Result<()> {
    for experiment in experiments {
        for row in &experiment.rows {
            for &seed in seeds {
                if let Some(result) = store.result(&experiment.name, &row.id, seed, None)
                    && !plot_files(store, &result).iter().all(|file| file.is_file())
                {
                    write(store, &result)?;
                }
            }
        }
    }
    Ok(())
}

/// Draws the plot of a track and writes it beside its points.
///
/// # Errors
///
/// A file cannot be written.
pub fn write_track(store: &Store, track: &Track) -> Result<()> {
    let sheet = track::sheet(track);
    let file = |ending| store.row_file(&track.experiment, &track.row.id, track.seed, ending);
    files::write(&file("track.svg"), svg::sheet(&sheet).as_bytes())?;
    Ok(files::write(&file("track.png"), &png::sheet(&sheet))?)
}

/// The plots of a result as SVG elements to stand in a page, whose style gives their colours.
///
/// # Errors
///
/// The eigenvalues cannot be read.
pub(crate) fn inline(store: &Store, result: &RowResult) -> Result<Vec<String>> {
    Ok(panels(store, result)?.iter().map(svg::inline).collect())
}

/// The style that [`inline`] plots need but for their colours.
pub(crate) fn page_style() -> String {
    svg::shapes()
}

fn plot_files(store: &Store, result: &RowResult) -> [std::path::PathBuf; 2] {
    PLOTS.map(|ending| store.row_file(&result.experiment, &result.row.id, result.seed, ending))
}

fn panels(store: &Store, result: &RowResult) -> Result<Vec<Panel>> {
    match &result.finding {
        Finding::Spectrum(finding) => {
            let file = store.eigenvalues_file(&result.experiment, &result.row.id, result.seed);
            Ok(spectrum::panels(result, finding, &npy::values(&file)?))
        }
        Finding::Entries(finding) => Ok(entries::panels(result, finding)),
    }
}

/// Two lines that say what a plot is of.
fn heading(result: &RowResult) -> [String; 2] {
    let row = &result.row;
    let setting = row.setting.as_ref().map(|setting| format!(", {setting}")).unwrap_or_default();
    let capture = &result.capture;
    [
        format!("{} {}, seed {}", result.experiment, row.id, result.seed),
        format!(
            "{} on {}, {}{setting}, B = {}, T = {}",
            row.model,
            row.data_set,
            row.position_title().to_lowercase(),
            capture.batch_size,
            capture.iterations
        ),
    ]
}

#[cfg(test)]
#[path = "plots_tests.rs"]
pub(crate) mod tests;
