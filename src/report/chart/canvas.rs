//! What charts are drawn on: shapes in their order, colours, the embedded font, and texts that keep within their place.
//!
//! All places are in pixels of the SVG. What becomes of the shapes in a file is not known here.

use std::io;
use std::sync::LazyLock;

use plotters::prelude::{IntoFont, RGBColor, WHITE};
use plotters::style::text_anchor::HPos;
use plotters::style::{FontStyle, register_font};

use super::super::wording::shown;

/// Colours that people with any colour vision tell apart (Okabe and Ito), darkest first.
pub(super) const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const GREY: RGBColor = RGBColor(100, 100, 100);
pub(super) const PALE: RGBColor = RGBColor(222, 222, 222);

/// Size of a title, of a heading, and of all other text; an SVG's own font size is four fifths of it.
pub(super) const TITLE: f64 = 20.0;
pub(super) const HEADING: f64 = 16.0;
pub(super) const TEXT: f64 = 14.5;
/// Height of a line of text.
pub(super) const ROW: f64 = 20.0;

/// What a chart is drawn on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Paper {
    /// Its width in pixels.
    pub(in super::super) width: u32,
    /// Whether the chart tells its own title; on a page the page does.
    pub(in super::super) titled: bool,
}

impl Paper {
    /// A file of its own.
    pub(in super::super) const FILE: Self = Self { width: 1_200, titled: true };
    /// A page on a screen.
    pub(in super::super) const PAGE: Self = Self { width: 860, titled: false };
    /// A page on a telephone.
    pub(in super::super) const PHONE: Self = Self { width: 330, titled: false };

    pub(super) fn width(self) -> f64 {
        f64::from(self.width)
    }
}

/// Something that knows how high it gets on a paper.
pub(super) trait Draw {
    fn height(&self, paper: Paper) -> f64;
    fn draw(&self, canvas: &mut Canvas);
}

/// What has been drawn on a paper: later shapes lie on earlier ones.
pub(super) struct Canvas {
    pub(super) paper: Paper,
    pub(super) shapes: Vec<Shape>,
}

/// One of what all charts are made of.
pub(super) enum Shape {
    Rectangle {
        corners: [(f64, f64); 2],
        colour: RGBColor,
        opacity: f64,
    },
    /// A small triangle that points to a place.
    Triangle {
        place: (f64, f64),
    },
    Polygon {
        edge: Vec<(f64, f64)>,
        colour: RGBColor,
        opacity: f64,
    },
    Path {
        points: Vec<(f64, f64)>,
        colour: RGBColor,
        width: f64,
    },
    Text {
        text: String,
        place: (f64, f64),
        size: f64,
        colour: RGBColor,
        anchor: HPos,
    },
}

impl Canvas {
    pub(super) fn new(paper: Paper) -> Self {
        Self { paper, shapes: Vec::new() }
    }

    /// A label that interrupts any line behind it.
    pub(super) fn label(&mut self, text: &str, (x, y): (f64, f64)) {
        self.blank((x - 2.0, y - 1.0), (x + width(text, TEXT) + 2.0, y + ROW - 3.0));
        self.text(text, (x, y), TEXT, INK, HPos::Left);
    }

    pub(super) fn blank(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.rectangle(from, to, WHITE, 1.0);
    }

