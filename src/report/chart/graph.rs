//! Panels over numbers in place of days: lines over one varied key, a map over two, and a frontier.

use plotters::prelude::{RGBColor, WHITE};
use plotters::style::text_anchor::HPos;

use super::canvas::{
    COLOURS, Canvas, Draw, GREY, HEADING, INK, PALE, Paper, ROW, TEXT, TITLE, fit, height, round_step, width, wrapped,
};

const EDGE: f64 = 10.0;
const GAP: f64 = 30.0;
/// No column is narrower.
const COLUMN: f64 = 300.0;
/// Below a plot: labels and the name of the axis.
const BELOW: f64 = 50.0;
/// The bar that says what the colours of a map are.
const COLOUR_BAR: f64 = 12.0;
/// Light to dark, by which a map says less and more; they differ in lightness, for any colour vision.
const SCALE: [RGBColor; 3] = [RGBColor(240, 246, 252), RGBColor(107, 174, 214), RGBColor(8, 48, 107)];

/// Text on the colours of the scale, which are the same by day and by night: no theme of the page's knows these two.
const ON_DARK: RGBColor = RGBColor(254, 254, 254);
const ON_LIGHT: RGBColor = RGBColor(32, 32, 32);

/// Panels beside each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Graph {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) panels: Vec<Panel>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) name: String,
    /// Below and beside the plot: what its axes are.
    pub(super) axes: (String, String),
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// Means with their intervals over a number.
    Line(Vec<Over>),
    /// Points, those on the frontier by their order, and the knee.
    Frontier { points: Vec<Dot>, frontier: Vec<usize>, knee: Option<usize> },
    /// The values of the lower and of the upright axis, and a number for each pair, the upright axis varying fastest.
    Map { across: Vec<String>, up: Vec<String>, numbers: Vec<Least> },
}

/// A number, and whether it is known to be a lower bound alone.
pub(super) type Least = (f64, bool);

/// A point, and whether one of its numbers is a lower bound alone: it is drawn hollow then.
pub(super) type Dot = ((f64, f64), bool);

/// A mean over a number, with its interval where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Over {
    pub(super) number: f64,
    pub(super) mean: f64,
    pub(super) interval: Option<(f64, f64)>,
    /// Whether it is known to be a lower bound alone: it is drawn hollow then.
    pub(super) is_least: bool,
}

impl Over {
    fn ends(&self) -> [(f64, f64); 2] {
        let (low, high) = self.interval.unwrap_or((self.mean, self.mean));
        [(self.number, low), (self.number, high)]
    }
}

/// Where a plot lies.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (from, to): (f64, f64)| ((value - from) / (to - from)).clamp(0.0, 1.0);
        (
            self.left + (self.right - self.left) * share(x, self.x),
            self.bottom - (self.bottom - self.top) * share(y, self.y),
        )
    }
}

struct Layout {
    title: Vec<String>,
    subtitle: Vec<String>,
    columns: usize,
    column: f64,
    top: f64,
    panel: f64,
}

