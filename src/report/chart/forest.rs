//! A forest: a dot within its interval for each of several shifts, below each other on one axis.

use plotters::style::text_anchor::HPos;

use super::canvas::{COLOURS, Canvas, Draw, GREY, INK, Paper, TEXT};
use super::strips::{EDGE, Scale, Strips};

/// More shifts than these are not drawn; the subtitle says so.
pub(super) const MOST_ROWS: usize = 24;

/// Height of a dot's row.
const DOT: f64 = 14.0;
const HALF: f64 = 4.0;
const BETWEEN: f64 = 10.0;

/// A forest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Forest {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) unit: String,
    pub(super) rows: Vec<Row>,
}

/// One shift.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) shift: f64,
    pub(super) interval: (f64, f64),
}

impl Forest {
    fn layout(&self, paper: Paper) -> Strips {
        let names = self.rows.iter().map(|row| row.name.as_str());
        Strips::new(paper, (&self.title, &self.subtitle), 1.0, names, DOT + BETWEEN)
    }
}

impl Draw for Forest {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw(&self, canvas: &mut Canvas) {
        let strips = self.layout(canvas.paper);
        strips.head(canvas);
        canvas.text(&self.unit, (EDGE, strips.above), TEXT, GREY, HPos::Left);
        let all = self.rows.iter().flat_map(|row| [row.shift, row.interval.0, row.interval.1]);
        let scale = Scale::new(canvas.paper, all);
        strips.axis(canvas, &scale, true);
        for (place, row) in self.rows.iter().enumerate() {
            strips.name(canvas, place);
            let (x, middle) = (scale.at(row.shift), strips.marks(place) + DOT / 2.0);
            let ends = [row.interval.0, row.interval.1].map(|end| scale.at(end));
            canvas.path(&ends.map(|end| (end, middle)), INK, 2.0);
            for end in ends {
                canvas.path(&[(end, middle - HALF), (end, middle + HALF)], INK, 1.0);
            }
            canvas.rectangle((x - HALF, middle - HALF), (x + HALF, middle + HALF), COLOURS[0], 1.0);
        }
    }
}