    pub(super) fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), colour: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Rectangle { corners: [from, to], colour, opacity });
    }

    pub(super) fn triangle(&mut self, place: (f64, f64)) {
        self.shapes.push(Shape::Triangle { place });
    }

    pub(super) fn polygon(&mut self, edge: impl Iterator<Item = (f64, f64)>, colour: RGBColor) {
        self.shapes.push(Shape::Polygon { edge: edge.collect(), colour, opacity: 0.22 });
    }

    /// The same, opaque.
    pub(super) fn filled(&mut self, edge: impl Iterator<Item = (f64, f64)>, colour: RGBColor) {
        self.shapes.push(Shape::Polygon { edge: edge.collect(), colour, opacity: 1.0 });
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: RGBColor, width: f64) {
        self.shapes.push(Shape::Path { points: points.to_vec(), colour, width });
    }

    /// A level line, in dashes.
    pub(super) fn dashes(&mut self, from: f64, to: f64, y: f64) {
        let mut x = from;
        while x < to {
            self.path(&[(x, y), ((x + 9.0).min(to), y)], INK, 1.5);
            x += 15.0;
        }
    }

    pub(super) fn text(&mut self, text: &str, place: (f64, f64), size: f64, colour: RGBColor, anchor: HPos) {
        self.shapes.push(Shape::Text { text: shown(text), place, size, colour, anchor });
    }

    /// Lines of text below each other.
    pub(super) fn lines(&mut self, lines: &[String], (x, y): (f64, f64), size: f64, colour: RGBColor) {
        for (number, line) in lines.iter().enumerate() {
            self.text(line, (x, y + number as f64 * height(size)), size, colour, HPos::Left);
        }
    }
}

/// Height of a line of text of this size.
pub(super) fn height(size: f64) -> f64 {
    size * ROW / TEXT
}

/// How wide a text gets, in the embedded font; other sans-serif fonts of viewers are hardly ever wider.
pub(super) fn width(text: &str, size: f64) -> f64 {
    // Whoever measures first may be on any thread, and before anything is drawn.
    let measured = register().ok().and_then(|()| ("sans-serif", size).into_font().box_size(text).ok());
    // A font that cannot measure is told of when it has to write.
    measured.map_or_else(|| text.chars().count() as f64 * size * 0.6, |(width, _)| f64::from(width))
}

/// The text, or its beginning with an ellipsis where it is wider than there is room.
pub(super) fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |count: usize| letters[..count].iter().collect::<String>().trim_end().to_owned() + "…";
    // Wider texts have more letters, nearly always: the search looks at a few of them alone.
    let (mut fits, mut wide) = (0, letters.len());
    while fits + 1 < wide {
        let middle = usize::midpoint(fits, wide);
        if width(&cut(middle), size) <= room {
            fits = middle;
        } else {
            wide = middle;
        }
    }
    cut(fits)
}

/// The text in lines no wider than there is room; a longer word is cut.
pub(super) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // A number stays with its per cent sign.
    let text = text.replace(" %", "\u{a0}%");
    let breaks = |letter: char| letter.is_whitespace() && letter != '\u{a0}';
    for word in text.split(breaks).filter(|word| !word.is_empty()) {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if width(&longer, size) <= room {
                *line = longer;
                continue;
            }
        }
        lines.push(fit(word, size, room));
    }
    lines
}

/// 1, 2, 2.5 or 5 times a power of ten, not below the step that is asked for.
pub(super) fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|times| times * power >= step * 0.999);
    times.unwrap_or(10.0) * power
}

/// Makes the embedded font known, if it is not yet.
pub(super) fn register() -> io::Result<()> {
    static KNOWN: LazyLock<bool> =
        LazyLock::new(|| register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).is_ok());
    if *KNOWN { Ok(()) } else { Err(io::Error::other("the chart's font cannot be read")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_axis_are_round() {
        for (asked, step) in [(40_000.0, 50_000.0), (1.0, 1.0), (0.21, 0.25), (1_100.0, 2_000.0)] {
            assert!((round_step(asked) / step - 1.0).abs() < 1e-9, "{asked}: {}", round_step(asked));
        }
    }

    #[test]
    fn texts_keep_within_their_place() {
        // Nobody has drawn anything before: what is measured is the font all the same.
        assert!(width("iiii", TEXT) < 0.5 * width("mmmm", TEXT));
        let long = "head-of-the-old-storage-in-the-second-row and 40 % of it";
        let cut = fit(long, TEXT, 120.0);
        assert!(cut.ends_with('…') && width(&cut, TEXT) <= 120.0, "{cut}");
        assert_eq!(fit("head-1", TEXT, 120.0), "head-1");
        let lines = wrapped(long, TEXT, 120.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, TEXT) <= 120.0), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("40\u{a0}%")), "{lines:?}");
    }
}
