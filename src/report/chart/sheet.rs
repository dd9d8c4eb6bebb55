//! A sheet of panels: small charts of one kind side by side, one a store or milestone, so that names and numbers stand above
//! their own chart and nothing lies on anything else, however many there are.

use std::ops::Range;

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Draw, GREY, HEADING, INK, Paper, ROW, TEXT, TITLE, fit, height, width, wrapped};
use super::dates::Dates;
use super::plot::{ABOVE, BELOW, Plot, parts_height, plot_height};

/// More panels than these are not drawn; the sheet says so.
pub(super) const MOST_PANELS: usize = 48;

const EDGE: f64 = 10.0;
const GAP: f64 = 26.0;
/// Room above a row of panels.
const BEFORE_ROW: f64 = 12.0;
pub(super) const SAMPLE: f64 = 28.0;
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
            let top = y + BEFORE_ROW + height(HEADING) + lines * ROW;
            for (place, (panel, notes)) in row.iter().zip(notes).enumerate() {
                let x = EDGE + place as f64 * (column + GAP);
                panels.push(Placed { x, y: y + BEFORE_ROW, name: fit(&panel.name, HEADING, column), notes, top });
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

/// Some rows of a sheet, one below the other: a page of paper may end between two of them. The first one has the title and the key.
pub(super) struct Part<'a> {
    sheet: &'a Sheet,
    panels: Range<usize>,
}

impl Sheet {
    /// The sheet in parts of whole rows, none of them higher than this unless a row is.
    pub(super) fn parts(&self, paper: Paper, highest: f64) -> Vec<Part<'_>> {
        let layout = self.layout(paper);
        let mut parts: Vec<Part<'_>> = Vec::new();
        for panels in layout.rows() {
            let fits = |part: &&mut Part<'_>| {
                let (from, to) = layout.extent(&(part.panels.start..panels.end));
                to - from <= highest
            };
            match parts.last_mut().filter(fits) {
                Some(part) => part.panels.end = panels.end,
                None => parts.push(Part { sheet: self, panels }),
            }
        }
        parts
    }

    fn whole(&self) -> Part<'_> {
        Part { sheet: self, panels: 0..self.panels.len() }
    }
}

impl Layout {
    /// The panels of each row.
    fn rows(&self) -> impl Iterator<Item = Range<usize>> {
        let starts: Vec<usize> =
            (0..self.panels.len()).filter(|at| *at == 0 || self.panels[*at].y > self.panels[*at - 1].y).collect();
        let ends: Vec<usize> = starts.iter().skip(1).copied().chain([self.panels.len()]).collect();
        starts.into_iter().zip(ends).map(|(from, to)| from..to)
    }

    /// From where to where panels lie.
    fn extent(&self, panels: &Range<usize>) -> (f64, f64) {
        let above = |panel: usize| self.panels.get(panel).map(|placed| placed.y - BEFORE_ROW);
        let from = if panels.start == 0 { 0.0 } else { above(panels.start).unwrap_or(0.0) };
        (from, above(panels.end).unwrap_or(self.height))
    }
}

impl Draw for Part<'_> {
    fn height(&self, paper: Paper) -> f64 {
        let (from, to) = self.sheet.layout(paper).extent(&self.panels);
        to - from
    }

    fn draw(&self, canvas: &mut Canvas) {
        let (sheet, layout) = (self.sheet, self.sheet.layout(canvas.paper));
        let (from, _) = layout.extent(&self.panels);
        if self.panels.start == 0 {
            canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK);
            let below = EDGE + layout.title.len() as f64 * height(TITLE);
            canvas.lines(&layout.subtitle, (EDGE, below), TEXT, GREY);
            for (x, y, sign, text) in &layout.key {
                let sample = canvas.sign(*sign, (*x, *y));
                canvas.text(text, (x + sample, *y), TEXT, GREY, HPos::Left);
            }
        }
        for (panel, placed) in sheet.panels.iter().zip(&layout.panels).take(self.panels.end).skip(self.panels.start) {
            let (y, top) = (placed.y - from, placed.top - from);
            canvas.text(&placed.name, (placed.x, y), HEADING, INK, HPos::Left);
            canvas.lines(&placed.notes, (placed.x, y + height(HEADING)), TEXT, GREY);
            match &panel.body {
                Body::Plot(plot) => sheet.plot(canvas, plot, (placed.x, top), layout.column),
                Body::Parts(parts, days) => {
                    canvas.parts(parts, (placed.x, top), layout.column);
                    let below = top + parts_height(parts, layout.column);
                    sheet.plot(canvas, days, (placed.x, below), layout.column);
                }
                Body::Nothing => {}
            }
        }
    }
}

impl Draw for Sheet {
    fn height(&self, paper: Paper) -> f64 {
        self.whole().height(paper)
    }

    fn draw(&self, canvas: &mut Canvas) {
        self.whole().draw(canvas);
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
    fn parts_are_whole_rows_that_fit_and_together_the_sheet() {
        let sheet = sheet(20);
        for (highest, least) in [(1e9, 1), (700.0, 2), (1.0, 7)] {
            let parts = sheet.parts(Paper::PAGE, highest);
            assert!(parts.len() >= least && parts.len() <= 7, "{}", parts.len());
            assert_eq!((parts[0].panels.start, parts[parts.len() - 1].panels.end), (0, 20));
            assert!(parts.windows(2).all(|pair| pair[0].panels.end == pair[1].panels.start));
            assert!(parts.iter().all(|part| part.panels.start % 3 == 0), "columns are kept");
            let heights: Vec<f64> = parts.iter().map(|part| part.height(Paper::PAGE)).collect();
            assert!((heights.iter().sum::<f64>() - sheet.height(Paper::PAGE)).abs() < 1e-6, "{heights:?}");
            assert!(highest < 100.0 || heights.iter().all(|height| *height <= highest), "{heights:?}");
        }
    }

    #[test]
    fn panels_lie_beside_and_below_each_other_within_the_paper() {
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
}
