//! Drawing the burn-down chart, on a paper of any width.

use plotters::prelude::RGBColor;
use plotters::style::text_anchor::HPos;

use super::super::super::wording::{count, figure};
use super::super::canvas::{
    COLOURS, Canvas, Draw, GREY, HEADING, INK, PALE, Paper, ROW, TEXT, TITLE, fit, height, round_step, width, wrapped,
};
use super::super::dates::Room;
use super::super::{Mark, Point};
use super::{Axis, Burndown, HeadLine, Names};

const EDGE: f64 = 14.0;
/// Height of the labels of dates.
const DATES: f64 = 30.0;

/// Where days and mailboxes lie, and the labels above and below.
struct Layout {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    last_day: f64,
    most: f64,
    title: Vec<String>,
    subtitle: Vec<String>,
    legend: Vec<(f64, f64, usize)>,
    above: Vec<Placed>,
    /// The top of the row of labels that is nearest to the plot.
    nearest: f64,
    below: Vec<Placed>,
    height: f64,
}

impl Layout {
    fn x(&self, day: f64) -> f64 {
        self.left + (self.right - self.left) * day.clamp(0.0, self.last_day) / self.last_day
    }

    fn y(&self, mailboxes: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * mailboxes / self.most
    }

    /// Puts each label beside its day, in the row nearest to the plot where it meets no other label and, where that can be,
    /// no line between a label and the plot runs through another. The last label is placed first: an earlier one then lies
    /// further out where it reaches over a later line.
    fn rows(&self, marks: &[Mark]) -> Vec<Placed> {
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by(|a, b| marks[*b].day.total_cmp(&marks[*a].day));
        let mut placed: Vec<(usize, Placed)> = Vec::new();
        let left = EDGE;
        for number in order {
            let text = fit(&marks[number].text, TEXT, self.right - left);
            let width = width(&text, TEXT);
            let line = self.x(marks[number].day);
            let x = (line + 4.0).min(self.right - width).max(left);
            let mut label = Placed { text, line, x, end: x + width, row: 0 };
            let at = |row| Placed { row, ..label.clone() };
            let clear = |row| placed.iter().all(|(_, other)| !at(row).covers(other) && !at(row).crosses(other));
            let apart = |row| placed.iter().all(|(_, other)| !at(row).covers(other));
            // One row more than there are labels is always free of them.
            let mut rows = 0..=marks.len();
            let row = rows.clone().find(|row| clear(*row)).or(rows.find(|row| apart(*row)));
            label.row = row.unwrap_or(marks.len());
            placed.push((number, label));
        }
        placed.sort_by_key(|(number, _)| *number);
        placed.into_iter().map(|(_, placed)| placed).collect()
    }
}

/// Where a label lies: the line that leads to it, its ends, and its row, counted outwards from the plot.
#[derive(Clone, Debug)]
struct Placed {
    text: String,
    line: f64,
    x: f64,
    end: f64,
    row: usize,
}

