//! A forest: a dot within its interval for each of several shifts, below each other on one axis.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::canvas::{COLOURS, Canvas, Draw, GREY, INK, Outcome, PALE, Paper, ROW, TEXT, TITLE, height, width, wrapped};
use super::tornado::ticks;

/// More shifts than these are not drawn; the subtitle says so.
pub(super) const MOST_ROWS: usize = 24;

const EDGE: f64 = 10.0;
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

/// Where everything lies on a paper.
struct Layout {
    title: Vec<String>,
    subtitle: Vec<String>,
    unit: f64,
    /// The names in lines, and where they begin.
    names: Vec<(f64, Vec<String>)>,
    axis: f64,
    height: f64,
}

impl Forest {
    fn layout(&self, paper: Paper) -> Layout {
        let room = paper.width() - 2.0 * EDGE;
        let (title, subtitle) = if paper.titled {
            (wrapped(&self.title, TITLE, room), wrapped(&self.subtitle, TEXT, room))
        } else {
            (Vec::new(), Vec::new())
        };
        let unit = EDGE + title.len() as f64 * height(TITLE) + subtitle.len() as f64 * ROW;
        let mut y = unit + ROW + 8.0;
        let mut names = Vec::new();
        for row in &self.rows {
            let lines = wrapped(&row.name, TEXT, room);
            let lines_height = lines.len() as f64 * ROW;
            names.push((y, lines));
            y += lines_height + DOT + BETWEEN;
        }
        Layout { title, subtitle, unit, names, axis: y, height: y + 2.0 * ROW + EDGE }
    }

    /// The least and the most that the axis has to hold, nothing included.
    fn range(&self) -> (f64, f64) {
        let all = self.rows.iter().flat_map(|row| [row.shift, row.interval.0, row.interval.1]);
        let (least, most) = all.fold((0.0_f64, 0.0_f64), |(least, most), days| (least.min(days), most.max(days)));
        let spare = (most - least).max(1e-3) * 0.04;
        (least - spare, most + spare)
    }
}

impl Draw for Forest {
    fn height(&self, paper: Paper) -> f64 {
        self.layout(paper).height
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Outcome<DB::ErrorType> {
        let layout = self.layout(canvas.paper);
        canvas.lines(&layout.title, (EDGE, EDGE), TITLE, INK)?;
        canvas.lines(&layout.subtitle, (EDGE, EDGE + layout.title.len() as f64 * height(TITLE)), TEXT, GREY)?;
        canvas.text(&self.unit, (EDGE, layout.unit), TEXT, GREY, HPos::Left)?;
        let (left, right) = (EDGE + 4.0, canvas.paper.width() - EDGE - 4.0);
        let (least, most) = self.range();
        let at = |days: f64| left + (right - left) * (days - least) / (most - least);
        let top = layout.unit + ROW + 6.0;
        for (days, text) in ticks(least, most, ((right - left) / 90.0).max(2.0), true) {
            let x = at(days);
            canvas.path(&[(x, top), (x, layout.axis)], PALE, 1.0)?;
            let half = width(&text, TEXT) / 2.0;
            let middle = x.min(right + 4.0 - half).max(left - 4.0 + half);
            canvas.text(&text, (middle, layout.axis + 6.0), TEXT, GREY, HPos::Center)?;
        }
        canvas.path(&[(at(0.0), top), (at(0.0), layout.axis)], INK, 1.0)?;
        for (row, (y, lines)) in self.rows.iter().zip(&layout.names) {
            let below = y + lines.len() as f64 * ROW;
            // A line of the axis behind a name would cross its letters.
            let widest = lines.iter().map(|line| width(line, TEXT)).fold(0.0, f64::max);
            canvas.blank((EDGE - 2.0, y - 1.0), (EDGE + widest + 2.0, below - 2.0))?;
            canvas.lines(lines, (EDGE, *y), TEXT, INK)?;
            let (x, middle) = (at(row.shift), below + DOT / 2.0);
            canvas.path(&[(at(row.interval.0), middle), (at(row.interval.1), middle)], INK, 2.0)?;
            for end in [row.interval.0, row.interval.1] {
                canvas.path(&[(at(end), middle - HALF), (at(end), middle + HALF)], INK, 1.0)?;
            }
            canvas.rectangle((x - HALF, middle - HALF), (x + HALF, middle + HALF), COLOURS[0], 1.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shift_and_nothing_lie_on_the_axis_and_names_keep_within_the_paper() {
        let row = |shift: f64| Row {
            name: "a variant with a long name ".repeat(8),
            shift,
            interval: (shift - 0.5, shift + 0.5),
        };
        let forest =
            Forest { title: "t".into(), subtitle: "s".into(), unit: "days".into(), rows: vec![row(2.0), row(3.0)] };
        let (least, most) = forest.range();
        assert!(least < 0.0 && most > 3.5, "{least} {most}");
        super::super::canvas::register().unwrap();
        for paper in [Paper::FILE, Paper::PAGE, Paper::PHONE] {
            let layout = forest.layout(paper);
            assert!(layout.axis < layout.height && layout.names[0].0 < layout.names[1].0);
            for (_, lines) in &layout.names {
                assert!(lines.iter().all(|line| width(line, TEXT) <= paper.width() - 2.0 * EDGE), "{lines:?}");
            }
        }
    }
}
