//! Learning curves of one game: each seed thin, the mean of a variant thick in its 95% band, published references grey.

use super::canvas::{Canvas, width_of};
use super::scale::{Scale, number, step_count};
use super::{Figure, N_COLOURS};
use crate::report::references::Overlay;
use crate::report::score::steps;
use crate::report::statistics::Interval;

const WIDTH: f64 = 380.0;
const PLOT_HEIGHT: f64 = 190.0;
/// Left edge of the plot, right of the labels.
const LEFT: f64 = 56.0;
const RIGHT: f64 = WIDTH - 12.0;
/// Height of a row of the legend.
const ROW: f64 = 16.0;

/// What is drawn.
#[derive(Debug)]
pub(crate) struct CurvesSpec<'a> {
    /// The name of its files.
    pub(crate) name: String,
    /// The game.
    pub(crate) title: String,
    /// Agent steps at which all that follows has values.
    pub(crate) grid: &'a [u64],
    /// The variants.
    pub(crate) curves: &'a [VariantCurve],
    /// Published results for the same game, agent and protocol.
    pub(crate) overlays: &'a [Overlay<'a>],
}

/// The curves of a variant.
#[derive(Clone, Debug)]
pub(crate) struct VariantCurve {
    /// Its place in the cohort, which decides its colour.
    pub(crate) variant: usize,
    /// Its name.
    pub(crate) label: String,
    /// The mean over seeds at each point of the grid.
    pub(crate) mean: Vec<Option<f64>>,
    /// Its 95% interval; none for a single seed.
    pub(crate) band: Vec<Option<Interval>>,
    /// Each seed's curve, with what it is called.
    pub(crate) seeds: Vec<(String, Vec<Option<f64>>)>,
    /// The same of runs that do not count.
    pub(crate) drawn_only: Vec<(String, Vec<Option<f64>>)>,
}

/// Draws the figure.
pub(crate) fn learning_curves(spec: &CurvesSpec<'_>) -> Figure {
    let mut canvas = Canvas::default();
    canvas.text("t", (8.0, 18.0), &spec.title);
    let top = legend(&mut canvas, spec) + 10.0;
    let bottom = top + PLOT_HEIGHT;
    let end = spec.grid.last().copied().unwrap_or(1).max(1);
    let x = Scale::new((0.0, steps(end)), (LEFT, RIGHT));
    let y = Scale::around(all_values(spec), (bottom, top));
    axes(&mut canvas, &x, &y, bottom);
    for curve in spec.curves {
        draw_variant(&mut canvas, curve, spec.grid, (&x, &y));
    }
    for (index, overlay) in spec.overlays.iter().enumerate() {
        draw_overlay(&mut canvas, index, overlay, (&x, &y));
    }
    Figure {
        name: spec.name.clone(),
        title: spec.title.clone(),
        description: description(spec),
        size: (WIDTH, bottom + 36.0),
        body: canvas.into_body(),
    }
}

fn all_values<'a>(spec: &'a CurvesSpec<'_>) -> impl Iterator<Item = f64> + 'a {
    let of_curves = spec.curves.iter().flat_map(|curve| {
        let seeds = curve
            .seeds
            .iter()
            .chain(&curve.drawn_only)
            .flat_map(|(_, values)| values)
            .flatten();
        let mean = curve.mean.iter().flatten();
        // The band of two seeds may be a hundred times as wide as what they got: it may leave the plot.
        seeds.chain(mean).copied()
    });
    of_curves.chain(
        spec.overlays
            .iter()
            .flat_map(|overlay| overlay.points.iter().map(|point| point.1)),
    )
}

/// Draws the legend under the title, and returns its lower edge.
fn legend(canvas: &mut Canvas, spec: &CurvesSpec<'_>) -> f64 {
    let variants = spec
        .curves
        .iter()
        .map(|curve| (Ok(curve.variant), &curve.label));
    let references = spec.overlays.iter().enumerate();
    let references = references.map(|(index, overlay)| (Err(index), &overlay.series.name));
    let (mut x, mut y) = (14.0, 36.0);
    for (mark, label) in variants.chain(references) {
        let width = width_of(label).min(WIDTH - 50.0) + 26.0;
        if x + width > WIDTH && x > 14.0 {
            (x, y) = (14.0, y + ROW);
        }
        match mark {
            Ok(variant) => canvas.mark(variant, (x, y - 4.0)),
            Err(reference) => canvas.reference_mark(reference, (x, y - 4.0)),
        }
        canvas.text_within("", (x + 9.0, y), label, WIDTH - 50.0);
        x += width;
    }
    y
}