impl Graph {
    fn layout(&self, paper: Paper) -> Layout {
        let room = paper.width() - 2.0 * EDGE;
        let columns = (((room + GAP) / (COLUMN + GAP)).floor().max(1.0) as usize).min(2).min(self.panels.len()).max(1);
        let column = (room - GAP * (columns - 1) as f64) / columns as f64;
        let (title, subtitle) = if paper.titled {
            (wrapped(&self.title, TITLE, room), wrapped(&self.subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let top = EDGE + title.len() as f64 * height(TITLE) + subtitle.len() as f64 * ROW;
        let panel =
            12.0 + height(HEADING) + ROW + plot_height(column) + BELOW + if self.has_map() { 2.0 * ROW } else { 0.0 };
        Layout { title, subtitle, columns, column, top, panel }
    }

    fn has_map(&self) -> bool {
        self.panels.iter().any(|panel| matches!(panel.body, Body::Map { .. }))
    }
}

fn plot_height(column: f64) -> f64 {
    (column * 0.6).clamp(160.0, 360.0)
}

impl Draw for Graph {
    fn height(&self, paper: Paper) -> f64 {
        let layout = self.layout(paper);
        layout.top + self.panels.len().div_ceil(layout.columns) as f64 * layout.panel + EDGE
    }

    fn draw(&self, canvas: &mut Canvas) {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK);
        canvas.lines(&layout.subtitle, (EDGE, EDGE + layout.title.len() as f64 * height(TITLE)), TEXT, GREY);
        for (number, panel) in self.panels.iter().enumerate() {
            let x = EDGE + (number % layout.columns) as f64 * (layout.column + GAP);
            let y = layout.top + (number / layout.columns) as f64 * layout.panel + 12.0;
            canvas.text(&fit(&panel.name, HEADING, layout.column), (x, y), HEADING, INK, HPos::Left);
            let y = y + height(HEADING);
            canvas.text(&fit(&panel.axes.1, TEXT, layout.column), (x, y), TEXT, GREY, HPos::Left);
            let place = (x, y + ROW + 4.0);
            match &panel.body {
                Body::Line(points) => canvas.means(panel, points, place, layout.column),
                Body::Frontier { points, frontier, knee } => {
                    canvas.frontier(panel, (points, frontier, *knee), place, layout.column);
                }
                Body::Map { across, up, numbers } => canvas.map(panel, (across, up, numbers), place, layout.column),
            }
        }
    }
}

impl Canvas {
    /// Draws the axes around some points and returns where these lie.
    fn axes(&mut self, panel: &Panel, points: &[(f64, f64)], (x, y): (f64, f64), column: f64) -> Frame {
        let range = |of: fn(&(f64, f64)) -> f64| spread(points.iter().map(of));
        let (across, up) = (range(|point| point.0), range(|point| point.1));
        let labels = ticks(up, 5.0);
        let widest = labels.iter().map(|(_, text)| width(text, TEXT)).fold(0.0, f64::max);
        let frame = Frame {
            left: x + widest + 8.0,
            right: x + column - 6.0,
            top: y,
            bottom: y + plot_height(column) - ROW,
            x: across,
            y: up,
        };
        for (value, text) in &labels {
            let (_, height) = frame.at((across.0, *value));
            self.path(&[(frame.left, height), (frame.right, height)], PALE, 1.0);
            self.text(text, (frame.left - 8.0, height - 8.0), TEXT, GREY, HPos::Right);
        }
        let most = ((frame.right - frame.left) / 80.0).max(2.0);
        for (value, text) in ticks(across, most) {
            let (place, _) = frame.at((value, up.0));
            self.path(&[(place, frame.bottom), (place, frame.bottom + 5.0)], INK, 1.0);
            let half = width(&text, TEXT) / 2.0;
            let middle = place.min(frame.right + 6.0 - half).max(frame.left - 8.0 + half);
            self.text(&text, (middle, frame.bottom + 8.0), TEXT, GREY, HPos::Center);
        }
        self.path(&[(frame.left, frame.bottom), (frame.right, frame.bottom)], INK, 1.0);
        self.below(panel, &frame);
        frame
    }

    fn below(&mut self, panel: &Panel, frame: &Frame) {
        let text = fit(&panel.axes.0, TEXT, frame.right - frame.left);
        self.text(&text, (f64::midpoint(frame.left, frame.right), frame.bottom + 8.0 + ROW), TEXT, GREY, HPos::Center);
    }

    fn means(&mut self, panel: &Panel, points: &[Over], place: (f64, f64), column: f64) {
        let all: Vec<(f64, f64)> = points.iter().flat_map(Over::ends).collect();
        let frame = self.axes(panel, &all, place, column);
        // The band is only where there are intervals: one of no width would say that the mean is sure.
        for stretch in points.split(|point| point.interval.is_none()).filter(|stretch| stretch.len() > 1) {
            let upper = stretch.iter().map(|point| frame.at(point.ends()[1]));
            let lower = stretch.iter().rev().map(|point| frame.at(point.ends()[0]));
            self.polygon(upper.chain(lower), COLOURS[0]);
        }
        let line: Vec<(f64, f64)> = points.iter().map(|point| frame.at((point.number, point.mean))).collect();
        if line.len() > 1 {
            self.path(&line, COLOURS[0], 2.5);
        }
        for (place, point) in line.into_iter().zip(points) {
            self.dot(place, 3.5, COLOURS[0]);
            if point.is_least {
                self.dot(place, 2.0, WHITE);
            }
        }
    }

    fn frontier(
        &mut self,
        panel: &Panel,
        (dots, frontier, knee): (&[Dot], &[usize], Option<usize>),
        place: (f64, f64),
        column: f64,
    ) {
        let points: Vec<(f64, f64)> = dots.iter().map(|dot| dot.0).collect();
        let frame = self.axes(panel, &points, place, column);
        for (point, is_least) in dots {
            self.dot(frame.at(*point), 3.0, GREY);
            if *is_least {
                self.dot(frame.at(*point), 1.5, WHITE);
            }
        }
        let line: Vec<(f64, f64)> = frontier.iter().map(|place| frame.at(points[*place])).collect();
        if line.len() > 1 {
            self.path(&line, COLOURS[0], 2.0);
        }
        for place in line {
            self.dot(place, 4.5, COLOURS[0]);
        }
        if let Some(knee) = knee {
            let (x, y) = frame.at(points[knee]);
            self.dot((x, y), 8.0, COLOURS[1]);
            let right = x + 12.0 + width("knee", TEXT) < frame.right;
            let from = if right { x + 12.0 } else { x - 14.0 - width("knee", TEXT) };
            self.label("knee", (from, (y - ROW).max(frame.top)));
        }
    }

    fn map(
        &mut self,
        panel: &Panel,
        (across, up, numbers): (&[String], &[String], &[Least]),
        (x, y): (f64, f64),
        column: f64,
    ) {
        let widest = up.iter().map(|text| width(text, TEXT)).fold(0.0, f64::max).min(column * 0.3);
        let bottom = y + plot_height(column) - ROW;
        let frame =
            Frame { left: x + widest + 8.0, right: x + column - 2.0, top: y, bottom, x: (0.0, 1.0), y: (0.0, 1.0) };
        let (wide, high) =
            ((frame.right - frame.left) / across.len() as f64, (frame.bottom - frame.top) / up.len() as f64);
        let (least, most) =
            numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (one, _)| (a.min(*one), b.max(*one)));
        let digits = digits(most - least);
        for (place, (number, is_least)) in numbers.iter().enumerate() {
            let (at, above) = (place / up.len(), place % up.len());
            let (left, below) = (frame.left + at as f64 * wide, frame.bottom - above as f64 * high);
            let share = if most > least { (number - least) / (most - least) } else { 0.0 };
            self.rectangle((left, below - high), (left + wide - 1.0, below - 1.0), colour(share), 1.0);
            let text = format!("{}{number:.digits$}", if *is_least { "> " } else { "" });
            if width(&text, TEXT) + 6.0 <= wide && ROW <= high {
                let ink = if share > 0.5 { ON_DARK } else { ON_LIGHT };
                self.text(&text, (left + wide / 2.0, below - high / 2.0 - 9.0), TEXT, ink, HPos::Center);
            }
        }
        // As many labels as there is room for.
        let each = |room: f64, needed: f64| (needed / room).ceil().max(1.0) as usize;
        for (place, text) in up.iter().enumerate().step_by(each(high, ROW)) {
            let middle = frame.bottom - (place as f64 + 0.5) * high;
            self.text(&fit(text, TEXT, widest), (frame.left - 8.0, middle - 9.0), TEXT, GREY, HPos::Right);
        }
        let widest = across.iter().map(|text| width(text, TEXT)).fold(0.0, f64::max) + 10.0;
        for (place, text) in across.iter().enumerate().step_by(each(wide, widest)) {
            let middle = frame.left + (place as f64 + 0.5) * wide;
            self.text(text, (middle, frame.bottom + 8.0), TEXT, GREY, HPos::Center);
        }
        self.below(panel, &frame);
        self.scale(
            (least, most),
            digits,
            (frame.left, frame.bottom + 12.0 + 2.0 * ROW),
            (frame.right - frame.left).min(260.0),
        );
    }

    /// What the colours say.
    fn scale(&mut self, (least, most): (f64, f64), digits: usize, (x, y): (f64, f64), room: f64) {
        const STEPS: u32 = 40;
        let (low, high) = (format!("{least:.digits$}"), format!("{most:.digits$}"));
        let from = x + width(&low, TEXT) + 8.0;
        let to = from + room - width(&low, TEXT) - width(&high, TEXT) - 16.0;
        self.text(&low, (x, y), TEXT, GREY, HPos::Left);
        for step in 0..STEPS {
            let at = |step: u32| from + (to - from) * f64::from(step) / f64::from(STEPS);
            self.rectangle(
                (at(step), y + 3.0),
                (at(step + 1), y + 3.0 + COLOUR_BAR),
                colour(f64::from(step) / f64::from(STEPS - 1)),
                1.0,
            );
        }
        self.text(&high, (to + 8.0, y), TEXT, GREY, HPos::Left);
    }

    fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: RGBColor) {
        let edge = (0..16).map(|step| {
            let (sin, cos) = (f64::from(step) * std::f64::consts::TAU / 16.0).sin_cos();
            (x + radius * cos, y + radius * sin)
        });
        self.filled(edge, colour);
    }
}

