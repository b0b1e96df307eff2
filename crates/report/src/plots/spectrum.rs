//! Eigenvalues or eigengaps on logarithmic axes, with the fitted power law.

use gradspectra_analysis::Spectrum;
use gradspectra_experiment::{Analysis, Matrix, PowerLawReport, RowResult, SpectrumFinding, SpectrumValues};
use gradspectra_files::counted;

use super::axis::{Frame, Scale, Sign};
use super::figure::{DOT, Ink, Mark, Panel, Point};
use super::text::number;

/// How many decades below the largest value are drawn at least; what is smaller, and than the tested values, is rounding.
const DECADES: i32 = 12;

/// The panels of a spectrum: eigenvalues by rank, or eigengaps by rank and by size (Figure 1).
pub(super) fn panels(result: &RowResult, finding: &SpectrumFinding, eigenvalues: &[f64]) -> Vec<Panel> {
    let Analysis::Spectrum { matrix, values, top } = result.row.analysis else { return Vec::new() };
    let Ok(spectrum) = Spectrum::new(eigenvalues.to_vec()) else { return Vec::new() };
    let rounding = finding.spectrum.rounding.unwrap_or_default();
    let matrix = match matrix {
        Matrix::Covariance => "covariance",
        Matrix::SecondMoment => "second moment",
    };
    let law = finding.power_law.as_ref();
    let tested_edge = law.map_or(f64::INFINITY, |law| law.fit.lambda_min());
    let gaps = |title: &str, x_label, values: &[f64], law| Curve {
        title: format!("Eigengaps of the {matrix}, {title}"),
        x_label,
        y_label: "eigengap λ_{k} − λ_{k+1} (squared gradient)",
        symbol: "δ",
        values: ranked(values),
        law,
        tested_edge,
        rounding,
    };
    let curves = match values {
        SpectrumValues::Eigenvalues => vec![Curve {
            title: format!("Eigenvalues of the {matrix}"),
            x_label: "rank k",
            y_label: "eigenvalue λ_{k} (squared gradient)",
            symbol: "λ",
            values: ranked(spectrum.eigenvalues()),
            law,
            tested_edge,
            rounding,
        }],
        SpectrumValues::Eigengaps => vec![
            gaps("by rank", "rank k of the eigenvalue", &spectrum.eigengaps(), None),
            gaps("by size", "rank by size", &spectrum.sorted_eigengaps(), law),
        ],
        SpectrumValues::TopEigengaps => {
            let by_rank = spectrum.eigengaps();
            let mut by_size = by_rank[..top.min(by_rank.len())].to_vec();
            by_size.sort_unstable_by(|a, b| b.total_cmp(a));
            vec![
                gaps("by rank", "rank k of the eigenvalue", &by_rank, None),
                gaps("by size", "rank by size among the first K", &by_size, law),
            ]
        }
    };
    curves.iter().map(Curve::panel).collect()
}

struct Curve<'a> {
    title: String,
    x_label: &'static str,
    y_label: &'static str,
    symbol: &'static str,
    values: Vec<(f64, f64)>,
    law: Option<&'a PowerLawReport>,
    /// The smallest value that the law is fitted to.
    tested_edge: f64,
    /// What is not above it is rounding, and is not drawn.
    rounding: f64,
}

impl Curve<'_> {
    fn panel(&self) -> Panel {
        let largest = self.values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let floor = (largest * 10_f64.powi(-DECADES)).min(0.1 * self.tested_edge).max(self.rounding);
        let drawn: Vec<_> = self.values.iter().copied().filter(|(_, value)| *value > floor).collect();
        let Some(smallest) = drawn.iter().map(|(_, value)| *value).reduce(f64::min) else {
            return Panel { description: format!("{}: none is positive.", self.title), marks: Vec::new() };
        };
        let last_rank = self.values.last().map_or(1.0, |(rank, _)| *rank);
        let head = self.law.map_or(largest, |law| largest.max(fitted(law, 1.0)));
        let frame = Frame {
            x: Scale::logarithmic(1.0, last_rank.max(10.0)),
            y: Scale::logarithmic(smallest, head.max(2.0 * smallest)),
        };
        let mut marks = frame.marks(&self.title, self.x_label, self.y_label);
        marks.push(Mark::Dots { points: thinned(drawn.iter().map(|&(rank, value)| frame.at(rank, value))) });
        let mut legend = vec![(Sign::Dot, counted(self.values.len(), "values"))];
        let mut description = format!("{}: {} on logarithmic axes.", self.title, self.x_label);
        if let Some(law) = self.law {
            let (k, edge) = (law.fit.k() as f64, law.fit.lambda_min());
            let ends = [1.0, k].map(|rank| frame.at(rank, fitted(law, rank)));
            marks.push(Mark::Segments { ink: Ink::Mark, lines: vec![frame.below(k, edge)] });
            marks.push(Mark::Line { ink: Ink::Fit, points: ends.to_vec() });
            marks.push(Mark::Diamond { at: frame.at(k, edge) });
            let (s, d_ks, d_c) = (number(law.s, 4), number(law.test.d_ks, 3), number(law.test.d_c, 3));
            let verdict = if law.accepted { "<" } else { "≥" };
            legend.push((Sign::Line(Ink::Fit), format!("∝ k^{{−s}}, s = {s}")));
            legend.push((Sign::None, format!("d_{{ks}} = {d_ks} {verdict} d_{{c}} = {d_c}")));
            legend.push((Sign::Diamond, format!("{}_{{K}} = {}, K = {k}", self.symbol, number(edge, 2))));
            let accepted = if law.accepted { "accepted" } else { "rejected" };
            description +=
                &format!(" The law fitted to the largest {k} has s = {s}; d_ks = {d_ks}, d_c = {d_c}: {accepted}.");
        }
        marks.extend(Frame::legend(&legend));
        Panel { description, marks }
    }
}

/// What the fitted law gives at a rank: λ_min (k/K)^−s.
fn fitted(law: &PowerLawReport, rank: f64) -> f64 {
    law.fit.lambda_min() * (rank / law.fit.k() as f64).powf(-law.s)
}

fn ranked(values: &[f64]) -> Vec<(f64, f64)> {
    values.iter().enumerate().map(|(index, &value)| ((index + 1) as f64, value)).collect()
}

/// The points without those that would lie on the one before.
fn thinned(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for (x, y) in points {
        let covered = |&(before_x, before_y): &Point| (x - before_x).hypot(y - before_y) < 0.85 * DOT;
        if !kept.iter().rev().take(100).any(covered) {
            kept.push((x, y));
        }
    }
    kept
}
