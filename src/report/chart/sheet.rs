//! A sheet of panels: small charts of one kind side by side, one a store or milestone, so that names and numbers stand above
//! their own chart and nothing lies on anything else, however many there are.

use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::super::wording::{count, percent};
use super::canvas::{
    COLOURS, Canvas, Draw, GREY, HEADING, INK, Outcome, PALE, Paper, ROW, TEXT, TITLE, fit, height, round_step, width,
    wrapped,
};
use super::dates::Dates;
use super::{Mark, Point};

/// More panels than these are not drawn; the sheet says so.
pub(super) const MOST_PANELS: usize = 48;

const EDGE: f64 = 10.0;
const GAP: f64 = 26.0;
const ABOVE: f64 = 24.0;
const BELOW: f64 = 32.0;
const SAMPLE: f64 = 28.0;
/// No column is narrower.
const COLUMN: f64 = 250.0;

/// Panels with what they share.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// How to read the panels.
    pub(super) key: Vec<(Sign, String)>,
    pub(super) panels: Vec<Panel>,
    /// Panels side by side, where there is room.
    pub(super) columns: usize,
    /// The first and the last day of the axis.
    pub(super) days: (f64, f64),
    pub(super) dates: Dates,
}

/// What a sign looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A strong line with a band around it.
    Band,
    /// A thin grey line.
    Thin,
    /// A level, in dashes.
    Level,
    /// An upright line.
    Upright,
    /// A full bar.
    Full,
    /// A pale bar.
    Faint,
    /// A triangle at the axis.
    Triangle,
    /// None: a sentence.
    Nothing,
}

/// One small chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) name: String,
    /// Sentences below the name.
    pub(super) notes: Vec<String>,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Plot(Plot),
    /// Parts of a whole, in order: a name, a share of 1, and a number that is always the name's, for its colour; and the
    /// same by day.
    Parts(Vec<(String, f64, usize)>, Plot),
    /// The notes say all that there is to say.
    Nothing,
}

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

/// Where everything lies on a paper.
struct Layout {
    title: Vec<String>,
    subtitle: Vec<String>,
    key: Vec<(f64, f64, Sign, String)>,
    panels: Vec<Placed>,
    column: f64,
    height: f64,
}

struct Placed {
    x: f64,
    y: f64,
    name: String,
    notes: Vec<String>,
    /// Above the body.
    top: f64,
}

