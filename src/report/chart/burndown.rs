//! The burn-down chart: mailboxes still on each head over local dates, median and P10 to P90.
//!
//! Many heads get a panel each.

use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::super::standing;
use super::super::wording::{Calendar, count, figure};
use super::canvas::{
    COLOURS, Canvas, Draw, GREY, HEADING, INK, Outcome, PALE, Paper, ROW, TEXT, TITLE, fit, height, round_step, width,
    wrapped,
};
use super::dates::Dates;
use super::sheet::{Body, MOST_PANELS, Panel, Plot, Sheet, Sign};
use super::{Drawing, Mark, Point, days_since, first_of, points, subtitle};
use crate::fleet::HeadId;
use crate::forecast::Forecast;
use crate::forecast::quantile::{P10, P50, P90};
use crate::forecast::series::HeadSeries;
use crate::migration::message::Milestone;
use crate::units::Time;

/// Lines on one chart; there are as many colours.
const MOST_LINES: usize = 4;
/// Labels above a chart.
const MOST_MARKS: usize = 12;
const EDGE: f64 = 14.0;
/// Height of the labels of dates.
const DATES: f64 = 30.0;

/// What the chart shows, in days since its start and mailboxes.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Burndown {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// What the upright axis counts.
    pub(super) unit: String,
    pub(super) names: Names,
    pub(super) lines: Vec<HeadLine>,
    pub(super) marks: Vec<Mark>,
    pub(super) expectations: Vec<Mark>,
    pub(super) axis: Axis,
    pub(super) last_day: f64,
    pub(super) most: f64,
}

/// What stands below the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Axis {
    Dates(Dates),
    Marks(Vec<Mark>),
}

/// Where the names of the lines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Beside each line, where it has fallen a little.
    BesideLines,
    /// In rows above the plot.
    InARow,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadLine {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// The chart of a forecast; `None` when there are too few replications for any median.
pub(super) fn drawing(forecast: &Forecast) -> Option<Drawing> {
    if forecast.scenario.heads.len() > MOST_LINES {
        return panels(forecast).map(Drawing::Sheet);
    }
    burndown(forecast).map(Drawing::Burndown)
}

fn burndown(forecast: &Forecast) -> Option<Burndown> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let lines = lines(forecast);
    // A date that lies much later would leave no room for the lines.
    let farthest = (end(forecast, &lines) * 3.0).max(7.0);
    let expectations: Vec<Mark> = forecast
        .expectations
        .iter()
        .map(|one| {
            let name = scenario.milestone_name(&one.expectation.milestone);
            // The date and the verdict first: where there is little room, the name is cut.
            let text = format!("{}, expected by {}: {name}", one.verdict.name(), one.expectation.by);
            Mark { day: days_since(scenario, one.expectation.before), text }
        })
        .filter(|mark| mark.day <= days_since(scenario, scenario.horizon) && mark.day <= farthest)
        .collect();
    let expected = expectations.iter().map(|mark| mark.day).fold(0.0, f64::max);
    let last_day = end(forecast, &lines).max(expected) * 1.04;
    let most = highest(&lines);
    if lines.is_empty() || last_day <= 0.0 || most <= 0.0 {
        return None;
    }
    Some(Burndown {
        title: format!("{}: mailboxes still on each head", scenario.name),
        subtitle: subtitle(forecast, "median and P10 to P90", ""),
        unit: "mailboxes".to_owned(),
        names: Names::BesideLines,
        lines,
        marks: marks(forecast, &calendar),
        expectations,
        axis: Axis::Dates(Dates::new(scenario, last_day)),
        last_day,
        most,
    })
}

/// When everything is off the old storage in nine of ten replications, or the last day that is known.
fn end(forecast: &Forecast, lines: &[HeadLine]) -> f64 {
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let emptied = all.and_then(|one| Some(days_since(&forecast.scenario, one.at(P90)?.value.time()?)));
    emptied.unwrap_or_else(|| lines.iter().flat_map(|line| &line.points).map(|point| point.day).fold(0.0, f64::max))
}

fn highest(lines: &[HeadLine]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.high).fold(0.0, f64::max)
}