/// Light to dark.
fn colour(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let from = (place.floor() as usize).min(SCALE.len() - 2);
    let part = place - from as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (one, two) = (SCALE[from], SCALE[from + 1]);
    RGBColor(mix(one.0, two.0), mix(one.1, two.1), mix(one.2, two.2))
}

/// The range of some numbers with a little room at both ends; not below nothing where none of them is.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), one| (least.min(one), most.max(one)));
    if least > most {
        return (0.0, 1.0);
    }
    let spare = if most > least { (most - least) * 0.05 } else { least.abs().max(1.0) * 0.05 };
    let from = if least >= 0.0 { (least - spare).max(0.0) } else { least - spare };
    (from, most + spare)
}

/// Decimals that tell numbers of this range apart.
fn digits(range: f64) -> usize {
    if range <= 0.0 { 1 } else { (1.0 - range.log10().floor()).clamp(0.0, 6.0) as usize }
}

/// Round values within a range, with as many digits as their step has.
fn ticks((from, to): (f64, f64), about: f64) -> Vec<(f64, String)> {
    let step = round_step((to - from) / about);
    let exact =
        |digits: &usize| format!("{step:.digits$}").parse::<f64>().is_ok_and(|read| (read - step).abs() < step * 1e-6);
    let digits = (0..9).find(exact).unwrap_or(9);
    let text = |value: f64| if digits == 0 { super::super::wording::count(value) } else { format!("{value:.digits$}") };
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    (first..=last).map(|number| (number as f64 * step, text(number as f64 * step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_light_to_dark() {
        let lightness = |share: f64| {
            let RGBColor(red, green, blue) = colour(share);
            f64::from(red) * 0.3 + f64::from(green) * 0.6 + f64::from(blue) * 0.1
        };
        assert!((0..20).all(|step| lightness(f64::from(step) / 20.0) > lightness(f64::from(step + 1) / 20.0)));
        assert_eq!([colour(-1.0), colour(2.0)], [SCALE[0], SCALE[2]]);
    }

    #[test]
    fn numbers_on_a_map_have_colours_that_no_theme_changes() {
        let said = |count: u32| (1..=count).map(|number| number.to_string()).collect();
        let body = Body::Map {
            across: said(3),
            up: said(2),
            numbers: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|number| (number, number > 5.0)).to_vec(),
        };
        let panel = Panel { name: "days".into(), axes: ("across".into(), "up".into()), body };
        let graph = Graph { title: "a map".into(), subtitle: String::new(), panels: vec![panel] };
        let svg = super::super::print::svg(&graph, Paper::PAGE).unwrap();
        let of_cells =
            |fill: &str| svg.split("<text ").filter(|text| text.contains(&format!("fill=\"{fill}\""))).count();
        assert_eq!((of_cells("#FEFEFE"), of_cells("#202020")), (3, 3), "{svg}");
        assert_eq!(svg.matches("&gt; 6.0").count(), 1, "{svg}");
        let style = include_str!("../html/style.css");
        let themed = |fill: &str| style.contains(&format!("[fill=\"{fill}\"]"));
        assert!(themed("#FFFFFF") && !themed("#FEFEFE") && !themed("#202020"));
    }

    #[test]
    fn axes_hold_their_values_and_have_round_labels() {
        let (from, to) = spread([3.0, 8.0, 5.0].into_iter());
        assert!(from < 3.0 && to > 8.0);
        let texts = |range, about| ticks(range, about).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts((3.0, 8.0), 5.0), ["3", "4", "5", "6", "7", "8"]);
        assert_eq!(texts((0.9, 2.1), 4.0), ["1.0", "1.5", "2.0"]);
        assert_eq!(texts((900.0, 3_100.0), 4.0), ["1,000", "2,000", "3,000"]);
        let (from, to) = spread([2.0].into_iter());
        assert!(from < 2.0 && to > 2.0, "a single value has an axis, too");
        let (from, to) = spread([0.0, 0.0].into_iter());
        assert!(from == 0.0 && to > 0.0, "there are no minutes below none");
        assert!(spread([-1.0, 2.0].into_iter()).0 < -1.0);
        assert_eq!([digits(0.0), digits(5.0), digits(0.04), digits(300.0)], [1, 1, 3, 0]);
    }
}