impl Sheet {
    fn layout(&self, paper: Paper) -> Layout {
        let room = paper.width() - 2.0 * EDGE;
        let fitting = ((room + GAP) / (COLUMN + GAP)).floor().max(1.0) as usize;
        let columns = self.columns.min(fitting).min(self.panels.len()).max(1);
        let column = (room - GAP * (columns - 1) as f64) / columns as f64;
        let (title, subtitle) = if paper.titled {
            (wrapped(&self.title, TITLE, room), wrapped(&self.subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let mut y = EDGE + title.len() as f64 * height(TITLE) + subtitle.len() as f64 * ROW;
        let key = self.place_key(room, &mut y);
        let mut panels = Vec::new();
        for row in self.panels.chunks(columns) {
            let notes: Vec<Vec<String>> = row
                .iter()
                .map(|panel| panel.notes.iter().flat_map(|note| wrapped(note, TEXT, column)).collect())
                .collect();
            let lines = notes.iter().map(Vec::len).max().unwrap_or(0) as f64;
            let top = y + 12.0 + height(HEADING) + lines * ROW;
            for (place, (panel, notes)) in row.iter().zip(notes).enumerate() {
                let x = EDGE + place as f64 * (column + GAP);
                panels.push(Placed { x, y: y + 12.0, name: fit(&panel.name, HEADING, column), notes, top });
            }
            y = top + row.iter().map(|panel| body_height(&panel.body, column)).fold(0.0, f64::max);
        }
        Layout { title, subtitle, key, panels, column, height: y + EDGE }
    }

    fn place_key(&self, room: f64, y: &mut f64) -> Vec<(f64, f64, Sign, String)> {
        let mut placed = Vec::new();
        let mut x = 0.0;
        for (sign, text) in &self.key {
            let sample = if *sign == Sign::Nothing { 0.0 } else { SAMPLE + 6.0 };
            let lines = wrapped(text, TEXT, room - sample);
            let widest = lines.iter().map(|line| width(line, TEXT)).fold(0.0, f64::max);
            if x > 0.0 && (x + sample + widest > room || lines.len() > 1) {
                (x, *y) = (0.0, *y + ROW);
            }
            for (number, line) in lines.iter().enumerate() {
                let sign = if number == 0 { *sign } else { Sign::Nothing };
                if number > 0 {
                    *y += ROW;
                }
                placed.push((EDGE + x, *y, sign, line.clone()));
                if number > 0
                    && let Some(last) = placed.last_mut()
                {
                    last.0 += sample;
                }
            }
            x += sample + widest + 24.0;
        }
        if !placed.is_empty() {
            *y += ROW;
        }
        placed
    }
}

fn body_height(body: &Body, column: f64) -> f64 {
    match body {
        Body::Plot(_) => ABOVE + plot_height(column) + BELOW,
        Body::Parts(parts, _) => parts_height(parts, column) + ABOVE + plot_height(column) + BELOW,
        Body::Nothing => 0.0,
    }
}

fn plot_height(column: f64) -> f64 {
    (column * 0.3).clamp(96.0, 170.0)
}

fn parts_height(parts: &[(String, f64, usize)], column: f64) -> f64 {
    34.0 + part_lines(parts, column).len() as f64 * ROW
}

/// The colour of a part. Where the colours are all used, they come again paler.
fn part_colour(number: usize) -> (RGBColor, f64) {
    (COLOURS[number % COLOURS.len()], if (number / COLOURS.len()).is_multiple_of(2) { 1.0 } else { 0.5 })
}

/// The names and shares of the parts, in lines.
fn part_lines(parts: &[(String, f64, usize)], column: f64) -> Vec<String> {
    let told: Vec<String> = parts.iter().map(|(name, share, _)| format!("{name} {}", percent(*share))).collect();
    wrapped(&told.join(", "), TEXT, column)
}

impl Draw for Sheet {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK)?;
        let below = EDGE + layout.title.len() as f64 * height(TITLE);
        canvas.lines(&layout.subtitle, (EDGE, below), TEXT, GREY)?;
        for (x, y, sign, text) in &layout.key {
            let sample = canvas.sign(*sign, (*x, *y))?;
            canvas.text(text, (x + sample, *y), TEXT, GREY, HPos::Left)?;
        }
        for (panel, placed) in self.panels.iter().zip(&layout.panels) {
            canvas.text(&placed.name, (placed.x, placed.y), HEADING, INK, HPos::Left)?;
            canvas.lines(&placed.notes, (placed.x, placed.y + height(HEADING)), TEXT, GREY)?;
            match &panel.body {
                Body::Plot(plot) => self.plot(canvas, plot, (placed.x, placed.top), layout.column)?,
                Body::Parts(parts, days) => {
                    canvas.parts(parts, (placed.x, placed.top), layout.column)?;
                    let below = placed.top + parts_height(parts, layout.column);
                    self.plot(canvas, days, (placed.x, below), layout.column)?;
                }
                Body::Nothing => {}
            }
        }
        Ok(())
    }
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
}

impl Sheet {
    fn plot<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        plot: &Plot,
        (x, y): (f64, f64),
        column: f64,
    ) -> Outcome<DB::ErrorType> {
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
        canvas.text(&fit(&plot.unit, TEXT, column), (x, y + 2.0), TEXT, GREY, HPos::Left)?;
        for (value, text) in &labels {
            let height = frame.y(*value);
            canvas.path(&[(frame.left, height), (frame.right, height)], if *value > 0.0 { PALE } else { INK }, 1.0)?;
            canvas.text(text, (frame.left - 8.0, height - 8.0), TEXT, GREY, HPos::Right)?;
        }
        self.ticks(canvas, &frame)?;
        for upright in &plot.uprights {
            canvas.path(&[(frame.x(*upright), frame.top), (frame.x(*upright), frame.bottom)], GREY, 1.0)?;
        }
        for bar in &plot.bars {
            let (left, right) = (frame.x(bar.from) + 0.5, (frame.x(bar.to) - 0.5).max(frame.x(bar.from) + 1.5));
            let opacity = if bar.is_full { 1.0 } else { 0.4 };
            canvas.rectangle((left, frame.y(bar.value)), (right, frame.bottom), COLOURS[0], opacity)?;
        }
        for (day, stack) in plot.stacks.iter().enumerate() {
            canvas.stack(&frame, day as f64, stack)?;
        }
        if let Some(level) = plot.level {
            canvas.dashes(frame.left, frame.right, frame.y(level))?;
        }
        canvas.line(&frame, &plot.thin, GREY, 1.0)?;
        if plot.band.len() > 1 {
            let upper = plot.band.iter().map(|point| (frame.x(point.day), frame.y(point.high)));
            let lower = plot.band.iter().rev().map(|point| (frame.x(point.day), frame.y(point.low)));
            canvas.polygon(upper.chain(lower), COLOURS[0])?;
        }
        canvas.line(&frame, &plot.band, COLOURS[0], 2.5)?;
        if let Some(day) = plot.triangle {
            canvas.triangle((frame.x(day), frame.bottom + 5.0))?;
        }
        Ok(())
    }