/// The heads that still have mailboxes.
fn lines(forecast: &Forecast) -> Vec<HeadLine> {
    let standings = standing::by_head(&forecast.scenario);
    let line = |(head, standing): (usize, &standing::Standing)| {
        let start = standing.left;
        let mut all = vec![Point { day: 0.0, low: start, middle: start, high: start }];
        let (_, days) = forecast.heads[head].days.iter().find(|(series, _)| *series == HeadSeries::Mailboxes)?;
        all.extend(points(days, 1.0, 1.0));
        let name = forecast.scenario.heads[head].clone();
        (start > 0.0 && all.len() > 1).then(|| HeadLine { name, points: to_the_end(forecast, head, &all) })
    };
    standings.iter().enumerate().filter_map(line).collect()
}

/// The series is known at the ends of days of 24 hours, and a head is emptied within one: from that date on each quantile has
/// what it has at the end of that day.
fn to_the_end(forecast: &Forecast, head: usize, days: &[Point]) -> Vec<Point> {
    let emptied = Milestone::HeadEmptied { head: HeadId(head as u8), set_aside: 0 };
    let known = forecast.milestones.iter().find(|one| one.milestone == emptied);
    let date = |level| Some(days_since(&forecast.scenario, known?.at(level)?.value.time()?)).filter(|day| *day > 0.0);
    let with_end = |level, of: fn(&Point) -> f64| {
        let mut knots: Vec<(f64, f64)> = days.iter().map(|point| (point.day, of(point))).collect();
        if let Some(day) = date(level)
            && let Some(next) = knots.iter().position(|knot| knot.0 > day)
        {
            knots.insert(next, (day, knots[next].1));
        }
        knots
    };
    let low = with_end(P10, |point| point.low);
    let middle = with_end(P50, |point| point.middle);
    let high = with_end(P90, |point| point.high);
    let mut all: Vec<f64> = [&low, &middle, &high].into_iter().flatten().map(|knot| knot.0).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let point = |day| Point { day, low: between(&low, day), middle: between(&middle, day), high: between(&high, day) };
    all.into_iter().map(point).collect()
}

/// The value on a day, on the straight line between its neighbours.
fn between(knots: &[(f64, f64)], day: f64) -> f64 {
    let after = knots.iter().position(|knot| knot.0 >= day).unwrap_or(knots.len() - 1);
    let ((from, a), (to, b)) = (knots[after.max(1) - 1], knots[after]);
    if to > from { a + (b - a) * (day - from) / (to - from) } else { b }
}

fn panels(forecast: &Forecast) -> Option<Sheet> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let lines = lines(forecast);
    let most = highest(&lines) * 1.08;
    let last_day = end(forecast, &lines) * 1.04;
    if most <= 0.0 || last_day <= 0.0 {
        return None;
    }
    let panel = |mut line: HeadLine| {
        let of_head = |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { head, .. } if scenario.heads[head.index()] == line.name);
        let emptied = forecast.milestones.iter().find(|one| of_head(&one.milestone)).and_then(|one| one.at(P50));
        let time = emptied.and_then(|estimate| estimate.value.time()).filter(|time| !calendar.already(*time));
        let expected = forecast.expectations.iter().filter(|one| of_head(&one.expectation.milestone));
        let expected = expected.map(|one| format!("expected by {}: {}", one.expectation.by, one.verdict.name()));
        let notes = [format!("emptied: {}", calendar.cell(emptied, false))].into_iter().chain(expected).collect();
        line.points.retain(|point| point.day <= last_day);
        let uprights = time.map(|time| days_since(scenario, time)).into_iter().collect();
        let plot = Plot { unit: "mailboxes".into(), most, band: line.points, uprights, ..Plot::default() };
        Panel { name: line.name, notes, body: Body::Plot(plot) }
    };
    let (panels, left_out) = first_of(lines.into_iter().map(panel).collect(), MOST_PANELS);
    Some(Sheet {
        title: format!("{}: mailboxes still on each head", scenario.name),
        subtitle: subtitle(forecast, "median and P10 to P90", &left_out),
        key: vec![(Sign::Band, "mailboxes on the head".into()), (Sign::Upright, "emptied (median)".into())],
        panels,
        columns: 3,
        days: (0.0, last_day),
        dates: Dates::new(scenario, last_day),
    })
}

