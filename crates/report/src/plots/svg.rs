//! Plots as SVG.

use std::fmt::Write;

use super::figure::{Anchor, BAR, BAR_LINE, DOT, Ink, Mark, Panel, Point, Sheet};
use super::text::parts;
use crate::markup::escaped;

/// The families that stand for the font of the bitmaps where it is missing.
const FONTS: &str = "'DejaVu Sans',Verdana,sans-serif";

/// A file of its own, dark on white.
pub(super) fn sheet(sheet: &Sheet) -> String {
    let (width, height) = (sheet.width(), sheet.height());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{}\" height=\"{}\" \
         role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<style>{}</style>\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#fff\"/>\n",
        2.0 * width,
        2.0 * height,
        escaped(&sheet.heading.join(": ")),
        escaped(&sheet.panels.iter().map(|panel| panel.description.as_str()).collect::<Vec<_>>().join(" ")),
        print_style()
    );
    draw(&mut text, &sheet.heading_marks());
    for ((x, y), panel) in sheet.placed() {
        let _ = writeln!(text, "<g transform=\"translate({x} {y})\">");
        draw(&mut text, &panel.marks);
        text += "</g>\n";
    }
    text + "</svg>\n"
}

/// An element of a page; [`page_style`] is its style.
pub(super) fn inline(panel: &Panel) -> String {
    let mut text = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        Panel::WIDTH,
        Panel::HEIGHT,
        escaped(&panel.description)
    );
    draw(&mut text, &panel.marks);
    text + "</svg>\n"
}

/// The style of marks without their colours.
pub(super) fn shapes() -> String {
    let mut style = String::new();
    for ink in Ink::ALL {
        let _ = write!(style, ".{}{{fill:none;stroke-width:{}", ink.class(), ink.width());
        if let Some([dash, gap]) = ink.dashes() {
            let _ = write!(style, ";stroke-dasharray:{dash} {gap}");
        }
        style.push('}');
    }
    style + &format!(".pd{{stroke-linecap:round}}.po{{stroke-width:1.4}}.pb{{stroke-width:{BAR_LINE}}}")
}

fn print_style() -> String {
    let mut style = shapes();
    for ink in Ink::ALL {
        let _ = write!(style, ".{}{{stroke:{}}}", ink.class(), hexadecimal(ink.colour()));
    }
    let [bar, data, text] = [BAR, Ink::Data.colour(), Ink::Mark.colour()].map(hexadecimal);
    style
        + &format!(
            ".pb{{fill:{bar};stroke:{data}}}.po{{fill:#fff;stroke:{text}}}text{{fill:{text};font-family:{FONTS}}}"
        )
}

fn hexadecimal([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn draw(text: &mut String, marks: &[Mark]) {
    for mark in marks {
        match mark {
            Mark::Line { ink, points } => path(text, ink.class(), &polyline(points)),
            Mark::Segments { ink, lines } => {
                path(text, ink.class(), &lines.iter().map(|line| polyline(line)).collect::<String>());
            }
            Mark::Dots { points } => path(text, Ink::Data.class(), &dots(points)),
            Mark::Bars { bars } => path(text, "pb", &bars.iter().map(bar).collect::<String>()),
            Mark::Diamond { at: (x, y) } => {
                let side = 1.6 * DOT;
                path(
                    text,
                    "po",
                    &format!(
                        "M{} {}l{side:.1} {side:.1}-{side:.1} {side:.1}-{side:.1}-{side:.1}z",
                        short(*x),
                        short(y - side)
                    ),
                );
            }
            Mark::Text { at, anchor, size, turned, text: words } => line(text, *at, *anchor, *size, *turned, words),
        }
        text.push('\n');
    }
}

fn path(text: &mut String, class: &str, data: &str) {
    let _ = write!(text, "<path class=\"{class}\" d=\"{data}\"/>");
}

fn polyline(points: &[Point]) -> String {
    let mut data = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let letter = if index == 0 { "M" } else { "L" };
        let _ = write!(data, "{letter}{} {}", short(*x), short(*y));
    }
    data
}

/// Lines of no length, whose round ends are the dots.
fn dots(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("M{} {}h0", short(*x), short(*y))).collect()
}

fn bar([(left, top), (right, bottom)]: &[Point; 2]) -> String {
    format!("M{} {}H{}V{}H{}z", short(*left), short(*top), short(*right), short(*bottom), short(*left))
}

fn line(text: &mut String, (x, y): Point, anchor: Anchor, size: f32, turned: bool, words: &str) {
    let anchor = match anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let (x, y) = (short(x), short(y));
    let place =
        if turned { format!("transform=\"translate({x} {y})rotate(-90)\"") } else { format!("x=\"{x}\" y=\"{y}\"") };
    let _ = write!(text, "<text {place} font-size=\"{size}\"{anchor}>");
    let mut shift = 0.0;
    for (level, part) in parts(words) {
        let part = escaped(part);
        let move_by = level.shift() * size - shift;
        shift += move_by;
        let scaled =
            if level.scale() == 1.0 { String::new() } else { format!(" font-size=\"{:.1}\"", level.scale() * size) };
        if move_by == 0.0 && scaled.is_empty() {
            *text += &part;
        } else {
            let _ = write!(text, "<tspan dy=\"{}\"{scaled}>{part}</tspan>", short(move_by));
        }
    }
    *text += "</text>";
}

/// A coordinate to a tenth.
fn short(value: f32) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
