//! What a plot is made of, for every format.

/// What a mark is for; a format gives each its look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Frames and ticks.
    Axis,
    /// Lines behind the data.
    Grid,
    /// Measured values.
    Data,
    /// The fitted law: dashed.
    Fit,
    /// Thresholds: dotted.
    Mark,
}

impl Ink {
    pub(super) const ALL: [Self; 5] = [Self::Axis, Self::Grid, Self::Data, Self::Fit, Self::Mark];

    /// The name of its class in SVG.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Axis => "pa",
            Self::Grid => "pg",
            Self::Data => "pd",
            Self::Fit => "pf",
            Self::Mark => "pm",
        }
    }

    /// The colour in print.
    pub(super) fn colour(self) -> [u8; 3] {
        match self {
            Self::Axis => [0x22, 0x22, 0x22],
            Self::Grid => [0xdd, 0xdd, 0xdd],
            Self::Data => [0x1f, 0x3f, 0x7a],
            Self::Fit => [0xb3, 0x26, 0x1e],
            Self::Mark => [0x11, 0x11, 0x11],
        }
    }

    /// The width of its lines.
    pub(super) fn width(self) -> f32 {
        match self {
            Self::Axis => 0.8,
            Self::Grid => 0.5,
            Self::Data => DOT,
            Self::Fit => 1.4,
            Self::Mark => 1.0,
        }
    }

    /// The lengths of its dashes and gaps.
    pub(super) fn dashes(self) -> Option<[f32; 2]> {
        match self {
            Self::Axis | Self::Grid | Self::Data => None,
            Self::Fit => Some([5.0, 2.5]),
            Self::Mark => Some([1.5, 2.0]),
        }
    }
}

/// What bars are filled with in print; their lines are those of the data.
pub(super) const BAR: [u8; 3] = [0xb7, 0xc5, 0xdf];

/// The width of the lines of bars.
pub(super) const BAR_LINE: f32 = 0.7;

/// The diameter of a dot.
pub(super) const DOT: f32 = 2.4;

/// A place on a panel, from its upper left corner.
pub(super) type Point = (f32, f32);

/// Where a text stands on its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line through points.
    Line { ink: Ink, points: Vec<Point> },
    /// Straight lines, each from one point to another.
    Segments { ink: Ink, lines: Vec<[Point; 2]> },
    /// Dots.
    Dots { points: Vec<Point> },
    /// Bars, each from its upper left to its lower right corner.
    Bars { bars: Vec<[Point; 2]> },
    /// An open diamond.
    Diamond { at: Point },
    /// A line of text, where `_{}` lowers and `^{}` raises; `turned` reads upwards.
    Text { at: Point, anchor: Anchor, size: f32, turned: bool, text: String },
}

/// One plot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    /// What it shows, in words, for those who do not see it.
    pub(super) description: String,
    pub(super) marks: Vec<Mark>,
}

impl Panel {
    pub(super) const WIDTH: f32 = 340.0;
    pub(super) const HEIGHT: f32 = 262.0;
}

/// Panels under a heading, side by side; four in two rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    pub(super) heading: [String; 2],
    pub(super) panels: Vec<Panel>,
}

impl Sheet {
    /// The height of the heading.
    pub(super) const HEADING: f32 = 34.0;

    fn columns(&self) -> usize {
        if self.panels.len() == 4 { 2 } else { self.panels.len().max(1) }
    }

    pub(super) fn width(&self) -> f32 {
        Panel::WIDTH * self.columns() as f32
    }

    pub(super) fn height(&self) -> f32 {
        Self::HEADING + Panel::HEIGHT * self.panels.len().div_ceil(self.columns()).max(1) as f32
    }

    /// The panels with their upper left corners.
    pub(super) fn placed(&self) -> impl Iterator<Item = (Point, &Panel)> {
        let place = |index: usize| {
            let (row, column) = (index / self.columns(), index % self.columns());
            (Panel::WIDTH * column as f32, Self::HEADING + Panel::HEIGHT * row as f32)
        };
        self.panels.iter().enumerate().map(move |(index, panel)| (place(index), panel))
    }

    /// The heading as marks; what is too long for the sheet is cut.
    pub(super) fn heading_marks(&self) -> Vec<Mark> {
        let lines = self.heading.iter().zip([(10.5, 15.0), (9.0, 28.0)]);
        let mark = |(line, (size, y)): (&String, (f32, f32))| {
            let longest = ((self.width() - 20.0) / (0.56 * size)) as usize;
            let text = match line.char_indices().nth(longest) {
                Some((end, _)) => format!("{}…", &line[..end]),
                None => line.clone(),
            };
            let text = text.replace('\n', " ");
            Mark::Text { at: (10.0, y), anchor: Anchor::Start, size, turned: false, text }
        };
        lines.map(mark).collect()
    }
}