/// Medians of what people wait for; those of one moment share a label. Where there are too many, clusters go first.
fn marks(forecast: &Forecast, calendar: &Calendar<'_>) -> Vec<Mark> {
    let head = |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied);
    let cluster =
        |milestone: &Milestone| matches!(milestone, Milestone::ClusterFull { .. } | Milestone::ClusterOpened { .. });
    let all = marks_of(forecast, calendar, &|milestone| head(milestone) || cluster(milestone));
    if all.len() <= MOST_MARKS { all } else { marks_of(forecast, calendar, &head) }
}

fn marks_of(forecast: &Forecast, calendar: &Calendar<'_>, wanted: &dyn Fn(&Milestone) -> bool) -> Vec<Mark> {
    let scenario = &forecast.scenario;
    let mut dated: Vec<(Time, String)> = forecast
        .milestones
        .iter()
        .filter(|one| wanted(&one.milestone))
        .filter_map(|one| Some((one.at(P50)?.value.time()?, scenario.milestone_name(&one.milestone))))
        .filter(|(time, _)| !calendar.already(*time))
        .collect();
    // Stable: milestones of one instant stay in the scenario's order.
    dated.sort_by_key(|(time, _)| *time);
    let mut groups: Vec<(Time, Vec<String>)> = Vec::new();
    for (time, name) in dated {
        match groups.last_mut() {
            Some((first, names)) if time.since(*first).days() < 0.2 => names.push(name),
            _ => groups.push((time, vec![name])),
        }
    }
    let mark = |(time, names): (Time, Vec<String>)| Mark {
        day: days_since(scenario, time),
        // The date first: where there is little room, the names are cut.
        text: format!("{}: {}", calendar.short(time), names.join(", ")),
    };
    groups.into_iter().map(mark).collect()
}

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

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, layout: &Layout) -> Outcome<DB::ErrorType> {
        for (value, text) in self.steps() {
            let y = layout.y(value);
            let colour = if value > 0.0 { PALE } else { INK };
            canvas.path(&[(layout.left, y), (layout.right, y)], colour, 1.0)?;
            canvas.text(&text, (layout.left - 8.0, y - 8.0), TEXT, GREY, HPos::Right)?;
        }
        let weekdays = canvas.paper.width() > 600.0;
        let sample = if weekdays { "Wed Oct 29" } else { "Oct 29" };
        let most = ((layout.right - layout.left) / (width(sample, TEXT) + 14.0)).floor().max(1.0) as usize;
        let ticks = match &self.axis {
            Axis::Dates(dates) => dates.ticks(0.0, self.last_day, most, weekdays),
            Axis::Marks(marks) => marks.clone(),
        };
        for tick in ticks {
            let x = layout.x(tick.day);
            canvas.path(&[(x, layout.bottom), (x, layout.bottom + 6.0)], INK, 1.0)?;
            let half = width(&tick.text, TEXT) / 2.0;
            let middle = x.min(canvas.paper.width() - 4.0 - half);
            // A label lies over the line down to an expectation.
            canvas.blank((middle - half - 3.0, layout.bottom + 8.0), (middle + half + 3.0, layout.bottom + 26.0))?;
            canvas.text(&tick.text, (middle, layout.bottom + 9.0), TEXT, GREY, HPos::Center)?;
        }
        Ok(())
    }
}

