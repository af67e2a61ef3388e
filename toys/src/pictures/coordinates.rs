//! Liu et al. 2018, figure 5, right: where a network that is shown a pixel says the pixel is.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::not_so_clevr::CANVAS;
use crate::task::NetKind;

use super::axis::Axis;
use super::canvas::{Canvas, Drawn, FAINT, Label, Point};
use super::grid::{Grid, few};
use super::panel::{Panel, Up};
use super::render::{Figure, TITLE, picture};
use super::{Picture, PictureError};

/// Distances between named values, pixels of the data set.
const STEP: f64 = 16.0;
/// How far beyond the data set's canvas the axes may grow on each side, pixels of the data set.
const BEYOND: f64 = 64.0;
/// Around predictions outside the data set's canvas, pixels of the data set: their dots are whole.
const SLACK: f64 = 2.0;
/// Radius of a dot, pixels of the data set: neighbours do not touch.
const RADIUS: f64 = 0.35;
/// Around a panel's field, with axis and caption, pixels.
const LEFT: u32 = 64;
const RIGHT: u32 = 20;
const ABOVE: u32 = 4;
const BELOW: u32 = 84;

/// A panel of [`predicted_coordinates`]. Points are (x, y) in pixels of the data set, from its upper left corner.
#[derive(Clone, Copy, Debug)]
pub struct CoordinatesPanel<'a> {
    /// What stands below the panel.
    pub caption: &'a str,
    /// Whose predictions these are.
    pub net: NetKind,
    /// What the network said.
    pub predicted: &'a [(f64, f64)],
    /// Where the pixels were.
    pub truth: &'a [(f64, f64)],
}

/// A panel per set of examples: the predictions in the network's colour over the truth in grey, y downwards. The axes of
/// all panels are the same; they grow with predictions outside 0 to 64, up to 64 more on each side, and a panel says how
/// many points lie beyond that.
///
/// # Errors
///
/// Where the drawing fails; no data makes it fail.
pub fn predicted_coordinates(
    title: &str,
    panels: &[CoordinatesPanel<'_>],
) -> Result<Picture, PictureError> {
    picture(&Coordinates::new(title, panels))
}

struct Coordinates<'a> {
    title: &'a str,
    panels: &'a [CoordinatesPanel<'a>],
    /// The least and the greatest value on every axis.
    range: (f64, f64),
    grid: Grid,
}

impl Figure for Coordinates<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn size(&self) -> (u32, u32) {
        self.grid.size()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let grey = Label::new(
            "grey: truth",
            (f64::from(self.size().0) - 20.0, TITLE / 2.0),
        );
        canvas.label(&grey.size(12.0).anchor(HPos::Right))?;
        for (panel_idx, corner) in self.grid.corners().enumerate() {
            let panel = self.panel(corner);
            if let Some(data) = self.panels.get(panel_idx) {
                self.draw_panel(canvas, &panel, data)?;
            } else {
                panel.draw_axes(canvas)?;
                panel.draw_no_runs(canvas)?;
            }
        }
        Ok(())
    }
}

impl<'a> Coordinates<'a> {
    fn new(title: &'a str, panels: &'a [CoordinatesPanel<'a>]) -> Self {
        let (n_columns, side) = match panels.len() {
            0 | 1 => (1, 340),
            2 | 4 => (2, 340),
            _ => (3, 208),
        };
        Self {
            title,
            panels,
            range: range(panels),
            grid: Grid {
                n_columns,
                n_panels: few(panels.len()),
                cell: (side + LEFT + RIGHT, side + ABOVE + BELOW),
            },
        }
    }

    /// The field and axes of the panel in a cell.
    fn panel(&self, corner: Point) -> Panel {
        let side = f64::from(self.grid.cell.0 - LEFT - RIGHT);
        Panel {
            at: (corner.0 + f64::from(LEFT), corner.1 + f64::from(ABOVE)),
            size: (side, side),
            x: Axis::linear("x, pixels", self.range, STEP),
            y: Axis::linear("y, pixels", self.range, STEP),
            up: Up::Low,
        }
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        panel: &Panel,
        data: &CoordinatesPanel<'_>,
    ) -> Drawn<DB> {
        let (truth, _) = self.inside(data.truth);
        let (predicted, n_outside) = self.inside(data.predicted);
        self.draw_dots(canvas, panel, &truth, FAINT)?;
        self.draw_dots(canvas, panel, &predicted, data.net.colour())?;
        panel.draw_axes(canvas)?;
        let (left, top) = panel.at;
        let (width, height) = panel.size;
        if n_outside > 0 {
            let text = format!("{n_outside} outside the axes");
            let at = (left + width, top + 8.0);
            canvas.label(&Label::new(&text, at).size(12.0).anchor(HPos::Right))?;
        }
        if truth.is_empty() && predicted.is_empty() && n_outside == 0 {
            panel.draw_no_runs(canvas)?;
        }
        let caption = Label::new(data.caption, (left + width / 2.0, top + height + 60.0));
        canvas.label(&caption.size(14.0).fit(width + 40.0))
    }

    fn draw_dots<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        panel: &Panel,
        points: &[(f64, f64)],
        colour: RGBColor,
    ) -> Drawn<DB> {
        let pixel = panel.size.0 / (self.range.1 - self.range.0);
        for &(x, y) in points {
            canvas.disc(panel.point(x, y), RADIUS * pixel, colour)?;
        }
        Ok(())
    }

    /// The points that the axes hold, and how many finite ones they do not.
    fn inside(&self, points: &[(f64, f64)]) -> (Vec<(f64, f64)>, usize) {
        let held = |value: f64| self.range.0 <= value && value <= self.range.1;
        let (inside, outside): (Vec<_>, Vec<_>) =
            finite(points).partition(|&(x, y)| held(x) && held(y));
        (inside, outside.len())
    }
}

/// The points whose coordinates are numbers.
fn finite(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points
        .iter()
        .copied()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
}

/// The canvas of the data set, grown to hold the predictions as far as it may.
fn range(panels: &[CoordinatesPanel<'_>]) -> (f64, f64) {
    let side = f64::from(few(CANVAS));
    let predicted = panels.iter().flat_map(|panel| finite(panel.predicted));
    predicted
        .flat_map(|(x, y)| [x, y])
        .map(|value| value.clamp(-BEYOND, side + BEYOND))
        .fold((0.0, side), |(low, high), value| match value {
            _ if value < 0.0 => (low.min(value - SLACK), high),
            _ if value > side => (low, high.max(value + SLACK)),
            _ => (low, high),
        })
}
