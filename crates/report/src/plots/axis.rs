//! Scales, and the frame that they stand on.

use super::figure::{Anchor, Ink, Mark, Panel, Point};

/// A scale from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// `labelled` is the last value that may have a label.
    Linear {
        from: f64,
        to: f64,
        labelled: f64,
    },
    Logarithmic {
        from: f64,
        to: f64,
    },
}

impl Scale {
    /// A logarithmic scale that holds `from` to `to`, both positive, with a margin.
    pub(super) fn logarithmic(from: f64, to: f64) -> Self {
        let margin = (0.04 * (to / from).log10()).max(0.05);
        Self::Logarithmic { from: from / 10_f64.powf(margin), to: to * 10_f64.powf(margin) }
    }

    /// A linear scale from and to ticks that hold `values`, all finite.
    pub(super) fn linear(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().reduce(f64::min).unwrap_or(0.0);
        let most = values.reduce(f64::max).unwrap_or(1.0);
        let length = if most > least { most - least } else { least.abs().max(1.0) };
        let step = linear_step(length);
        let (from, to) = ((least / step).floor() * step, (most / step).ceil() * step);
        let to = if to > from { to } else { from + step };
        Self::Linear { from, to, labelled: to }
    }

    /// Where `value` stands, 0 at the start and 1 at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear { from, to, .. } => (value - from) / (to - from),
            Self::Logarithmic { from, to } => (value / from).ln() / (to / from).ln(),
        }
    }

    /// The places of labelled ticks with their labels.
    fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { from, to, labelled } => {
                let step = linear_step(to - from);
                let digits = (-step.log10().floor()).max(0.0) as usize;
                let count = ((labelled.min(to) - from) / step + 1e-9) as usize;
                (0..=count)
                    .map(|index| from + step * index as f64)
                    .map(|value| (self.place(value), format!("{value:.digits$}")))
                    .collect()
            }
            Self::Logarithmic { from, to } => {
                let decades = (from.log10().ceil() as i32)..=(to.log10().floor() as i32);
                let step = decades.clone().count().div_ceil(7).max(1) as i32;
                decades
                    .filter(|decade| decade.rem_euclid(step) == 0)
                    .map(|decade| (self.place(10_f64.powi(decade)), power_of_ten(decade)))
                    .collect()
            }
        }
    }

    /// The places of ticks without labels.
    fn minor_ticks(self) -> Vec<f64> {
        let Self::Logarithmic { from, to } = self else { return Vec::new() };
        if to / from > 1e5 {
            return Vec::new();
        }
        let decades = (from.log10().floor() as i32)..=(to.log10().floor() as i32);
        let values = decades.flat_map(|decade| (2..10).map(move |digit| f64::from(digit) * 10_f64.powi(decade)));
        values.filter(|value| (from..=to).contains(value)).map(|value| self.place(value)).collect()
    }
}

fn linear_step(length: f64) -> f64 {
    let rough = length / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].map(|step| step * power).into_iter().find(|step| *step >= 0.999 * rough).unwrap_or(10.0 * power)
}

fn power_of_ten(exponent: i32) -> String {
    match exponent {
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        _ => format!("10^{{{}}}", exponent.to_string().replace('-', "−")),
    }
}

/// The rectangle on a panel that two scales span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    const LEFT: f32 = 50.0;
    const RIGHT: f32 = Panel::WIDTH - 14.0;
    const TOP: f32 = 24.0;
    const BOTTOM: f32 = Panel::HEIGHT - 38.0;

    /// Where a value is drawn.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        (across(self.x.place(x)), up(self.y.place(y)))
    }

    /// A vertical line at `x`, up from the axis to `y`.
    pub(super) fn below(&self, x: f64, y: f64) -> [Point; 2] {
        let (x, y) = self.at(x, y);
        [(x, Self::BOTTOM), (x, y)]
    }

    /// The grid, the frame, its ticks, the title and what the axes are.
    pub(super) fn marks(&self, title: &str, x_label: &str, y_label: &str) -> Vec<Mark> {
        let (left, right, top, bottom) = (Self::LEFT, Self::RIGHT, Self::TOP, Self::BOTTOM);
        let text = |at, anchor, size, text: &str| Mark::Text { at, anchor, size, turned: false, text: text.to_owned() };
        let (mut grid, mut ticks, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (place, label) in self.x.ticks() {
            let x = across(place);
            grid.push([(x, top), (x, bottom)]);
            ticks.push([(x, bottom), (x, bottom + 4.0)]);
            labels.push(text((x, bottom + 14.0), Anchor::Middle, 9.0, &label));
        }
        for (place, label) in self.y.ticks() {
            let y = up(place);
            grid.push([(left, y), (right, y)]);
            ticks.push([(left - 4.0, y), (left, y)]);
            labels.push(text((left - 6.0, y + 3.2), Anchor::End, 9.0, &label));
        }
        ticks.extend(
            self.x.minor_ticks().into_iter().map(|place| [(across(place), bottom), (across(place), bottom + 2.0)]),
        );
        ticks.extend(self.y.minor_ticks().into_iter().map(|place| [(left - 2.0, up(place)), (left, up(place))]));
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        let mut marks = vec![
            Mark::Segments { ink: Ink::Grid, lines: grid },
            Mark::Line { ink: Ink::Axis, points: corners },
            Mark::Segments { ink: Ink::Axis, lines: ticks },
        ];
        marks.extend(labels);
        marks.push(text(((left + right) / 2.0, 15.0), Anchor::Middle, 10.5, title));
        marks.push(text(((left + right) / 2.0, Panel::HEIGHT - 8.0), Anchor::Middle, 10.0, x_label));
        let middle = (top + bottom) / 2.0;
        let y_label = y_label.to_owned();
        marks.push(Mark::Text { at: (11.0, middle), anchor: Anchor::Middle, size: 10.0, turned: true, text: y_label });
        marks
    }

    /// What the marks stand for, in the upper right corner.
    pub(super) fn legend(entries: &[(Sign, String)]) -> Vec<Mark> {
        let mut marks = Vec::new();
        for (index, (sign, text)) in entries.iter().enumerate() {
            let y = Self::TOP + 13.0 + 13.0 * index as f32;
            let (from, to) = (Self::RIGHT - 158.0, Self::RIGHT - 140.0);
            let middle = ((from + to) / 2.0, y - 3.0);
            let line = |ink| Mark::Line { ink, points: vec![(from, y - 3.0), (to, y - 3.0)] };
            match sign {
                Sign::Dot => marks.push(Mark::Dots { points: vec![middle] }),
                Sign::Line(ink) => marks.push(line(*ink)),
                Sign::Diamond => marks.push(Mark::Diamond { at: middle }),
                Sign::Bar => marks.push(Mark::Bars { bars: vec![[(from + 4.0, y - 6.0), (to - 4.0, y)]] }),
                Sign::None => {}
            }
            let at = (to + 5.0, y);
            marks.push(Mark::Text { at, anchor: Anchor::Start, size: 9.0, turned: false, text: text.clone() });
        }
        marks
    }
}

/// What stands before a line of a legend.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Dot,
    Line(Ink),
    Diamond,
    Bar,
    None,
}

fn across(place: f64) -> f32 {
    Frame::LEFT + (Frame::RIGHT - Frame::LEFT) * place as f32
}

fn up(place: f64) -> f32 {
    Frame::BOTTOM - (Frame::BOTTOM - Frame::TOP) * place as f32
}
