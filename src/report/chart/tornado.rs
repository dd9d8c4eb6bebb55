//! Two bars from nothing for each input, with their intervals. A tornado: how far an input moves a date when it is at its low and at its high
//! end, the widest first; and two estimates of what an input does.

use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::canvas::{
    COLOURS, Canvas, Draw, GREY, INK, Outcome, PALE, Paper, ROW, TEXT, TITLE, height, round_step, width, wrapped,
};

/// More inputs than these are not drawn; the subtitle says so.
pub(super) const MOST_BARS: usize = 24;

const EDGE: f64 = 10.0;
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

/// Where everything lies on a paper.
struct Layout {
    title: Vec<String>,
    subtitle: Vec<String>,
    key: f64,
    /// The names of the inputs in lines, and where they begin.
    names: Vec<(f64, Vec<String>)>,
    axis: f64,
    height: f64,
}

impl Tornado {
    fn layout(&self, paper: Paper) -> Layout {
        let room = paper.width() - 2.0 * EDGE;
        let (title, subtitle) = if paper.titled {
            (wrapped(&self.title, TITLE, room), wrapped(&self.subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let key = EDGE + title.len() as f64 * height(TITLE) + subtitle.len() as f64 * ROW;
        let mut y = key + 2.0 * ROW + 8.0;
        let mut names = Vec::new();
        for bars in &self.bars {
            let lines = wrapped(&bars.name, TEXT, room);
            let lines_height = lines.len() as f64 * ROW;
            names.push((y, lines));
            y += lines_height + 2.0 * BAR + BETWEEN;
        }
        Layout { title, subtitle, key, names, axis: y, height: y + 2.0 * ROW + EDGE }
    }

    /// The least and the most that the axis has to hold; nothing lies within it.
    fn range(&self) -> (f64, f64) {
        let all = self.bars.iter().flat_map(|bars| bars.ends).flat_map(|(days, (low, high))| [days, low, high]);
        let (least, most) = all.fold((0.0_f64, 0.0_f64), |(least, most), days| (least.min(days), most.max(days)));
        let spare = (most - least).max(1e-3) * 0.04;
        (least - spare, most + spare)
    }
}

impl Draw for Tornado {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK)?;
        canvas.lines(&layout.subtitle, (EDGE, EDGE + layout.title.len() as f64 * height(TITLE)), TEXT, GREY)?;
        let mut x = EDGE;
        for (place, text) in self.key.iter().enumerate() {
            canvas.rectangle((x, layout.key + 3.0), (x + SAMPLE, layout.key + 3.0 + BAR), COLOURS[place], 1.0)?;
            canvas.text(text, (x + SAMPLE + 6.0, layout.key), TEXT, GREY, HPos::Left)?;
            x += SAMPLE + 6.0 + width(text, TEXT) + 24.0;
        }
        canvas.text(&self.unit, (EDGE, layout.key + ROW), TEXT, GREY, HPos::Left)?;
        let (left, right) = (EDGE + 4.0, canvas.paper.width() - EDGE - 4.0);
        let (least, most) = self.range();
        let at = |days: f64| left + (right - left) * (days - least) / (most - least);
        let top = layout.key + 2.0 * ROW + 6.0;
        for (days, text) in ticks(least, most, ((right - left) / 90.0).max(2.0), self.is_signed) {
            let x = at(days);
            canvas.path(&[(x, top), (x, layout.axis)], PALE, 1.0)?;
            let half = width(&text, TEXT) / 2.0;
            let middle = x.min(right + 4.0 - half).max(left - 4.0 + half);
            canvas.text(&text, (middle, layout.axis + 6.0), TEXT, GREY, HPos::Center)?;
        }
        canvas.path(&[(at(0.0), top), (at(0.0), layout.axis)], INK, 1.0)?;
        for (bars, (y, lines)) in self.bars.iter().zip(&layout.names) {
            let below = y + lines.len() as f64 * ROW;
            // A line of the axis behind a name would cross its letters.
            let widest = lines.iter().map(|line| width(line, TEXT)).fold(0.0, f64::max);
            canvas.blank((EDGE - 2.0, y - 1.0), (EDGE + widest + 2.0, below - 2.0))?;
            canvas.lines(lines, (EDGE, *y), TEXT, INK)?;
            for (place, (days, interval)) in bars.ends.iter().enumerate() {
                let y = below + place as f64 * BAR;
                canvas.bar((at(0.0), at(*days)), y, COLOURS[place])?;
                let middle = y + BAR / 2.0;
                canvas.path(&[(at(interval.0), middle), (at(interval.1), middle)], INK, 1.0)?;
            }
            // Beside its bars, and not through its name.
            canvas.path(&[(at(0.0), below), (at(0.0), below + 2.0 * BAR)], INK, 1.0)?;
        }
        Ok(())
    }
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn bar(&self, (from, to): (f64, f64), y: f64, colour: RGBColor) -> Outcome<DB::ErrorType> {
        self.rectangle((from.min(to), y), (from.max(to), y + BAR - 1.0), colour, 1.0)
    }
}

/// Round values from the least to the most, nothing among them.
pub(super) fn ticks(least: f64, most: f64, about: f64, is_signed: bool) -> Vec<(f64, String)> {
    let step = round_step((most - least) / about);
    let digits = (-step.log10().floor()).max(0.0) as usize;
    // 0.25 has one digit more than its power of ten.
    let digits = if (step * 10_f64.powi(digits as i32)).fract().abs() > 1e-6 { digits + 1 } else { digits };
    let (from, to) = ((least / step).ceil() as i64, (most / step).floor() as i64);
    let text = |number: i64| match number {
        0 => "0".to_owned(),
        _ if is_signed => format!("{:+.digits$}", number as f64 * step),
        _ => format!("{:.digits$}", number as f64 * step),
    };
    (from..=to).map(|number| (number as f64 * step, text(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_have_nothing_among_them() {
        let texts = |least, most| ticks(least, most, 4.0, true).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(-0.6, 0.9), ["-0.5", "0", "+0.5"]);
        assert_eq!(texts(-3.0, 5.1), ["-2.5", "0", "+2.5", "+5.0"]);
        assert_eq!(texts(-0.004, 0.0), ["-0.004", "-0.003", "-0.002", "-0.001", "0"]);
        assert_eq!(ticks(0.0, 1.0, 2.0, false)[1].1, "0.5", "an amount has no sign");
    }

    #[test]
    fn every_bar_lies_within_the_axis() {
        let ends = [(-1.0, (-1.4, -0.6)), (2.0, (1.5, 2.5))];
        let tornado = Tornado {
            title: "t".into(),
            subtitle: "s".into(),
            key: ["at P10".into(), "at P90".into()],
            unit: "days".into(),
            is_signed: true,
            bars: vec![Bars { name: "an input with a long name ".repeat(8), ends }; 3],
        };
        let (least, most) = tornado.range();
        assert!(least < -1.4 && most > 2.5);
        super::super::canvas::register().unwrap();
        for paper in [Paper::FILE, Paper::PAGE, Paper::PHONE] {
            let layout = tornado.layout(paper);
            assert!(layout.axis < layout.height && layout.names.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for (_, lines) in &layout.names {
                assert!(lines.iter().all(|line| width(line, TEXT) <= paper.width() - 2.0 * EDGE), "{lines:?}");
            }
        }
    }
}
