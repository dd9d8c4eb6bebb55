//! Drawing the burn-down chart with plotters, in pixels of the SVG times a scale.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, Color, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, PathElement, Polygon, RGBColor,
    Rectangle, SVGBackend, Text, TextStyle, TriangleMarker, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::super::wording::count;
use super::{Burndown, HEIGHT, HeadLine, Mark, Point, WIDTH};

/// Colours that people with any colour vision tell apart (Okabe and Ito), darkest first.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const GREY: RGBColor = RGBColor(110, 110, 110);
const PALE: RGBColor = RGBColor(222, 222, 222);

const LEFT: f64 = 90.0;
const RIGHT: f64 = 40.0;
const TITLE: f64 = 66.0;
/// Height of a row of labels above or below the plot.
const ROW: f64 = 20.0;
const DATES: f64 = 30.0;

type Outcome<E> = Result<(), plotters::prelude::DrawingAreaErrorKind<E>>;

impl Burndown {
    /// The chart as SVG.
    pub(in super::super) fn svg(&self) -> io::Result<String> {
        register()?;
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
            self.draw(&Canvas { area: &area, scale: 1.0 }).map_err(|error| broken(&error))?;
            area.present().map_err(|error| broken(&error))?;
        }
        Ok(text)
    }

    /// The chart as PNG, twice as large as the SVG: bitmap text is uneven at its own size.
    pub(in super::super) fn png(&self) -> io::Result<Vec<u8>> {
        register()?;
        let (width, height) = (WIDTH * 2, HEIGHT * 2);
        let mut pixels = vec![0; (width * height * 3) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            self.draw(&Canvas { area: &area, scale: 2.0 }).map_err(|error| broken(&error))?;
            area.present().map_err(|error| broken(&error))?;
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(&pixels).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        Ok(bytes)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        canvas.area.fill(&WHITE)?;
        let above = canvas.rows(&self.marks, self.last_day, LEFT, f64::from(WIDTH) - RIGHT)?;
        let below = canvas.rows(&self.expectations, self.last_day, LEFT, f64::from(WIDTH) - RIGHT)?;
        let rows = |rows: &[Placed]| rows.iter().map(|placed| placed.row + 1).max().unwrap_or(0) as f64 * ROW;
        let frame = Frame {
            top: TITLE + rows(&above) + 12.0,
            bottom: f64::from(HEIGHT) - DATES - rows(&below) - 24.0,
            last_day: self.last_day,
            most: self.most * 1.05,
        };
        canvas.text(&self.title, (LEFT, 14.0), 20.0, INK, HPos::Left)?;
        canvas.text(&self.subtitle, (LEFT, 42.0), 13.0, GREY, HPos::Left)?;
        for (mark, placed) in self.expectations.iter().zip(&below) {
            let x = frame.x(mark.day);
            let y = frame.bottom + DATES + 6.0 + placed.row as f64 * ROW;
            canvas.path(&[(x, frame.bottom), (x, y + 14.0)], INK, 1.0)?;
            canvas.text(&mark.text, (placed.x, y + 2.0), 13.0, INK, HPos::Left)?;
        }
        self.axes(canvas, &frame)?;
        for (mark, placed) in self.marks.iter().zip(&above) {
            let (x, y) = (frame.x(mark.day), TITLE + placed.row as f64 * ROW);
            canvas.path(&[(x, y + ROW - 2.0), (x, frame.bottom)], GREY, 1.0)?;
            canvas.text(&mark.text, (placed.x, y), 13.0, INK, HPos::Left)?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            canvas.band(&frame, line, COLOURS[number % COLOURS.len()])?;
        }
        let mut taken = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            canvas.name(&frame, line, COLOURS[number % COLOURS.len()], &mut taken)?;
        }
        for mark in &self.expectations {
            canvas.triangle((frame.x(mark.day), frame.bottom - 6.0))?;
        }
        Ok(())
    }

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: &Frame) -> Outcome<DB::ErrorType> {
        let right = f64::from(WIDTH) - RIGHT;
        let step = round_step(self.most / 5.0);
        let mut value = 0.0;
        while value <= frame.most {
            let y = frame.y(value);
            canvas.path(&[(LEFT, y), (right, y)], if value > 0.0 { PALE } else { INK }, 1.0)?;
            canvas.text(&count(value), (LEFT - 8.0, y - 8.0), 13.0, GREY, HPos::Right)?;
            value += step;
        }
        for tick in &self.ticks {
            let x = frame.x(tick.day);
            canvas.path(&[(x, frame.bottom), (x, frame.bottom + 6.0)], INK, 1.0)?;
            // A label lies over the line down to an expectation.
            let half = canvas.width(&tick.text, 13.0)? / 2.0 + 3.0;
            canvas.blank((x - half, frame.bottom + 8.0), (x + half, frame.bottom + 26.0))?;
            canvas.text(&tick.text, (x, frame.bottom + 9.0), 13.0, GREY, HPos::Center)?;
        }
        canvas.text("mailboxes", (LEFT - 8.0, frame.top - 22.0), 13.0, GREY, HPos::Right)
    }
}

/// Where days and mailboxes lie.
struct Frame {
    top: f64,
    bottom: f64,
    last_day: f64,
    most: f64,
}

impl Frame {
    fn x(&self, day: f64) -> f64 {
        at(day, self.last_day)
    }

    fn y(&self, mailboxes: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * mailboxes / self.most
    }
}