    /// The dates below a panel: those at its edges stay within it.
    fn ticks<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: &Frame) -> Outcome<DB::ErrorType> {
        let (from, to) = self.days;
        let each = width("Oct 29", TEXT) + 14.0;
        let most = ((frame.right - frame.left) / each).floor().max(1.0) as usize;
        for Mark { day, text } in self.dates.ticks(from, to, most, false) {
            let x = frame.x(day);
            canvas.path(&[(x, frame.bottom), (x, frame.bottom + 5.0)], INK, 1.0)?;
            let half = width(&text, TEXT) / 2.0;
            let middle = x.min(frame.right + 6.0 - half).max(frame.left - 8.0 + half);
            canvas.text(&text, (middle, frame.bottom + 11.0), TEXT, GREY, HPos::Center)?;
        }
        Ok(())
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

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn line(&self, frame: &Frame, points: &[Point], colour: RGBColor, width: f64) -> Outcome<DB::ErrorType> {
        let places: Vec<(f64, f64)> = points.iter().map(|point| (frame.x(point.day), frame.y(point.middle))).collect();
        match places[..] {
            [] => Ok(()),
            // A single day.
            [(x, y)] => self.path(&[((x - 9.0).max(frame.left), y), ((x + 9.0).min(frame.right), y)], colour, width),
            _ => self.path(&places, colour, width),
        }
    }

    /// Draws a sign of the key and returns the room that it takes.
    fn sign(
        &self,
        sign: Sign,
        (x, y): (f64, f64),
    ) -> Result<f64, plotters::prelude::DrawingAreaErrorKind<DB::ErrorType>> {
        let (middle, end) = (y + 8.0, x + SAMPLE);
        match sign {
            Sign::Nothing => return Ok(0.0),
            Sign::Band => {
                self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 0.22)?;
                self.path(&[(x, middle), (end, middle)], COLOURS[0], 2.5)?;
            }
            Sign::Thin => self.path(&[(x, middle), (end, middle)], GREY, 1.0)?,
            Sign::Level => self.dashes(x, end, middle)?,
            Sign::Upright => {
                self.path(&[(x + SAMPLE / 2.0, middle - 7.0), (x + SAMPLE / 2.0, middle + 7.0)], GREY, 1.0)?;
            }
            Sign::Full => self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 1.0)?,
            Sign::Faint => self.rectangle((x, middle - 6.0), (end, middle + 6.0), COLOURS[0], 0.4)?,
            Sign::Triangle => self.triangle((x + SAMPLE / 2.0, middle))?,
        }
        Ok(SAMPLE + 6.0)
    }

    /// A day's values one above the other.
    fn stack(&self, frame: &Frame, day: f64, stack: &[(f64, usize)]) -> Outcome<DB::ErrorType> {
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
                self.rectangle((left, top + gap), (right, bottom), colour, opacity)?;
            }
        }
        Ok(())
    }

    /// One bar, cut into its parts, and their names in the same order.
    fn parts(&self, parts: &[(String, f64, usize)], (x, y): (f64, f64), column: f64) -> Outcome<DB::ErrorType> {
        let mut from = x;
        for (_, share, number) in parts {
            let to = (from + column * share).min(x + column);
            // White lines tell neighbours apart without colour.
            let (colour, opacity) = part_colour(*number);
            if to - from >= 1.0 {
                self.rectangle((from, y + 6.0), ((to - 1.5).max(from + 1.0), y + 26.0), colour, opacity)?;
            }
            from = to;
        }
        self.lines(&part_lines(parts, column), (x, y + 32.0), TEXT, INK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::scenario;

    fn sheet(panels: usize) -> Sheet {
        let name = |number: usize| format!("a-cluster-with-a-name-that-is-much-longer-than-its-panel-{number}");
        let plot = || Body::Plot(Plot { unit: "%".into(), most: 45.0, level: Some(40.0), ..Plot::default() });
        let notes = || vec!["first mailbox: Oct 10; full (40 %): later than anybody can say".to_owned()];
        Sheet {
            title: "Fill".into(),
            subtitle: "medians".into(),
            key: vec![
                (Sign::Band, "fill".into()),
                (Sign::Level, "full at".into()),
                (Sign::Nothing, "a sentence ".repeat(20)),
            ],
            panels: (0..panels).map(|number| Panel { name: name(number), notes: notes(), body: plot() }).collect(),
            columns: 3,
            days: (0.0, 30.0),
            dates: Dates::new(&scenario(), 30.0),
        }
    }

    #[test]
    fn panels_lie_beside_and_below_each_other_within_the_paper() {
        super::super::canvas::register().unwrap();
        for paper in [Paper::FILE, Paper::PAGE, Paper::PHONE] {
            let sheet = sheet(7);
            let layout = sheet.layout(paper);
            let boxes: Vec<_> = layout
                .panels
                .iter()
                .zip(&sheet.panels)
                .map(|(placed, panel)| {
                    (placed.x, placed.y, placed.x + layout.column, placed.top + body_height(&panel.body, layout.column))
                })
                .collect();
            for (number, one) in boxes.iter().enumerate() {
                assert!(one.0 >= 0.0 && one.2 <= paper.width() && one.3 <= layout.height, "{one:?}");
                let apart = |other: &(f64, f64, f64, f64)| {
                    one.2 <= other.0 || other.2 <= one.0 || one.3 <= other.1 || other.3 <= one.1
                };
                assert!(boxes[number + 1..].iter().all(apart), "panel {number} on {paper:?}");
            }
            for placed in &layout.panels {
                assert!(width(&placed.name, HEADING) <= layout.column && placed.name.ends_with('…'), "{}", placed.name);
                assert!(placed.notes.iter().all(|line| width(line, TEXT) <= layout.column), "{:?}", placed.notes);
            }
            for (x, _, _, text) in &layout.key {
                assert!(x + width(text, TEXT) <= paper.width(), "{text}");
            }
        }
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
