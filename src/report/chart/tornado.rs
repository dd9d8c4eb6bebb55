//! Two bars from nothing for each input, with their intervals. A tornado: how far an input moves a date when it is at its low and at its high
//! end, the widest first; and two estimates of what an input does.

use plotters::prelude::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{COLOURS, Canvas, Draw, GREY, INK, Paper, ROW, TEXT, width};
use super::strips::{EDGE, Scale, Strips};

/// More inputs than these are not drawn; the subtitle says so.
pub(super) const MOST_BARS: usize = 24;

/// Of one of an input's two bars.
const BAR: f64 = 10.0;
const BETWEEN: f64 = 12.0;
const SAMPLE: f64 = 28.0;

/// A tornado.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tornado {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// What the signs say: the low end's, the high end's.
    pub(super) key: [String; 2],
    pub(super) unit: String,
    /// Whether numbers are more or less than something: above nothing they have a plus.
    pub(super) is_signed: bool,
    pub(super) bars: Vec<Bars>,
}

/// The two bars of an input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bars {
    pub(super) name: String,
    /// At the low and at the high end, or by the first and the second estimate: how much, and its interval.
    pub(super) ends: [(f64, (f64, f64)); 2],
}

impl Tornado {
    fn layout(&self, paper: Paper) -> Strips {
        let names = self.bars.iter().map(|bars| bars.name.as_str());
        Strips::new(paper, (&self.title, &self.subtitle), 2.0, names, 2.0 * BAR + BETWEEN)
    }
}

impl Draw for Tornado {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw(&self, canvas: &mut Canvas) {
        let strips = self.layout(canvas.paper);
        strips.head(canvas);
        let mut x = EDGE;
        for (place, text) in self.key.iter().enumerate() {
            canvas.rectangle((x, strips.above + 3.0), (x + SAMPLE, strips.above + 3.0 + BAR), COLOURS[place], 1.0);
            canvas.text(text, (x + SAMPLE + 6.0, strips.above), TEXT, GREY, HPos::Left);
            x += SAMPLE + 6.0 + width(text, TEXT) + 24.0;
        }
        canvas.text(&self.unit, (EDGE, strips.above + ROW), TEXT, GREY, HPos::Left);
        let all = self.bars.iter().flat_map(|bars| bars.ends).flat_map(|(days, (low, high))| [days, low, high]);
        let scale = Scale::new(canvas.paper, all);
        strips.axis(canvas, &scale, self.is_signed);
        let nothing = scale.at(0.0);
        for (row, bars) in self.bars.iter().enumerate() {
            strips.name(canvas, row);
            let below = strips.marks(row);
            for (place, (days, interval)) in bars.ends.iter().enumerate() {
                let y = below + place as f64 * BAR;
                canvas.bar((nothing, scale.at(*days)), y, COLOURS[place]);
                let middle = y + BAR / 2.0;
                canvas.path(&[(scale.at(interval.0), middle), (scale.at(interval.1), middle)], INK, 1.0);
            }
            // Beside its bars, and not through its name.
            canvas.path(&[(nothing, below), (nothing, below + 2.0 * BAR)], INK, 1.0);
        }
    }
}

impl Canvas {
    fn bar(&mut self, (from, to): (f64, f64), y: f64, colour: RGBColor) {
        self.rectangle((from.min(to), y), (from.max(to), y + BAR - 1.0), colour, 1.0);
    }
}
