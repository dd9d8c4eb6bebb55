//! What a panel's plot shows, and how it is drawn.

use plotters::prelude::RGBColor;
use plotters::style::text_anchor::HPos;

use super::super::wording::{count, percent};
use super::canvas::{COLOURS, Canvas, GREY, INK, PALE, ROW, TEXT, fit, round_step, width, wrapped};
use super::dates::Room;
use super::sheet::{SAMPLE, Sheet, Sign};
use super::{Mark, Point};

/// Room above a plot for its unit, and below it for its dates.
pub(super) const ABOVE: f64 = 24.0;
pub(super) const BELOW: f64 = 32.0;
/// A series of one day is at least so wide.
const DAY_LEAST: f64 = 12.0;

/// Quantities over days.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plot {
    pub(super) unit: String,
    /// Where the upright axis ends.
    pub(super) most: f64,
    pub(super) band: Vec<Point>,
    pub(super) thin: Vec<Point>,
    pub(super) level: Option<f64>,
    pub(super) uprights: Vec<f64>,
    pub(super) bars: Vec<Bar>,
    /// Values one above the other for each day from the first, with the numbers of their parts.
    pub(super) stacks: Vec<Vec<(f64, usize)>>,
    pub(super) triangle: Option<f64>,
}

/// A bar from one day to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) value: f64,
    pub(super) is_full: bool,
}

pub(super) fn plot_height(column: f64) -> f64 {
    (column * 0.3).clamp(96.0, 170.0)
}

pub(super) fn parts_height(parts: &[(String, f64, usize)], column: f64) -> f64 {
    34.0 + part_lines(parts, column).len() as f64 * ROW
}

/// The names and shares of the parts, in lines.
fn part_lines(parts: &[(String, f64, usize)], column: f64) -> Vec<String> {
    let told: Vec<String> = parts.iter().map(|(name, share, _)| format!("{name} {}", percent(*share))).collect();
    wrapped(&told.join(", "), TEXT, column)
}

/// The colour of a part. Where the colours are all used, they come again paler.
fn part_colour(number: usize) -> (RGBColor, f64) {
    (COLOURS[number % COLOURS.len()], if (number / COLOURS.len()).is_multiple_of(2) { 1.0 } else { 0.5 })
}

/// Where days and values of a panel lie.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    days: (f64, f64),
    most: f64,
}

impl Frame {
    fn x(&self, day: f64) -> f64 {
        let (from, to) = self.days;
        self.left + (self.right - self.left) * (day.clamp(from, to) - from) / (to - from)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * value.clamp(0.0, self.most) / self.most
    }

    /// From where to where the day of a single point is drawn: all of it, and never too narrow to be seen.
    fn day(&self, point: Point) -> (f64, f64) {
        let from = (point.day.ceil() - 1.0).max(self.days.0);
        let (left, right) = (self.x(from), self.x(from + 1.0));
        let more = ((DAY_LEAST - (right - left)) / 2.0).max(0.0);
        ((left - more).max(self.left), (right + more).min(self.right))
    }
}

impl Sheet {
    pub(super) fn plot(&self, canvas: &mut Canvas, plot: &Plot, (x, y): (f64, f64), column: f64) {
        let labels = steps(plot.most);
        let widest = labels.iter().map(|(_, text)| width(text, TEXT)).fold(0.0, f64::max);
        let top = y + ABOVE;
        let frame = Frame {
            left: x + widest + 8.0,
            right: x + column - 6.0,
            top,
            bottom: top + plot_height(column),
            days: self.days,
            most: plot.most,
        };
        canvas.text(&fit(&plot.unit, TEXT, column), (x, y + 2.0), TEXT, GREY, HPos::Left);
        for (value, text) in &labels {
            let height = frame.y(*value);
            canvas.path(&[(frame.left, height), (frame.right, height)], if *value > 0.0 { PALE } else { INK }, 1.0);
            canvas.text(text, (frame.left - 8.0, height - 8.0), TEXT, GREY, HPos::Right);
        }
        self.ticks(canvas, &frame);
        for upright in &plot.uprights {
            canvas.path(&[(frame.x(*upright), frame.top), (frame.x(*upright), frame.bottom)], GREY, 1.0);
        }
        for bar in &plot.bars {
            let (left, right) = (frame.x(bar.from) + 0.5, (frame.x(bar.to) - 0.5).max(frame.x(bar.from) + 1.5));
            let opacity = if bar.is_full { 1.0 } else { 0.4 };
            canvas.rectangle((left, frame.y(bar.value)), (right, frame.bottom), COLOURS[0], opacity);
        }
        for (day, stack) in plot.stacks.iter().enumerate() {
            canvas.stack(&frame, day as f64, stack);
        }
        if let Some(level) = plot.level {
            canvas.dashes(frame.left, frame.right, frame.y(level));
        }
        canvas.line(&frame, &plot.thin, GREY, 1.0);
        if let [point] = plot.band[..] {
            let (left, right) = frame.day(point);
            canvas.rectangle((left, frame.y(point.high)), (right, frame.y(point.low)), COLOURS[0], 0.22);
        } else if !plot.band.is_empty() {
            let upper = plot.band.iter().map(|point| (frame.x(point.day), frame.y(point.high)));
            let lower = plot.band.iter().rev().map(|point| (frame.x(point.day), frame.y(point.low)));
            canvas.polygon(upper.chain(lower), COLOURS[0]);
        }
        canvas.line(&frame, &plot.band, COLOURS[0], 2.5);
        if let Some(day) = plot.triangle {
            canvas.triangle((frame.x(day), frame.bottom + 5.0));
        }
    }

