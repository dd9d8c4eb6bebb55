//! Charts as SVG and PNG: the only place that knows plotters' backends.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, Color, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea, IntoFont, PathElement,
    Polygon, Rectangle, SVGBackend, Text, TextStyle, TriangleMarker, WHITE,
};
use plotters::style::text_anchor::{Pos, VPos};

use super::canvas::{Canvas, Draw, INK, Paper, Shape, register};

/// A PNG is twice as large as the SVG, since bitmap text is uneven at its own size, unless that takes more pixels than this.
const PIXELS: f64 = 16e6;

/// The drawing as SVG.
pub(super) fn svg(drawing: &dyn Draw, paper: Paper) -> io::Result<String> {
    register()?;
    let mut text = String::new();
    let size = (paper.width, drawing.height(paper).ceil() as u32);
    print(&shapes(drawing, paper), &SVGBackend::with_string(&mut text, size).into_drawing_area(), 1.0)?;
    Ok(text)
}

/// The drawing as PNG.
pub(super) fn png(drawing: &dyn Draw, paper: Paper) -> io::Result<Vec<u8>> {
    register()?;
    let height = drawing.height(paper).ceil();
    let scale = if paper.width() * height * 4.0 <= PIXELS { 2_u32 } else { 1 };
    let (width, height) = (paper.width * scale, height as u32 * scale);
    let mut pixels = vec![0; (width * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    print(&shapes(drawing, paper), &area, f64::from(scale))?;
    drop(area);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Charts are mostly white: what takes ten times as long makes them hardly any smaller.
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer.write_image_data(&pixels).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)?;
    Ok(bytes)
}

fn shapes(drawing: &dyn Draw, paper: Paper) -> Vec<Shape> {
    let mut canvas = Canvas::new(paper);
    drawing.draw(&mut canvas);
    canvas.shapes
}

fn print<DB: DrawingBackend>(shapes: &[Shape], area: &DrawingArea<DB, Shift>, scale: f64) -> io::Result<()> {
    let all = || {
        area.fill(&WHITE)?;
        for shape in shapes {
            shape.print(area, scale)?;
        }
        area.present()
    };
    all().map_err(|error: DrawingAreaErrorKind<DB::ErrorType>| io::Error::other(error.to_string()))
}

impl Shape {
    fn print<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        scale: f64,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let pixel = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
        let pixels = |places: &[(f64, f64)]| places.iter().map(|place| pixel(*place)).collect::<Vec<(i32, i32)>>();
        match self {
            Self::Rectangle { corners, colour, opacity } => {
                area.draw(&Rectangle::new(corners.map(pixel), colour.mix(*opacity).filled()))
            }
            Self::Triangle { place } => {
                area.draw(&TriangleMarker::new(pixel(*place), (6.0 * scale) as i32, INK.filled()))
            }
            Self::Polygon { edge, colour, opacity } => {
                area.draw(&Polygon::new(pixels(edge), colour.mix(*opacity).filled()))
            }
            Self::Path { points, colour, width } => {
                area.draw(&PathElement::new(pixels(points), colour.stroke_width((width * scale).round() as u32)))
            }
            Self::Text { text, place, size, colour, anchor } => {
                let style: TextStyle<'_> = ("sans-serif", size * scale).into_font().into();
                let style = style.color(colour).pos(Pos::new(*anchor, VPos::Top));
                area.draw(&Text::new(text.as_str(), pixel(*place), style))
            }
        }
    }
}
