//! Drawing the burn-down chart with plotters, in pixels of the SVG times a scale.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, Color, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, PathElement, Polygon, RGBColor,
    Rectangle, SVGBackend, Text, TextStyle, TriangleMarker, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::super::wording::{count, figure};
use super::{Burndown, HEIGHT, HeadLine, Mark, Names, Point, WIDTH};

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
        let above = canvas.rows(&self.marks, self.last_day)?;
        let below = canvas.rows(&self.expectations, self.last_day)?;
        let rows = |rows: &[Placed]| rows.iter().map(|placed| placed.row + 1).max().unwrap_or(0) as f64 * ROW;
        let nearest = TITLE + rows(&above) - ROW;
        let frame = Frame {
            top: nearest + ROW + 12.0,
            bottom: f64::from(HEIGHT) - DATES - rows(&below) - 24.0,
            last_day: self.last_day,
            most: self.most * 1.05,
        };
        canvas.text(&self.title, (LEFT, 14.0), 20.0, INK, HPos::Left)?;
        canvas.text(&self.subtitle, (LEFT, 42.0), 13.0, GREY, HPos::Left)?;
        for (mark, placed) in self.expectations.iter().zip(&below) {
            let x = frame.x(mark.day);
            let y = frame.bottom + DATES + 6.0 + placed.row as f64 * ROW;
            canvas.path(&[(x, frame.bottom), (x, y)], INK, 1.0)?;
        }
        for (mark, placed) in self.expectations.iter().zip(&below) {
            canvas.label(&mark.text, placed, frame.bottom + DATES + 8.0 + placed.row as f64 * ROW)?;
        }
        self.axes(canvas, &frame)?;
        for (mark, placed) in self.marks.iter().zip(&above) {
            let (x, y) = (frame.x(mark.day), nearest - placed.row as f64 * ROW);
            canvas.path(&[(x, y + ROW - 2.0), (x, frame.bottom)], GREY, 1.0)?;
        }
        for (mark, placed) in self.marks.iter().zip(&above) {
            canvas.label(&mark.text, placed, nearest - placed.row as f64 * ROW)?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            canvas.band(&frame, line, COLOURS[number % COLOURS.len()])?;
        }
        match self.names {
            Names::BesideLines => {
                let mut taken = Vec::new();
                let upright: Vec<f64> = above.iter().map(|placed| placed.line).collect();
                for (number, line) in self.lines.iter().enumerate() {
                    canvas.name(&frame, line, COLOURS[number % COLOURS.len()], &upright, &mut taken)?;
                }
            }
            Names::InARow => self.legend(canvas)?,
        }
        for mark in &self.expectations {
            canvas.triangle((frame.x(mark.day), frame.bottom - 6.0))?;
        }
        Ok(())
    }

    /// The names of the lines, from the right edge on, as many as there is room for.
    fn legend<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        let mut end = f64::from(WIDTH) - RIGHT;
        for (number, line) in self.lines.iter().enumerate().rev() {
            let start = end - canvas.width(&line.name, 15.0)?;
            if start < f64::from(WIDTH) / 2.0 {
                return Ok(());
            }
            let colour = COLOURS[number % COLOURS.len()];
            canvas.path(&[(start - 28.0, 50.0), (start - 8.0, 50.0)], colour, 2.5)?;
            canvas.text(&line.name, (start, 41.0), 15.0, colour, HPos::Left)?;
            end = start - 48.0;
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
            let text = if step.fract() == 0.0 { count(value) } else { figure(value) };
            canvas.text(&text, (LEFT - 8.0, y - 8.0), 13.0, GREY, HPos::Right)?;
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
        canvas.text(&self.unit, (LEFT - 8.0, frame.top - 22.0), 13.0, GREY, HPos::Right)
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

/// Where a label lies: the line that leads to it, its ends, and its row, counted outwards from the plot.
struct Placed {
    line: f64,
    x: f64,
    end: f64,
    row: usize,
}

impl Placed {
    const fn at(&self, row: usize) -> Self {
        Self { row, ..*self }
    }

    /// Whether the two labels lie on each other.
    fn covers(&self, other: &Self) -> bool {
        self.row == other.row && self.x < other.end + 12.0 && other.x < self.end + 12.0
    }

    /// Whether the line to one of them runs through the other.
    fn crosses(&self, other: &Self) -> bool {
        let through = |line: f64, label: &Self| label.x - 3.0 < line && line < label.end + 3.0;
        (self.row < other.row && through(other.line, self)) || (self.row > other.row && through(self.line, other))
    }
}

struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    scale: f64,
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    /// Puts each label beside its day, in the row nearest to the plot where it meets no other label and, where that can be,
    /// no line between a label and the plot runs through another. The last label is placed first: an earlier one then lies further out where
    /// it reaches over a later line.
    fn rows(
        &self,
        marks: &[Mark],
        last_day: f64,
    ) -> Result<Vec<Placed>, plotters::prelude::DrawingAreaErrorKind<DB::ErrorType>> {
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by(|a, b| marks[*b].day.total_cmp(&marks[*a].day));
        let mut placed: Vec<(usize, Placed)> = Vec::new();
        for number in order {
            let width = self.width(&marks[number].text, 13.0)?;
            let line = at(marks[number].day, last_day);
            let x = (line + 4.0).min(f64::from(WIDTH) - RIGHT - width).max(LEFT);
            let mut label = Placed { line, x, end: x + width, row: 0 };
            let clear =
                |row| placed.iter().all(|(_, other)| !label.at(row).covers(other) && !label.at(row).crosses(other));
            let apart = |row| placed.iter().all(|(_, other)| !label.at(row).covers(other));
            // One row more than there are labels is always free of them.
            let rows = 0..=marks.len();
            label.row =
                rows.clone().find(|row| clear(*row)).or(rows.clone().find(|row| apart(*row))).unwrap_or(marks.len());
            placed.push((number, label));
        }
        placed.sort_by_key(|(number, _)| *number);
        Ok(placed.into_iter().map(|(_, placed)| placed).collect())
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

    /// Writes the head's name beside its line, at the first height where it meets no other name
    /// and, where that can be, no upright line.
    fn name(
        &self,
        frame: &Frame,
        line: &HeadLine,
        colour: RGBColor,
        lines: &[f64],
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
        let crossed = |place: &(f64, f64)| lines.iter().any(|x| place.0 - 3.0 < *x && *x < place.0 + width + 3.0);
        let places: Vec<(f64, f64)> =
            [0.6, 0.75, 0.45, 0.9, 0.3, 0.15].into_iter().filter_map(beside).filter(free).collect();
        let place = places.iter().find(|place| !crossed(place)).or(places.first()).copied();
        let place = place.unwrap_or((LEFT + 8.0, frame.y(start) - 20.0));
        taken.push((place.0, place.1, width));
        self.text(&line.name, place, 15.0, colour, HPos::Left)
    }

    /// A label that interrupts any line behind it.
    fn label(&self, text: &str, placed: &Placed, y: f64) -> Outcome<DB::ErrorType> {
        self.blank((placed.x - 2.0, y - 1.0), (placed.end + 2.0, y + ROW - 3.0))?;
        self.text(text, (placed.x, y), 13.0, INK, HPos::Left)
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
    fn labels_and_their_lines_keep_apart() {
        let mut pixels = vec![0; (WIDTH * HEIGHT * 3) as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, HEIGHT)).into_drawing_area();
        register().unwrap();
        let canvas = Canvas { area: &area, scale: 1.0 };
        let apart = |placed: &[Placed]| placed.iter().all(|one| placed.iter().all(|other| !one.crosses(other)));
        // Crowded in the middle, and at the right edge, where labels move to the left of their lines.
        let days = [0.0, 10.0, 10.5, 11.0, 27.0, 29.0, 30.0];
        let marks = days.map(|day| Mark { day, text: format!("something is emptied: {day}") });
        let placed = canvas.rows(&marks, 30.0).unwrap();
        for (number, one) in placed.iter().enumerate() {
            assert!(one.x >= LEFT && one.end <= f64::from(WIDTH) - RIGHT);
            assert!(placed[number + 1..].iter().all(|other| !one.covers(other)), "label {number}");
        }
        assert!(apart(&canvas.rows(&marks[..4], 30.0).unwrap()), "a line runs through a label that has room elsewhere");
    }

    #[test]
    fn steps_of_an_axis_are_round() {
        for (asked, step) in [(40_000.0, 50_000.0), (1.0, 1.0), (0.21, 0.25), (1_100.0, 2_000.0)] {
            assert!((round_step(asked) / step - 1.0).abs() < 1e-9, "{asked}: {}", round_step(asked));
        }
    }
}