impl Placed {
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

impl Burndown {
    fn layout(&self, paper: Paper) -> Layout {
        let room = paper.width() - 2.0 * EDGE;
        let labels = self.steps().into_iter().map(|(_, text)| width(&text, TEXT)).fold(0.0, f64::max);
        let (title, subtitle) = if paper.titled {
            (wrapped(&self.title, TITLE, room), wrapped(&self.subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let mut layout = Layout {
            left: EDGE + labels + 8.0,
            right: paper.width() - EDGE,
            top: 0.0,
            bottom: 0.0,
            last_day: self.last_day,
            most: self.most * 1.05,
            title,
            subtitle,
            legend: Vec::new(),
            above: Vec::new(),
            nearest: 0.0,
            below: Vec::new(),
            height: 0.0,
        };
        (layout.above, layout.below) = (layout.rows(&self.marks), layout.rows(&self.expectations));
        let titles = layout.title.len() as f64 * height(TITLE) + layout.subtitle.len() as f64 * ROW;
        let (legend, legend_end) = self.place_legend(paper, EDGE + titles);
        layout.legend = legend;
        let rows = |rows: &[Placed]| rows.iter().map(|placed| placed.row + 1).max().unwrap_or(0) as f64 * ROW;
        layout.nearest = legend_end + 4.0 + rows(&layout.above) - ROW;
        // The unit stands between the labels and the plot.
        layout.top = layout.nearest + ROW + 24.0;
        layout.bottom = layout.top + (paper.width() * 0.42).clamp(230.0, 480.0);
        layout.height = layout.bottom + DATES + 8.0 + rows(&layout.below) + 6.0;
        layout
    }

    /// Names in rows, as many as they take; and where they end.
    fn place_legend(&self, paper: Paper, from: f64) -> (Vec<(f64, f64, usize)>, f64) {
        if self.names == Names::BesideLines {
            return (Vec::new(), from);
        }
        let (mut x, mut y) = (EDGE, from + 2.0);
        let mut placed = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let wide = 36.0 + width(&line.name, HEADING).min(paper.width() - 2.0 * EDGE - 36.0);
            if x > EDGE && x + wide > paper.width() - EDGE {
                (x, y) = (EDGE, y + ROW);
            }
            placed.push((x, y, number));
            x += wide + 24.0;
        }
        (placed, y + ROW)
    }

    fn steps(&self) -> Vec<(f64, String)> {
        let step = round_step(self.most / 5.0);
        let text = |value: f64| if step.fract() == 0.0 { count(value) } else { figure(value) };
        let values = (0..=10).map(|times| f64::from(times) * step);
        values.filter(|value| *value <= self.most * 1.05).map(|value| (value, text(value))).collect()
    }

    fn axes(&self, canvas: &mut Canvas, layout: &Layout) {
        for (value, text) in self.steps() {
            let y = layout.y(value);
            let colour = if value > 0.0 { PALE } else { INK };
            canvas.path(&[(layout.left, y), (layout.right, y)], colour, 1.0);
            canvas.text(&text, (layout.left - 8.0, y - 8.0), TEXT, GREY, HPos::Right);
        }
        let weekdays = canvas.paper.width() > 600.0;
        let room = Room { axis: (layout.left, layout.right), within: (4.0, canvas.paper.width() - 4.0) };
        let ticks = match &self.axis {
            Axis::Dates(dates) => dates.ticks((0.0, self.last_day), room, weekdays),
            Axis::Marks(marks) => marks.clone(),
        };
        for tick in ticks {
            let x = layout.x(tick.day);
            canvas.path(&[(x, layout.bottom), (x, layout.bottom + 6.0)], INK, 1.0);
            let (middle, half) = (room.middle(x, &tick.text), width(&tick.text, TEXT) / 2.0);
            // A label lies over the line down to an expectation.
            canvas.blank((middle - half - 3.0, layout.bottom + 8.0), (middle + half + 3.0, layout.bottom + 26.0));
            canvas.text(&tick.text, (middle, layout.bottom + 9.0), TEXT, GREY, HPos::Center);
        }
    }
}

impl Draw for Burndown {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw(&self, canvas: &mut Canvas) {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK);
        canvas.lines(&layout.subtitle, (EDGE, EDGE + layout.title.len() as f64 * height(TITLE)), TEXT, GREY);
        let lower = |placed: &Placed| layout.bottom + DATES + 8.0 + placed.row as f64 * ROW;
        for placed in &layout.below {
            canvas.path(&[(placed.line, layout.bottom), (placed.line, lower(placed) - 2.0)], INK, 1.0);
        }
        for placed in &layout.below {
            canvas.label(&placed.text, (placed.x, lower(placed)));
        }
        self.axes(canvas, &layout);
        let upper = |placed: &Placed| layout.nearest - placed.row as f64 * ROW;
        for placed in &layout.above {
            canvas.path(&[(placed.line, upper(placed) + ROW - 2.0), (placed.line, layout.bottom)], GREY, 1.0);
        }
        for placed in &layout.above {
            canvas.label(&placed.text, (placed.x, upper(placed)));
        }
        let unit = (EDGE, layout.top - 23.0);
        canvas.blank((unit.0, unit.1), (unit.0 + width(&self.unit, TEXT) + 3.0, unit.1 + ROW - 2.0));
        canvas.text(&self.unit, unit, TEXT, GREY, HPos::Left);
        let colour = |number: usize| COLOURS[number % COLOURS.len()];
        for (number, line) in self.lines.iter().enumerate() {
            canvas.band(&layout, line, colour(number));
        }
        match self.names {
            Names::BesideLines => {
                let mut taken = Vec::new();
                for (number, line) in self.lines.iter().enumerate() {
                    canvas.name(&layout, line, colour(number), &mut taken);
                }
            }
            Names::InARow => {
                for (x, y, number) in &layout.legend {
                    canvas.path(&[(*x, y + 6.5), (x + 28.0, y + 6.5)], colour(*number), 2.5);
                    let name = fit(&self.lines[*number].name, HEADING, layout.right - x - 36.0);
                    canvas.text(&name, (x + 36.0, *y), HEADING, INK, HPos::Left);
                }
            }
        }
        for mark in &self.expectations {
            canvas.triangle((layout.x(mark.day), layout.bottom - 6.0));
        }
    }
}

impl Canvas {
    fn band(&mut self, layout: &Layout, line: &HeadLine, colour: RGBColor) {
        let within: Vec<&Point> = line.points.iter().filter(|point| point.day <= layout.last_day).collect();
        let upper = within.iter().map(|point| (layout.x(point.day), layout.y(point.high)));
        let lower = within.iter().rev().map(|point| (layout.x(point.day), layout.y(point.low)));
        self.polygon(upper.chain(lower), colour);
        let middle: Vec<(f64, f64)> =
            within.iter().map(|point| (layout.x(point.day), layout.y(point.middle))).collect();
        self.path(&middle, colour, 2.5);
    }