fn at(day: f64, last_day: f64) -> f64 {
    LEFT + (f64::from(WIDTH) - RIGHT - LEFT) * day.clamp(0.0, last_day) / last_day
}

/// Where a label lies: its left end and its row.
struct Placed {
    x: f64,
    row: usize,
}

struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    scale: f64,
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    /// Puts each label beside its day, in the first row where it meets no other label and no line down from a later one.
    fn rows(
        &self,
        marks: &[Mark],
        last_day: f64,
        left: f64,
        right: f64,
    ) -> Result<Vec<Placed>, plotters::prelude::DrawingAreaErrorKind<DB::ErrorType>> {
        let mut placed: Vec<(Placed, f64)> = Vec::new();
        for mark in marks {
            let width = self.width(&mark.text, 13.0)?;
            let x = (at(mark.day, last_day) + 4.0).min(right - width).max(left);
            let meets = |row: usize, placed: &[(Placed, f64)]| {
                placed.iter().any(|(other, end)| other.row == row && x < end + 12.0 && other.x < x + width + 12.0)
            };
            let row = (0..=marks.len()).find(|row| !meets(*row, &placed)).unwrap_or(marks.len());
            placed.push((Placed { x, row }, x + width));
        }
        Ok(placed.into_iter().map(|(placed, _)| placed).collect())
    }

    fn band(&self, frame: &Frame, line: &HeadLine, colour: RGBColor) -> Outcome<DB::ErrorType> {
        let within: Vec<&Point> = line.points.iter().filter(|point| point.day <= frame.last_day).collect();
        let upper = within.iter().map(|point| (frame.x(point.day), frame.y(point.high)));
        let lower = within.iter().rev().map(|point| (frame.x(point.day), frame.y(point.low)));
        let edge: Vec<(i32, i32)> = upper.chain(lower).map(|place| self.place(place)).collect();
        self.area.draw(&Polygon::new(edge, colour.mix(0.22)))?;
        let middle: Vec<(f64, f64)> = within.iter().map(|point| (frame.x(point.day), frame.y(point.middle))).collect();
        self.path(&middle, colour, 2.5)
    }

    /// Writes the head's name beside its line, at the first height where it meets no other name.
    fn name(
        &self,
        frame: &Frame,
        line: &HeadLine,
        colour: RGBColor,
        taken: &mut Vec<(f64, f64, f64)>,
    ) -> Outcome<DB::ErrorType> {
        let width = self.width(&line.name, 15.0)?;
        let start = line.points[0].middle;
        let beside = |share: f64| {
            let point = line.points.iter().find(|point| point.high <= start * share)?;
            Some((frame.x(point.day) + 8.0, frame.y(point.high) - 20.0))
        };
        let free = |place: &(f64, f64)| {
            let apart = |other: &(f64, f64, f64)| {
                place.0 > other.0 + other.2 || other.0 > place.0 + width || (place.1 - other.1).abs() > 18.0
            };
            place.0 + width < f64::from(WIDTH) && taken.iter().all(apart)
        };
        let place = [0.6, 0.75, 0.45, 0.9, 0.3, 0.15].into_iter().filter_map(beside).find(free);
        let place = place.unwrap_or((LEFT + 8.0, frame.y(start) - 20.0));
        taken.push((place.0, place.1, width));
        self.text(&line.name, place, 15.0, colour, HPos::Left)
    }

    fn blank(&self, from: (f64, f64), to: (f64, f64)) -> Outcome<DB::ErrorType> {
        self.area.draw(&Rectangle::new([self.place(from), self.place(to)], WHITE.filled()))
    }

    fn triangle(&self, place: (f64, f64)) -> Outcome<DB::ErrorType> {
        self.area.draw(&TriangleMarker::new(self.place(place), (6.0 * self.scale) as i32, INK.filled()))
    }

    fn path(&self, points: &[(f64, f64)], colour: RGBColor, width: f64) -> Outcome<DB::ErrorType> {
        let points: Vec<(i32, i32)> = points.iter().map(|place| self.place(*place)).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width((width * self.scale).round() as u32)))
    }

    fn text(&self, text: &str, place: (f64, f64), size: f64, colour: RGBColor, anchor: HPos) -> Outcome<DB::ErrorType> {
        let style = self.style(size).color(&colour).pos(Pos::new(anchor, VPos::Top));
        self.area.draw(&Text::new(text.to_owned(), self.place(place), style))
    }

    fn width(&self, text: &str, size: f64) -> Result<f64, plotters::prelude::DrawingAreaErrorKind<DB::ErrorType>> {
        let (width, _) = self.area.estimate_text_size(text, &self.style(size))?;
        Ok(f64::from(width) / self.scale)
    }

    fn style(&self, size: f64) -> TextStyle<'static> {
        ("sans-serif", size * self.scale).into_font().into()
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }
}

/// 1, 2, 2.5 or 5 times a power of ten, not below the step that is asked for.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|times| times * power >= step * 0.999);
    times.unwrap_or(10.0) * power
}

fn register() -> io::Result<()> {
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| io::Error::other("the chart's font cannot be read"))
}

fn broken<E: std::error::Error + Send + Sync>(error: &plotters::prelude::DrawingAreaErrorKind<E>) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_axis_are_round() {
        for (asked, step) in [(40_000.0, 50_000.0), (1.0, 1.0), (0.21, 0.25), (1_100.0, 2_000.0)] {
            assert!((round_step(asked) / step - 1.0).abs() < 1e-9, "{asked}: {}", round_step(asked));
        }
    }
}
