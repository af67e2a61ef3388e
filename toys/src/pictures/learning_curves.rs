//! Liu et al. 2018, figures 4 and 6, right: how the test metric grows with the time spent on training.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use crate::task::NetKind;

use super::axis::Axis;
use super::canvas::{Canvas, Drawn, FAINT, Label, Point, see_through};
use super::over_runs::{Curve, MEASURABLE, Summary, in_order, summaries};
use super::panel::{Panel, Up};
use super::render::{Figure, TITLE, WIDTH, picture};
use super::{Picture, PictureError};

/// The metric at which the paper compares times.
const LEVEL: f64 = 0.8;
/// The field: its corner and its size, pixels.
const AT: Point = (78.0, TITLE + 30.0);
const SIZE: Point = (792.0, 340.0);
/// From the field's lower and upper edge to 0 and to 1.
const SLACK: f64 = 0.02;
/// What the horizontal axis measures.
const TIME: &str = "training time, seconds";

/// How seconds are spread along their axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XAxis {
    /// Equal distances for equal differences, from 0.
    Linear,
    /// Equal distances for equal ratios, from half the time of the first measurement after 0: left of that measurement stands
    /// what was measured at 0.
    Log,
}

/// What [`learning_curves`] draws.
#[derive(Clone, Copy, Debug)]
pub struct CurvesSpec<'a> {
    /// What stands above the figure.
    pub title: &'a str,
    /// What is measured, 0 to 1: "accuracy", "IOU".
    pub metric: &'a str,
    /// How seconds are spread.
    pub x_axis: XAxis,
    /// The runs. The paper shows those that end at 0.8 or above.
    pub curves: &'a [Curve],
}

/// Per network a line at the median of the runs and a band from the least to the greatest. Between measurements a run has
/// the value of the last one, after its end too, until the network's longest run ends.
///
/// # Errors
///
/// Where the drawing fails; no data makes it fail.
pub fn learning_curves(spec: &CurvesSpec<'_>) -> Result<Picture, PictureError> {
    picture(spec)
}

/// The measured runs of a network.
struct NetRuns {
    net: NetKind,
    runs: Vec<Vec<(f64, f64)>>,
}

impl Figure for CurvesSpec<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH, 474)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let nets = NetKind::ALL.map(|net| self.runs_of(net));
        let (x, start) = self.time_axis(&nets);
        let label = format!("test {}", self.metric);
        let panel = Panel {
            at: AT,
            size: SIZE,
            x,
            y: Axis::linear(&label, (-SLACK, 1.0 + SLACK), 0.2),
            up: Up::High,
        };
        let (_, level) = panel.point(start, LEVEL);
        canvas.rectangle((AT.0, level - 0.5), (SIZE.0, 1.0), FAINT)?;
        let measured: Vec<&NetRuns> = nets.iter().filter(|n| !n.runs.is_empty()).collect();
        let drawn: Vec<(NetKind, Vec<Summary>)> = measured
            .iter()
            .map(|n| (n.net, summaries(&n.runs, &panel.x, start)))
            .collect();
        for (net, summaries) in &drawn {
            draw_band(canvas, &panel, *net, summaries)?;
        }
        for (net, summaries) in &drawn {
            draw_median(canvas, &panel, *net, summaries)?;
        }
        panel.draw_axes(canvas)?;
        if measured.is_empty() {
            return panel.draw_no_runs(canvas);
        }
        draw_legend(canvas, &measured)
    }
}

impl CurvesSpec<'_> {
    fn runs_of(&self, net: NetKind) -> NetRuns {
        let of_net = self.curves.iter().filter(|curve| curve.net == net);
        let runs = of_net.map(in_order).filter(|run| !run.is_empty()).collect();
        NetRuns { net, runs }
    }

    /// The axis that holds all runs, and its low end.
    fn time_axis(&self, nets: &[NetRuns]) -> (Axis, f64) {
        let points = nets.iter().flat_map(|n| &n.runs).flatten();
        let times = points
            .map(|&(time, _)| time)
            .filter(|time| MEASURABLE.contains(time));
        let (low, high) = times.fold((f64::INFINITY, 0.0_f64), |(low, high), time| {
            (low.min(time), high.max(time))
        });
        let (low, high) = if high > 0.0 { (low, high) } else { (1.0, 1.0) };
        match self.x_axis {
            XAxis::Linear => (Axis::from_zero(TIME, high), 0.0),
            // A single time gets some room on its right, too.
            XAxis::Log => {
                let end = if high / low < 1.01 { high * 2.0 } else { high };
                (Axis::log(TIME, (low / 2.0, end)), low / 2.0)
            }
        }
    }
}

fn draw_band<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    net: NetKind,
    summaries: &[Summary],
) -> Drawn<DB> {
    let mut outline = steps(panel, summaries, |summary| summary.greatest);
    let mut below = steps(panel, summaries, |summary| summary.least);
    below.reverse();
    outline.append(&mut below);
    canvas.polygon(&outline, see_through(net.colour(), 0.18))
}

fn draw_median<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    net: NetKind,
    summaries: &[Summary],
) -> Drawn<DB> {
    let line = steps(panel, summaries, |summary| summary.median);
    canvas.path(&line, 2.0, net.colour())
}

/// A value over time: level until it changes, then upright.
fn steps(panel: &Panel, summaries: &[Summary], value: impl Fn(&Summary) -> f64) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for summary in summaries {
        let (x, y) = panel.point(summary.time, value(summary));
        if let Some(&(_, last_y)) = points.last() {
            points.push((x, last_y));
        }
        points.push((x, y));
    }
    points
}

/// One row: the networks with their numbers of runs, and what line and band are.
fn draw_legend<DB: DrawingBackend>(canvas: &Canvas<DB>, nets: &[&NetRuns]) -> Drawn<DB> {
    const Y: f64 = TITLE + 6.0;
    let mut x = AT.0;
    for NetRuns { net, runs } in nets {
        canvas.rectangle((x, Y - 7.0), (26.0, 14.0), see_through(net.colour(), 0.18))?;
        canvas.rectangle((x, Y - 1.0), (26.0, 2.0), net.colour())?;
        let text = net.with_runs(runs.len());
        canvas.label(&Label::new(&text, (x + 34.0, Y)).anchor(HPos::Left))?;
        x += 220.0;
    }
    let meaning = Label::new("line: median, band: least to greatest", (AT.0 + SIZE.0, Y));
    canvas.label(&meaning.anchor(HPos::Right))
}