    /// Writes the head's name beside its line, at the first height where it meets no other name and, where that can be, no
    /// upright line.
    fn name(&mut self, layout: &Layout, line: &HeadLine, colour: RGBColor, taken: &mut Vec<(f64, f64, f64)>) {
        let name = fit(&line.name, HEADING, (layout.right - layout.left) * 0.4);
        let wide = width(&name, HEADING);
        let start = line.points[0].middle;
        let beside = |share: f64| {
            let point = line.points.iter().find(|point| point.high <= start * share)?;
            Some((layout.x(point.day) + 8.0, layout.y(point.high) - 20.0))
        };
        let free = |place: &(f64, f64)| {
            let apart = |other: &(f64, f64, f64)| {
                place.0 > other.0 + other.2 || other.0 > place.0 + wide || (place.1 - other.1).abs() > 18.0
            };
            place.0 + wide < layout.right && taken.iter().all(apart)
        };
        let crossed = |place: &(f64, f64)| {
            layout.above.iter().any(|one| place.0 - 3.0 < one.line && one.line < place.0 + wide + 3.0)
        };
        let shares = [0.6, 0.75, 0.45, 0.9, 0.3, 0.15];
        let places: Vec<(f64, f64)> = shares.into_iter().filter_map(beside).filter(free).collect();
        // A line that hardly falls has room at its beginning, one below the other.
        let below = |down: u32| (layout.left + 8.0, layout.y(start) - 20.0 + f64::from(down) * ROW);
        let at_start = (0..20).map(below).find(free).unwrap_or(below(0));
        let place = places.iter().find(|place| !crossed(place)).or(places.first()).copied().unwrap_or(at_start);
        taken.push((place.0, place.1, wide));
        self.blank((place.0 - 2.0, place.1 + 1.0), (place.0 + wide + 2.0, place.1 + 18.0));
        self.text(&name, place, HEADING, colour, HPos::Left);
    }
}

#[cfg(test)]
mod tests {
    use super::super::burndown;
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn labels_and_their_lines_keep_apart() {
        let mut chart = burndown(&made(100, &|r| outcome(r, days_of(r)))).unwrap();
        let apart = |placed: &[Placed]| placed.iter().all(|one| placed.iter().all(|other| !one.crosses(other)));
        // Crowded in the middle, and at the right edge, where labels move to the left of their lines.
        let days = [0.0, 10.0, 10.5, 11.0, 27.0, 29.0, 30.0];
        chart.marks = days.map(|day| Mark { day, text: format!("something is emptied: {day}") }).to_vec();
        for paper in [Paper::FILE, Paper::PAGE, Paper::PHONE] {
            let placed = chart.layout(paper).above;
            for (number, one) in placed.iter().enumerate() {
                assert!(one.x >= 0.0 && one.end <= paper.width(), "{one:?}");
                assert!(placed[number + 1..].iter().all(|other| !one.covers(other)), "label {number}");
            }
        }
        chart.marks.truncate(4);
        assert!(apart(&chart.layout(Paper::FILE).above), "a line runs through a label that has room elsewhere");
    }
}