impl Draw for Burndown {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK)?;
        canvas.lines(&layout.subtitle, (EDGE, EDGE + layout.title.len() as f64 * height(TITLE)), TEXT, GREY)?;
        let lower = |placed: &Placed| layout.bottom + DATES + 8.0 + placed.row as f64 * ROW;
        for placed in &layout.below {
            canvas.path(&[(placed.line, layout.bottom), (placed.line, lower(placed) - 2.0)], INK, 1.0)?;
        }
        for placed in &layout.below {
            canvas.label(&placed.text, (placed.x, lower(placed)))?;
        }
        self.axes(canvas, &layout)?;
        let upper = |placed: &Placed| layout.nearest - placed.row as f64 * ROW;
        for placed in &layout.above {
            canvas.path(&[(placed.line, upper(placed) + ROW - 2.0), (placed.line, layout.bottom)], GREY, 1.0)?;
        }
        for placed in &layout.above {
            canvas.label(&placed.text, (placed.x, upper(placed)))?;
        }
        let unit = (EDGE, layout.top - 23.0);
        canvas.blank((unit.0, unit.1), (unit.0 + width(&self.unit, TEXT) + 3.0, unit.1 + ROW - 2.0))?;
        canvas.text(&self.unit, unit, TEXT, GREY, HPos::Left)?;
        let colour = |number: usize| COLOURS[number % COLOURS.len()];
        for (number, line) in self.lines.iter().enumerate() {
            canvas.band(&layout, line, colour(number))?;
        }
        match self.names {
            Names::BesideLines => {
                let mut taken = Vec::new();
                for (number, line) in self.lines.iter().enumerate() {
                    canvas.name(&layout, line, colour(number), &mut taken)?;
                }
            }
            Names::InARow => {
                for (x, y, number) in &layout.legend {
                    canvas.path(&[(*x, y + 9.0), (x + 28.0, y + 9.0)], colour(*number), 2.5)?;
                    let name = fit(&self.lines[*number].name, HEADING, layout.right - x - 36.0);
                    canvas.text(&name, (x + 36.0, *y), HEADING, INK, HPos::Left)?;
                }
            }
        }
        for mark in &self.expectations {
            canvas.triangle((layout.x(mark.day), layout.bottom - 6.0))?;
        }
        Ok(())
    }
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn band(&self, layout: &Layout, line: &HeadLine, colour: RGBColor) -> Outcome<DB::ErrorType> {
        let within: Vec<&Point> = line.points.iter().filter(|point| point.day <= layout.last_day).collect();
        let upper = within.iter().map(|point| (layout.x(point.day), layout.y(point.high)));
        let lower = within.iter().rev().map(|point| (layout.x(point.day), layout.y(point.low)));
        self.polygon(upper.chain(lower), colour)?;
        let middle: Vec<(f64, f64)> =
            within.iter().map(|point| (layout.x(point.day), layout.y(point.middle))).collect();
        self.path(&middle, colour, 2.5)
    }

    /// Writes the head's name beside its line, at the first height where it meets no other name and, where that can be, no
    /// upright line.
    fn name(
        &self,
        layout: &Layout,
        line: &HeadLine,
        colour: RGBColor,
        taken: &mut Vec<(f64, f64, f64)>,
    ) -> Outcome<DB::ErrorType> {
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
        self.blank((place.0 - 2.0, place.1 + 1.0), (place.0 + wide + 2.0, place.1 + 18.0))?;
        self.text(&name, place, HEADING, colour, HPos::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn milestones_of_one_moment_share_a_label() {
        let chart = burndown(&made(100, &|r| outcome(r, days_of(r)))).unwrap();
        assert!(
            chart.marks.iter().any(|mark| mark.text.ends_with(": head-2 emptied, all emptied")),
            "{:?}",
            chart.marks
        );
    }

    #[test]
    fn a_head_that_is_emptied_within_a_day_has_a_line_until_then() {
        let forecast = made(100, &|r| outcome(r, 1.0));
        let chart = burndown(&forecast).unwrap();
        let first = &chart.lines[0].points;
        assert!(first.len() == 3 && (first[1].day - 1.0 / 3.0).abs() < 1e-6, "{first:?}");
        assert!(first[1].middle < 1.0 && first[1].high < 1.0, "{first:?}");
    }

    #[test]
    fn too_few_replications_give_no_chart() {
        assert_eq!(burndown(&made(3, &|r| outcome(r, days_of(r)))), None);
    }

    #[test]
    fn the_same_forecast_gives_the_same_picture() {
        let forecast = made(40, &|r| outcome(r, days_of(r)));
        let pictures = super::super::pictures(&forecast);
        assert_eq!(pictures.len(), 6);
        for picture in &pictures {
            let svg = picture.svg(Paper::FILE).unwrap();
            assert_eq!(svg, picture.svg(Paper::FILE).unwrap());
            assert!(svg.contains("A small migration: "), "{}", picture.stem);
        }
        let svg = pictures[0].svg(Paper::FILE).unwrap();
        assert!(svg.contains("head-1") && svg.contains("expected by 2012-10-20"));
        let png = pictures[0].png().unwrap();
        assert!(png.starts_with(b"\x89PNG") && png == pictures[0].png().unwrap());
    }

    #[test]
    fn labels_and_their_lines_keep_apart() {
        super::super::canvas::register().unwrap();
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
