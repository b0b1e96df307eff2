//! Plots as PNG.

use std::io::Write;

use dejavu::sans;
use flate2::{Compression, Crc, write::ZlibEncoder};
use tiny_skia::{Color, FillRule, LineCap, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::figure::{Anchor, BAR, BAR_LINE, DOT, Ink, Mark, Point, Sheet};
use super::text::parts;

/// Pixels a unit of the drawing.
const SCALE: f32 = 4.0;

/// The bytes of a file, dark on white.
pub(super) fn sheet(sheet: &Sheet) -> Vec<u8> {
    let (width, height) = ((SCALE * sheet.width()) as u32, (SCALE * sheet.height()) as u32);
    let mut canvas = Canvas {
        pixels: Pixmap::new(width.max(1), height).expect("a sheet has a size"),
        face: Face::parse(sans::regular(), 0).expect("the embedded font is one"),
        origin: Transform::from_scale(SCALE, SCALE),
    };
    canvas.pixels.fill(Color::WHITE);
    canvas.draw(&sheet.heading_marks());
    for ((x, y), panel) in sheet.placed() {
        canvas.origin = Transform::from_scale(SCALE, SCALE).pre_translate(x, y);
        canvas.draw(&panel.marks);
    }
    encoded(&canvas.pixels)
}

struct Canvas {
    pixels: Pixmap,
    face: Face<'static>,
    origin: Transform,
}

impl Canvas {
    fn draw(&mut self, marks: &[Mark]) {
        for mark in marks {
            match mark {
                Mark::Line { ink, points } => self.stroke(*ink, polyline(points)),
                Mark::Segments { ink, lines } => lines.iter().for_each(|line| self.stroke(*ink, polyline(line))),
                Mark::Dots { points } => {
                    let circles = points.iter().filter_map(|&(x, y)| PathBuilder::from_circle(x, y, DOT / 2.0));
                    circles.for_each(|circle| self.fill(Ink::Data.colour(), &circle));
                }
                Mark::Bars { bars } => {
                    for [(left, top), (right, bottom)] in bars {
                        if let Some(bar) = Rect::from_ltrb(*left, *top, *right, *bottom) {
                            let path = PathBuilder::from_rect(bar);
                            self.fill(BAR, &path);
                            self.outline(Ink::Data, BAR_LINE, &path);
                        }
                    }
                }
                Mark::Diamond { at } => self.diamond(*at),
                Mark::Text { at, anchor, size, turned, text } => self.text(*at, *anchor, *size, *turned, text),
            }
        }
    }

    fn diamond(&mut self, (x, y): Point) {
        let side = 1.6 * DOT;
        let corners = [(x, y - side), (x + side, y), (x, y + side), (x - side, y), (x, y - side)];
        if let Some(path) = polyline(&corners) {
            self.fill([255; 3], &path);
            self.outline(Ink::Mark, 1.4, &path);
        }
    }

    fn outline(&mut self, ink: Ink, width: f32, path: &Path) {
        let stroke = Stroke { width, ..Stroke::default() };
        self.pixels.stroke_path(path, &paint(ink.colour()), &stroke, self.origin, None);
    }

    fn stroke(&mut self, ink: Ink, path: Option<Path>) {
        let Some(path) = path else { return };
        let dash = ink.dashes().and_then(|dashes| StrokeDash::new(dashes.to_vec(), 0.0));
        let stroke = Stroke { width: ink.width(), line_cap: LineCap::Butt, dash, ..Stroke::default() };
        self.pixels.stroke_path(&path, &paint(ink.colour()), &stroke, self.origin, None);
    }

    fn fill(&mut self, colour: [u8; 3], path: &Path) {
        self.pixels.fill_path(path, &paint(colour), FillRule::Winding, self.origin, None);
    }

    fn text(&mut self, (x, y): Point, anchor: Anchor, size: f32, turned: bool, text: &str) {
        let mut outline = Outline { path: PathBuilder::new(), x: 0.0, y: 0.0, scale: 1.0 };
        for (level, part) in parts(text) {
            outline.y = level.shift() * size;
            outline.scale = level.scale() * size / f32::from(self.face.units_per_em());
            for character in part.chars() {
                let glyph = self.face.glyph_index(character).unwrap_or_default();
                self.face.outline_glyph(glyph, &mut outline);
                outline.x += f32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default()) * outline.scale;
            }
        }
        let start = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -outline.x / 2.0,
            Anchor::End => -outline.x,
        };
        let turn = Transform::from_rotate(if turned { -90.0 } else { 0.0 });
        let place = Transform::from_translate(x, y).pre_concat(turn).pre_translate(start, 0.0);
        if let Some(path) = outline.path.finish().and_then(|path| path.transform(place)) {
            self.fill(Ink::Mark.colour(), &path);
        }
    }
}

fn paint([red, green, blue]: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn polyline(points: &[Point]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    path.finish()
}

/// Takes the outlines of glyphs, in the font's units upwards, into a path in the drawing's downwards.
struct Outline {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> Point {
        (self.x + self.scale * x, self.y - self.scale * y)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// The PNG (RFC 2083) of opaque pixels.
fn encoded(pixels: &Pixmap) -> Vec<u8> {
    let row_bytes = 3 * pixels.width() as usize;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut before = vec![0; row_bytes];
    for row in pixels.pixels().chunks(pixels.width() as usize) {
        let bytes: Vec<u8> = row.iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
        let up = bytes.iter().zip(&before).map(|(byte, above): (&u8, &u8)| byte.wrapping_sub(*above));
        let line: Vec<u8> = std::iter::once(2).chain(up).collect();
        zlib.write_all(&line).expect("a vector takes any number of bytes");
        before = bytes;
    }
    let data = zlib.finish().expect("a vector takes any number of bytes");
    let mut header = [pixels.width().to_be_bytes(), pixels.height().to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let per_metre = ((96.0 * SCALE / 0.0254).round() as u32).to_be_bytes();
    let density = [&per_metre[..], &per_metre[..], &[1]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, body) in [(b"IHDR", &header), (b"pHYs", &density), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        let mut checked = Crc::new();
        checked.update(kind);
        checked.update(body);
        png.extend((body.len() as u32).to_be_bytes());
        png.extend_from_slice(kind);
        png.extend_from_slice(body);
        png.extend(checked.sum().to_be_bytes());
    }
    png
}
