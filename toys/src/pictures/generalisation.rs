//! Liu et al. 2018, figures 4 and 6, left: what each run reaches on the examples it has learned from, and on the others.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::not_so_clevr::Split;
use crate::task::NetKind;

use super::axis::Axis;
use super::canvas::{Canvas, Drawn, FAINT, INK, Label, Point, see_through};
use super::panel::{Panel, Up};
use super::render::{Figure, TITLE, WIDTH, picture};
use super::{Picture, PictureError};

/// Side of a panel, pixels.
const SIDE: f64 = 360.0;
/// The first panel's field begins here, and the second this far from its end, pixels.
const LEFT: f64 = 78.0;
const BETWEEN: f64 = 84.0;
/// Where the fields begin, below the legend and the networks' names, pixels.
const TOP: f64 = TITLE + 52.0;
/// Radii of the markers, pixels: where both stand in one place, both are seen.
const HOLLOW: f64 = 4.7;
const FILLED: f64 = 3.0;
/// From a panel's edges to 0 and to 1, so that markers there are whole.
const SLACK: f64 = 0.03;

/// What one run has reached at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunPoint {
    /// The network it trained.
    pub net: NetKind,
    /// How its examples were parted.
    pub split: Split,
    /// The metric on the training examples, 0 to 1.
    pub train: f64,
    /// The metric on the test examples, 0 to 1.
    pub test: f64,
}

/// What [`generalisation`] draws.
#[derive(Clone, Copy, Debug)]
pub struct ScatterSpec<'a> {
    /// What stands above the figure.
    pub title: &'a str,
    /// What is measured, 0 to 1: "accuracy", "IOU".
    pub metric: &'a str,
    /// A marker each.
    pub runs: &'a [RunPoint],
}

/// A panel per network: the metric on the training examples to the right, on the test examples upwards, a marker per run,
/// hollow for the uniform split and filled for the quadrant. Metrics outside 0 to 1 are drawn at that end.
///
/// # Errors
///
/// Where the drawing fails; no data makes it fail.
pub fn generalisation(spec: &ScatterSpec<'_>) -> Result<Picture, PictureError> {
    picture(spec)
}

impl Figure for ScatterSpec<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH, 516)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_legend(canvas)?;
        for (net, left) in NetKind::ALL.into_iter().zip([LEFT, LEFT + SIDE + BETWEEN]) {
            self.draw_net(canvas, net, left)?;
        }
        Ok(())
    }
}

impl ScatterSpec<'_> {
    fn draw_net<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        net: NetKind,
        left: f64,
    ) -> Drawn<DB> {
        let axis = |part: &str| {
            let label = format!("{part} {}", self.metric);
            Axis::linear(&label, (-SLACK, 1.0 + SLACK), 0.2)
        };
        let panel = Panel {
            at: (left, TOP),
            size: (SIDE, SIDE),
            x: axis("train"),
            y: axis("test"),
            up: Up::High,
        };
        panel.draw_axes(canvas)?;
        let finite = |run: &&RunPoint| run.train.is_finite() && run.test.is_finite();
        let of_net = self.runs.iter().filter(|run| run.net == net);
        let runs: Vec<&RunPoint> = of_net.filter(finite).collect();
        let name = net.with_runs(runs.len());
        let name = Label::new(&name, (left + SIDE / 2.0, TOP - 14.0));
        canvas.label(&name.size(14.0).colour(net.colour()))?;
        if runs.is_empty() {
            return panel.draw_no_runs(canvas);
        }
        canvas.dashes(panel.point(0.0, 0.0), panel.point(1.0, 1.0), FAINT)?;
        for run in runs {
            let at = panel.point(run.train.clamp(0.0, 1.0), run.test.clamp(0.0, 1.0));
            draw_marker(canvas, run.split, at, net.colour())?;
        }
        Ok(())
    }
}

fn draw_marker<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    split: Split,
    at: Point,
    colour: RGBColor,
) -> Drawn<DB> {
    match split {
        Split::Uniform => canvas.ring(at, HOLLOW, colour),
        Split::Quadrant => canvas.disc(at, FILLED, see_through(colour, 0.8)),
    }
}

/// What hollow, filled and dashed mean, in one row.
fn draw_legend<DB: DrawingBackend>(canvas: &Canvas<DB>) -> Drawn<DB> {
    const Y: f64 = TITLE + 8.0;
    let entries = [
        (290.0, "uniform split"),
        (430.0, "quadrant split"),
        (590.0, "test = train"),
    ];
    for (x, text) in entries {
        canvas.label(&Label::new(text, (x, Y)).anchor(HPos::Left))?;
    }
    draw_marker(canvas, Split::Uniform, (entries[0].0 - 12.0, Y), INK)?;
    draw_marker(canvas, Split::Quadrant, (entries[1].0 - 12.0, Y), INK)?;
    canvas.dashes((entries[2].0 - 32.0, Y), (entries[2].0 - 8.0, Y), FAINT)
}