fn axes(canvas: &mut Canvas, x: &Scale, y: &Scale, bottom: f64) {
    for tick in y.ticks(4) {
        canvas.line("grid", (LEFT, y.at(tick)), (RIGHT, y.at(tick)));
        canvas.text("e", (LEFT - 6.0, y.at(tick) + 4.0), &number(tick));
    }
    for tick in x.ticks(4) {
        let at = x.at(tick);
        canvas.line("axis", (at, bottom), (at, bottom + 4.0));
        let class = if at > RIGHT - 8.0 { "e" } else { "m" };
        canvas.text(class, (at.min(RIGHT), bottom + 16.0), &step_count(tick));
    }
    canvas.line("axis", (LEFT, bottom), (RIGHT, bottom));
    canvas.text(
        "m",
        (f64::midpoint(LEFT, RIGHT), bottom + 30.0),
        "agent steps",
    );
}

fn draw_variant(canvas: &mut Canvas, curve: &VariantCurve, grid: &[u64], (x, y): (&Scale, &Scale)) {
    let place = |at: u64, value: f64| (x.at(steps(at)), y.at(value));
    let line = |values: &[Option<f64>]| -> Vec<(f64, f64)> {
        let points = grid.iter().zip(values);
        points
            .filter_map(|(&at, value)| value.map(|value| place(at, value)))
            .collect()
    };
    let colour = curve.variant % N_COLOURS;
    let ends = grid.iter().zip(&curve.band);
    let ends: Vec<(u64, Interval)> = ends
        .filter_map(|(&at, band)| band.map(|band| (at, band)))
        .collect();
    let clamp = |(px, py): (f64, f64)| (px, py.clamp(y.top(), y.bottom()));
    let low: Vec<(f64, f64)> = ends
        .iter()
        .map(|(at, band)| clamp(place(*at, band.low)))
        .collect();
    let high: Vec<(f64, f64)> = ends
        .iter()
        .map(|(at, band)| clamp(place(*at, band.high)))
        .collect();
    canvas.band(&format!("band f{colour}"), &low, &high);
    for (told, values) in &curve.seeds {
        canvas.path(&format!("seed s{colour}"), &line(values), told);
    }
    for (told, values) in &curve.drawn_only {
        canvas.path(&format!("seed open s{colour}"), &line(values), told);
    }
    let mean = line(&curve.mean);
    canvas.path(
        &format!("mean s{colour}"),
        &mean,
        &format!("{}, mean", curve.label),
    );
    if let Some(&last) = mean.last() {
        canvas.mark(curve.variant, last);
    }
}

fn draw_overlay(
    canvas: &mut Canvas,
    index: usize,
    overlay: &Overlay<'_>,
    (x, y): (&Scale, &Scale),
) {
    let points: Vec<(f64, f64)> = overlay
        .points
        .iter()
        .map(|&(at, score)| (x.at(at), y.at(score)))
        .collect();
    canvas.path("ref", &points, &overlay.series.name);
    for point in points {
        canvas.reference_mark(index, point);
    }
}

fn description(spec: &CurvesSpec<'_>) -> String {
    let last = |curve: &VariantCurve| {
        let mean = curve.mean.iter().rev().flatten().next();
        mean.map(|mean| format!("{} ends at {}", curve.label, number(*mean)))
    };
    let ends: Vec<String> = spec.curves.iter().filter_map(last).collect();
    let end = step_count(steps(spec.grid.last().copied().unwrap_or(0)));
    if ends.is_empty() {
        return format!(
            "Mean score of the last 100 games over {end} agent steps; no run counts yet."
        );
    }
    format!(
        "Mean score of the last 100 games over {end} agent steps: {}.",
        ends.join(", ")
    )
}
