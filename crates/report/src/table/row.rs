//! A row of a table, from the results of its seeds.

use gradspectra_analysis::KsTest;
use gradspectra_experiment::{Analysis, Axis, Finding, Matrix, PaperFigures, Row, RowResult};
use serde::Serialize;

use super::agreement::{Agreement, Verdict};
use super::measure::Measure;

/// A row of a [`Table`](super::Table).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableRow {
    /// The row's id.
    pub id: String,
    /// The data set.
    pub data_set: String,
    /// The model.
    pub model: String,
    /// Random, Pretrain or Weights.
    pub training: &'static str,
    /// Iteration, dimension or the matrix whose spectrum is tested.
    pub tested: &'static str,
    /// B.
    pub batch_size: usize,
    /// K.
    pub k: usize,
    /// What sets the row apart.
    pub setting: String,
    /// The seeds that are done.
    pub seeds: Vec<u64>,
    /// d_ks, of entries the mean over samples.
    pub d_ks: Option<Measure>,
    /// d_c.
    pub d_c: Option<f64>,
    /// The accuracy on the test examples, of a trained position.
    pub test_accuracy: Option<Measure>,
    /// What only spectra or only entries have.
    #[serde(flatten)]
    pub figures: Figures,
    /// The paper's figures.
    pub paper: Option<PaperFigures>,
    /// Why the first seed without a fit has none.
    #[serde(skip)]
    pub no_fit: Option<String>,
}

/// What a row's figures are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Spectrum,
    Entries,
}

/// What a table says of spectra, or of entries.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "kebab-case")]
pub enum Figures {
    /// Of a spectrum.
    Spectrum {
        /// For how many seeds the power law is accepted.
        accepted: usize,
        /// ŝ.
        s: Option<Measure>,
    },
    /// Of entries.
    Entries {
        /// In how many percent of the samples the power law is accepted.
        power_law_percent: Option<Measure>,
        /// The mean p-value of the normality tests.
        p_value: Option<Measure>,
        /// In how many percent of the samples normality is not rejected.
        gaussian_percent: Option<Measure>,
        /// In how many percent of the samples every entry is zero.
        all_zero_percent: Option<Measure>,
    },
}

impl TableRow {
    pub(super) fn of(row: &Row, results: &[RowResult]) -> Self {
        let d_ks = |result: &RowResult| match &result.finding {
            Finding::Spectrum(finding) => finding.power_law.as_ref().map(|law| law.test.d_ks),
            Finding::Entries(finding) => finding.summary.mean_ks.map(|ks| ks.two_sided),
        };
        let (tested, figures) = match row.analysis {
            Analysis::Spectrum { matrix: Matrix::Covariance, .. } => ("covariance", Figures::of_spectra(results)),
            Analysis::Spectrum { matrix: Matrix::SecondMoment, .. } => ("second moment", Figures::of_spectra(results)),
            Analysis::Entries { along: Axis::Dimension, .. } => ("dimension", Figures::of_entries(results)),
            Analysis::Entries { along: Axis::Iteration, .. } => ("iteration", Figures::of_entries(results)),
        };
        Self {
            id: row.id.clone(),
            data_set: row.data_set.to_string(),
            model: row.model.to_string(),
            training: row.position_title(),
            tested,
            batch_size: results.first().map_or_else(
                || row.sized().map_or(row.batch_size, |row| row.batch_size),
                |result| result.capture.batch_size,
            ),
            k: row.analysis.top(),
            setting: row.setting.clone().unwrap_or_default(),
            seeds: results.iter().map(|result| result.seed).collect(),
            d_ks: Measure::over(results, d_ks),
            d_c: (!results.is_empty()).then(|| KsTest::critical_distance(row.analysis.top())),
            test_accuracy: Measure::over(results, |result| result.position.test_accuracy.map(percent)),
            figures,
            paper: row.paper,
            no_fit: results.iter().find_map(|result| match &result.finding {
                Finding::Spectrum(finding) => finding.no_fit.clone(),
                Finding::Entries(_) => None,
            }),
        }
    }

    /// What its figures are of.
    pub(crate) fn kind(&self) -> Kind {
        match self.figures {
            Figures::Spectrum { .. } => Kind::Spectrum,
            Figures::Entries { .. } => Kind::Entries,
        }
    }

    /// Whether the power law of a spectrum is accepted; `None` where nothing is done, or for entries.
    pub fn verdict(&self) -> Option<Verdict> {
        match (&self.figures, self.seeds.len()) {
            (Figures::Entries { .. }, _) | (_, 0) => None,
            (Figures::Spectrum { s: None, .. }, _) => Some(Verdict::NoFit),
            (Figures::Spectrum { accepted: 0, .. }, _) => Some(Verdict::No),
            (Figures::Spectrum { accepted, .. }, seeds) if *accepted == seeds => Some(Verdict::Yes),
            (&Figures::Spectrum { accepted, .. }, of) => Some(Verdict::Partly { accepted, of }),
        }
    }

    /// The paper's verdict; `None` where it prints none.
    pub fn paper_verdict(&self) -> Option<Verdict> {
        self.paper.and_then(|paper| paper.power_law).map(Verdict::of)
    }

    /// Whether the row says the same as the paper: of a spectrum, whether the verdicts are the same, where no fit counts as
    /// No; of entries, whether the rates of power laws and of Gaussians are both on the paper's side of one half.
    pub fn agreement(&self) -> Agreement {
        Agreement::of(self)
    }
}

impl Figures {
    fn of_spectra(results: &[RowResult]) -> Self {
        let findings = results.iter().filter_map(|result| match &result.finding {
            Finding::Spectrum(finding) => finding.power_law.as_ref(),
            Finding::Entries(_) => None,
        });
        let laws: Vec<_> = findings.collect();
        Self::Spectrum {
            accepted: laws.iter().filter(|law| law.accepted).count(),
            s: Measure::over(&laws, |law| Some(law.s)),
        }
    }

    fn of_entries(results: &[RowResult]) -> Self {
        let findings = results.iter().filter_map(|result| match &result.finding {
            Finding::Entries(finding) => Some(finding.summary),
            Finding::Spectrum(_) => None,
        });
        let tests: Vec<_> = findings.collect();
        Self::Entries {
            power_law_percent: Measure::over(&tests, |tests| tests.power_law_rate.map(percent)),
            p_value: Measure::over(&tests, |tests| tests.mean_p_value),
            gaussian_percent: Measure::over(&tests, |tests| tests.gaussian_rate.map(percent)),
            all_zero_percent: Measure::over(&tests, |tests| {
                Some(percent(tests.all_zero as f64 / tests.samples as f64))
            }),
        }
    }
}

fn percent(share: f64) -> f64 {
    100.0 * share
}
