//! Marks below each other on one axis, each below its name: how bars and dots of several rows are laid out.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, GREY, INK, PALE, Paper, ROW, TEXT, TITLE, height, round_step, width, wrapped};

pub(super) const EDGE: f64 = 10.0;

/// Where everything lies on a paper.
pub(super) struct Strips {
    title: Vec<String>,
    subtitle: Vec<String>,
    /// Where the lines above the axis begin: what signs say, and the unit.
    pub(super) above: f64,
    top: f64,
    /// The names in lines, and where they begin.
    names: Vec<(f64, Vec<String>)>,
    axis: f64,
    pub(super) height: f64,
}

impl Strips {
    /// So many lines above the axis, and below each name so much room for its marks.
    pub(super) fn new<'a>(
        paper: Paper,
        (title, subtitle): (&str, &str),
        lines_above: f64,
        names: impl Iterator<Item = &'a str>,
        marks: f64,
    ) -> Self {
        let room = paper.width() - 2.0 * EDGE;
        let (title, subtitle) = if paper.titled {
            (wrapped(title, TITLE, room), wrapped(subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let above = EDGE + title.len() as f64 * height(TITLE) + subtitle.len() as f64 * ROW;
        let top = above + lines_above * ROW + 6.0;
        let mut y = top + 2.0;
        let place = |name: &str| {
            let (at, lines) = (y, wrapped(name, TEXT, room));
            y += lines.len() as f64 * ROW + marks;
            (at, lines)
        };
        let names = names.map(place).collect();
        Self { title, subtitle, above, top, names, axis: y, height: y + 2.0 * ROW + EDGE }
    }

    /// Title and subtitle.
    pub(super) fn head(&self, canvas: &mut Canvas) {
        canvas.lines(&self.title, (EDGE, EDGE), TITLE, INK);
        canvas.lines(&self.subtitle, (EDGE, EDGE + self.title.len() as f64 * height(TITLE)), TEXT, GREY);
    }

    /// The axis over a range, with its lines and its numbers, and where nothing is.
    pub(super) fn axis(&self, canvas: &mut Canvas, scale: &Scale, is_signed: bool) {
        let (left, right) = scale.ends;
        for (number, text) in ticks(scale.range, ((right - left) / 90.0).max(2.0), is_signed) {
            let x = scale.at(number);
            canvas.path(&[(x, self.top), (x, self.axis)], PALE, 1.0);
            let half = width(&text, TEXT) / 2.0;
            let middle = x.min(right + 4.0 - half).max(left - 4.0 + half);
            canvas.text(&text, (middle, self.axis + 6.0), TEXT, GREY, HPos::Center);
        }
        canvas.path(&[(scale.at(0.0), self.top), (scale.at(0.0), self.axis)], INK, 1.0);
    }

    /// The name of a row.
    pub(super) fn name(&self, canvas: &mut Canvas, row: usize) {
        let (y, lines) = &self.names[row];
        // A line of the axis behind a name would cross its letters.
        let widest = lines.iter().map(|line| width(line, TEXT)).fold(0.0, f64::max);
        canvas.blank((EDGE - 2.0, y - 1.0), (EDGE + widest + 2.0, self.marks(row) - 2.0));
        canvas.lines(lines, (EDGE, *y), TEXT, INK);
    }

    /// Where the marks of a row begin.
    pub(super) fn marks(&self, row: usize) -> f64 {
        let (y, lines) = &self.names[row];
        y + lines.len() as f64 * ROW
    }
}

/// Where a number lies across a paper.
pub(super) struct Scale {
    ends: (f64, f64),
    range: (f64, f64),
}

impl Scale {
    /// For these numbers and nothing, with room to spare; a unit to either side where there is nothing else.
    pub(super) fn new(paper: Paper, numbers: impl Iterator<Item = f64>) -> Self {
        let (least, most) = numbers.fold((0.0_f64, 0.0_f64), |(least, most), one| (least.min(one), most.max(one)));
        let spare = if least < most { (most - least) * 0.04 } else { 1.0 };
        Self { ends: (EDGE + 4.0, paper.width() - EDGE - 4.0), range: (least - spare, most + spare) }
    }

    pub(super) fn at(&self, number: f64) -> f64 {
        let ((left, right), (least, most)) = (self.ends, self.range);
        left + (right - left) * (number - least) / (most - least)
    }
}

/// Round values from the least to the most, nothing among them.
fn ticks((least, most): (f64, f64), about: f64, is_signed: bool) -> Vec<(f64, String)> {
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
        let texts = |least, most| ticks((least, most), 4.0, true).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(-0.6, 0.9), ["-0.5", "0", "+0.5"]);
        assert_eq!(texts(-3.0, 5.1), ["-2.5", "0", "+2.5", "+5.0"]);
        assert_eq!(texts(-0.004, 0.0), ["-0.004", "-0.003", "-0.002", "-0.001", "0"]);
        assert_eq!(ticks((0.0, 1.0), 2.0, false)[1].1, "0.5", "an amount has no sign");
    }

    #[test]
    fn numbers_and_nothing_lie_on_the_axis_and_names_keep_within_the_paper() {
        let name = "a variant with a long name ".repeat(8);
        for paper in [Paper::FILE, Paper::PAGE, Paper::PHONE] {
            let strips = Strips::new(paper, ("t", "s"), 1.0, [name.as_str(); 3].into_iter(), 30.0);
            assert!(strips.axis < strips.height && strips.names.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(strips.marks(0) + 30.0 <= strips.names[1].0 + 1e-9);
            for (_, lines) in &strips.names {
                assert!(lines.iter().all(|line| width(line, TEXT) <= paper.width() - 2.0 * EDGE), "{lines:?}");
            }
            assert_eq!(ticks(Scale::new(paper, [0.0; 2].into_iter()).range, 4.0, true).len(), 5, "from -1.0 to +1.0");
            for numbers in [[2.0, 3.5], [-3.5, -2.0]] {
                let scale = Scale::new(paper, numbers.into_iter());
                for number in numbers.into_iter().chain([0.0]) {
                    assert!(scale.at(number) > EDGE && scale.at(number) < paper.width() - EDGE, "{number}");
                }
            }
        }
    }
}
