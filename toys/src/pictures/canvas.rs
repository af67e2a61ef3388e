//! What figures are drawn on: shapes and words placed in pixels, whichever backend of plotters is below.
//!
//! Plotters places shapes at whole units. Three units to the pixel place markers and letters exactly enough, and averaged
//! over each pixel they give the PNG smooth edges (see [`render`](super::render)).

use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, DrawingAreaErrorKind, DrawingBackend, FontDesc, FontFamily, FontStyle,
    FontTransform, PathElement, Polygon, Rectangle, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBAColor, RGBColor, TextStyle};

/// Units of the backend per pixel.
pub(super) const UNITS: u32 = 3;
/// Letters, axes and ticks.
pub(super) const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// What stands behind the data: diagonals, levels, truth.
pub(super) const FAINT: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);
/// Height of capitals of Noto Sans, em.
const CAPITALS: f64 = 0.714;
/// Ascent and descent of Noto Sans together, em.
const LINE: f64 = (2189.0 + 600.0) / 2048.0;

/// What drawing on a backend returns.
pub(super) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// A point, pixels from the left and from the top.
pub(super) type Point = (f64, f64);

/// What a backend makes: they place text differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Text stays text, in a font of who looks at it.
    Svg,
    /// Text becomes pixels.
    Png,
}

/// A surface to draw on.
pub(super) struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    format: Format,
}

/// A word or a line of text, centred on a height.
#[derive(Clone)]
pub(super) struct Label<'a> {
    text: &'a str,
    at: Point,
    em: f64,
    anchor: HPos,
    colour: RGBColor,
    style: FontStyle,
    turn: FontTransform,
    max_width: f64,
}

impl<'a> Label<'a> {
    /// Small upright text around a point.
    pub(super) fn new(text: &'a str, at: Point) -> Self {
        Self {
            text,
            at,
            em: 13.0,
            anchor: HPos::Center,
            colour: INK,
            style: FontStyle::Normal,
            turn: FontTransform::None,
            max_width: f64::INFINITY,
        }
    }

    /// The same with the letters' size in pixels.
    pub(super) fn size(self, em: f64) -> Self {
        Self { em, ..self }
    }

    /// The same, starting or ending at the point.
    pub(super) fn anchor(self, anchor: HPos) -> Self {
        Self { anchor, ..self }
    }

    /// The same in another colour.
    pub(super) fn colour(self, colour: RGBColor) -> Self {
        Self { colour, ..self }
    }

    /// The same in bold.
    pub(super) fn bold(self) -> Self {
        Self {
            style: FontStyle::Bold,
            ..self
        }
    }

    /// The same, to be read from below.
    pub(super) fn upwards(self) -> Self {
        Self {
            turn: FontTransform::Rotate270,
            ..self
        }
    }

    /// The same in smaller letters where it would be wider than so many pixels.
    pub(super) fn fit(self, max_width: f64) -> Self {
        Self { max_width, ..self }
    }
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// The whole of a backend.
    pub(super) fn new(area: DrawingArea<DB, Shift>, format: Format) -> Self {
        Self { area, format }
    }

    /// Ends the drawing.
    pub(super) fn finish(&self) -> Drawn<DB> {
        self.area.present()
    }

    /// A filled rectangle from its upper left corner. Thin ones serve as crisp lines.
    pub(super) fn rectangle(&self, at: Point, size: Point, colour: impl Color) -> Drawn<DB> {
        let (left, top) = units(at);
        let (right, bottom) = units((at.0 + size.0, at.1 + size.1));
        let corners = [(left, top), (right, bottom)];
        self.area.draw(&Rectangle::new(corners, colour.filled()))
    }

    /// A line through points.
    pub(super) fn path(&self, points: &[Point], width: f64, colour: impl Color) -> Drawn<DB> {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        let style = colour.stroke_width(length(width));
        self.area.draw(&PathElement::new(points, style))
    }

    /// A dashed straight line.
    pub(super) fn dashes(&self, from: Point, to: Point, colour: impl Color) -> Drawn<DB> {
        const DASH: f64 = 5.0;
        const PERIOD: f64 = 9.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |pixels: f64| {
            let part = (pixels / length).min(1.0);
            (
                from.0 + part * (to.0 - from.0),
                from.1 + part * (to.1 - from.1),
            )
        };
        let mut start = 0.0;
        while start < length {
            self.path(&[along(start), along(start + DASH)], 1.0, colour.to_rgba())?;
            start += PERIOD;
        }
        Ok(())
    }

    /// A filled outline.
    pub(super) fn polygon(&self, points: &[Point], colour: impl Color) -> Drawn<DB> {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        self.area.draw(&Polygon::new(points, colour.filled()))
    }

    /// A filled circle.
    pub(super) fn disc(&self, at: Point, radius: f64, colour: impl Color) -> Drawn<DB> {
        self.area
            .draw(&Circle::new(units(at), length(radius), colour.filled()))
    }

    /// A hollow circle.
    pub(super) fn ring(&self, at: Point, radius: f64, colour: impl Color) -> Drawn<DB> {
        let style = colour.stroke_width(length(1.3));
        self.area
            .draw(&Circle::new(units(at), length(radius), style))
    }

    /// Text. The backends differ in what a font size means and in where a line of text stands, so both are evened out.
    pub(super) fn label(&self, label: &Label<'_>) -> Drawn<DB> {
        let text: String = label.text.chars().filter(|c| !c.is_control()).collect();
        let em = label.em * f64::from(UNITS);
        let em = em * (label.max_width / width(&text, label)).min(1.0);
        let (size_per_em, baseline) = match self.format {
            Format::Svg => (1.24, 0.76),
            Format::Png => (LINE, LINE / 2.0),
        };
        let font = FontDesc::new(FontFamily::SansSerif, em * size_per_em, label.style);
        let style = TextStyle::from(font.transform(label.turn.clone()))
            .color(&label.colour)
            .pos(Pos::new(label.anchor, VPos::Top));
        let rise = (CAPITALS / 2.0 - baseline) * em / f64::from(UNITS);
        let at = match label.turn {
            FontTransform::None => (label.at.0, label.at.1 + rise),
            _ => (label.at.0 + rise, label.at.1),
        };
        self.area.draw(&Text::new(text, units(at), style))
    }
}

/// Width of a label at its full size, pixels: measured large, where rounding does not matter.
fn width(text: &str, label: &Label<'_>) -> f64 {
    const LARGE: f64 = 100.0;
    let font = FontDesc::new(FontFamily::SansSerif, LARGE * LINE, label.style);
    let large = font.box_size(text).map_or(0, |(width, _)| width);
    (f64::from(large) * label.em / LARGE).max(1.0)
}

/// A colour through which what is behind it shows.
pub(super) fn see_through(colour: RGBColor, opacity: f64) -> RGBAColor {
    colour.mix(opacity)
}

/// A point in units of the backend.
fn units(at: Point) -> (i32, i32) {
    (rounded(at.0), rounded(at.1))
}

/// A length in units of the backend, at least one.
fn length(pixels: f64) -> u32 {
    rounded(pixels).max(1).unsigned_abs()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a canvas has a few thousand units; a cast saturates, and what lies outside is not drawn"
)]
fn rounded(pixels: f64) -> i32 {
    (pixels * f64::from(UNITS)).round() as i32
}