    /// The dates below a panel: those at its edges stay within it.
    fn ticks(&self, canvas: &mut Canvas, frame: &Frame) {
        let (from, to) = self.days;
        let room = Room { axis: (frame.left, frame.right), within: (frame.left - 8.0, frame.right + 6.0) };
        for Mark { day, text } in self.dates.ticks((from, to), room, false) {
            let x = frame.x(day);
            canvas.path(&[(x, frame.bottom), (x, frame.bottom + 5.0)], INK, 1.0);
            canvas.text(&text, (room.middle(x, &text), frame.bottom + 11.0), TEXT, GREY, HPos::Center);
        }
    }
}

/// The values at which an axis has a line: nothing, and two to four round ones.
fn steps(most: f64) -> Vec<(f64, String)> {
    let step = round_step(most / 4.0);
    let exact =
        |digits: &usize| format!("{step:.digits$}").parse::<f64>().is_ok_and(|read| (read - step).abs() < step * 1e-6);
    let digits = (0..9).find(exact).unwrap_or(9);
    let text = |value: f64| match digits {
        _ if value == 0.0 => "0".to_owned(),
        0 => count(value),
        digits => format!("{value:.digits$}"),
    };
    let values = (0..=4).map(|times| f64::from(times) * step);
    values.filter(|value| *value <= most * 1.000_001).map(|value| (value, text(value))).collect()
}

impl Canvas {
    fn line(&mut self, frame: &Frame, points: &[Point], colour: RGBColor, width: f64) {
        match *points {
            [] => {}
            // A line needs two ends: those of the day.
            [point] => {
                let ((left, right), height) = (frame.day(point), frame.y(point.middle));
                self.path(&[(left, height), (right, height)], colour, width);
            }
            _ => {
                let places: Vec<_> = points.iter().map(|point| (frame.x(point.day), frame.y(point.middle))).collect();
                self.path(&places, colour, width);
            }
        }
    }

    /// Draws a sign of the key and returns the room that it takes.
    pub(super) fn sign(&mut self, sign: Sign, (x, y): (f64, f64)) -> f64 {
        let (middle, end) = (y + 8.0, x + SAMPLE);
        match sign {
            Sign::Nothing => return 0.0,
            Sign::Band => {
                self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 0.22);
                self.path(&[(x, middle), (end, middle)], COLOURS[0], 2.5);
            }
            Sign::Thin => self.path(&[(x, middle), (end, middle)], GREY, 1.0),
            Sign::Level => self.dashes(x, end, middle),
            Sign::Upright => {
                self.path(&[(x + SAMPLE / 2.0, middle - 7.0), (x + SAMPLE / 2.0, middle + 7.0)], GREY, 1.0);
            }
            Sign::Full => self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 1.0),
            Sign::Faint => self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 0.4),
            Sign::Triangle => self.triangle((x + SAMPLE / 2.0, middle)),
        }
        SAMPLE + 6.0
    }

    /// A day's values one above the other.
    fn stack(&mut self, frame: &Frame, day: f64, stack: &[(f64, usize)]) {
        let (left, right) = (frame.x(day), frame.x(day + 1.0));
        // Columns that are wide enough stand apart.
        let right = if right - left > 5.0 { right - 1.0 } else { right };
        let mut sum = 0.0;
        for (value, number) in stack {
            let (bottom, top) = (frame.y(sum), frame.y(sum + value));
            sum += value;
            if bottom - top >= 0.5 {
                let (colour, opacity) = part_colour(*number);
                let gap = if bottom - top > 4.0 { 1.0 } else { 0.0 };
                self.rectangle((left, top + gap), (right, bottom), colour, opacity);
            }
        }
    }

    /// One bar, cut into its parts, and their names in the same order.
    pub(super) fn parts(&mut self, parts: &[(String, f64, usize)], (x, y): (f64, f64), column: f64) {
        let mut from = x;
        for (_, share, number) in parts {
            let to = (from + column * share).min(x + column);
            // White lines tell neighbours apart without colour.
            let (colour, opacity) = part_colour(*number);
            if to - from >= 1.0 {
                self.rectangle((from, y + 6.0), ((to - 1.5).max(from + 1.0), y + 26.0), colour, opacity);
            }
            from = to;
        }
        self.lines(&part_lines(parts, column), (x, y + 32.0), TEXT, INK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_of_one_day_is_as_wide_as_the_day_and_can_be_seen() {
        let frame = |to: f64| Frame { left: 30.0, right: 330.0, top: 0.0, bottom: 100.0, days: (0.0, to), most: 1.0 };
        let point = |day: f64| Point { day, low: 0.2, middle: 0.5, high: 0.7 };
        // Means of a day stand at its middle, what is there at its end stands there.
        assert_eq!(frame(1.0).day(point(0.5)), (30.0, 330.0));
        assert_eq!(frame(1.0).day(point(1.0)), (30.0, 330.0));
        assert_eq!(frame(10.0).day(point(0.5)), (30.0, 60.0));
        let (left, right) = frame(100.0).day(point(1.0));
        assert!((left - 30.0).abs() < 1e-9 && right >= 30.0 + 7.0, "{left} to {right}");
    }

    #[test]
    fn labels_of_an_axis_are_exact() {
        let texts = |most: f64| steps(most).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(45.0), ["0", "20", "40"]);
        assert_eq!(texts(0.7), ["0", "0.2", "0.4", "0.6"]);
        assert_eq!(texts(0.09), ["0", "0.025", "0.050", "0.075"]);
        assert_eq!(texts(0.06), ["0", "0.02", "0.04", "0.06"]);
        assert_eq!(texts(3_000.0), ["0", "1,000", "2,000", "3,000"]);
    }
}
