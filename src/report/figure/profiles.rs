//! Performance profiles: for each human-normalised score the part of all runs that got more.

use super::canvas::Canvas;
use super::scale::{Scale, number};
use super::{Figure, N_COLOURS};
use crate::report::statistics::Profile;

const WIDTH: f64 = 380.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = WIDTH - 14.0;
const PLOT_HEIGHT: f64 = 190.0;

/// The profile of a variant.
#[derive(Clone, Debug)]
pub(crate) struct ProfileCurve<'a> {
    /// Decides colour and form.
    pub(crate) variant: usize,
    /// Its name.
    pub(crate) label: &'a str,
    /// The profile.
    pub(crate) profile: &'a Profile,
    /// Whether its intervals mean anything: every game has two seeds.
    pub(crate) has_band: bool,
}

/// Draws the profiles at the scores `taus`.
pub(crate) fn profiles(name: String, taus: &[f64], curves: &[ProfileCurve<'_>]) -> Figure {
    let title = "Performance profiles".to_owned();
    let mut canvas = Canvas::default();
    canvas.text("t", (8.0, 18.0), &title);
    let mut top = 36.0;
    for curve in curves {
        canvas.mark(curve.variant, (14.0, top - 4.0));
        canvas.text_within("", (23.0, top), curve.label, WIDTH - 40.0);
        top += 16.0;
    }
    let bottom = top + PLOT_HEIGHT;
    let x = Scale::new((0.0, taus.last().copied().unwrap_or(1.0)), (LEFT, RIGHT));
    let y = Scale::new((0.0, 1.0), (bottom, top));
    axes(&mut canvas, &x, &y, bottom);
    for curve in curves {
        draw(&mut canvas, curve, taus, (&x, &y));
    }
    Figure {
        name,
        description: description(curves),
        title,
        size: (WIDTH, bottom + 36.0),
        body: canvas.into_body(),
    }
}

fn axes(canvas: &mut Canvas, x: &Scale, y: &Scale, bottom: f64) {
    for tick in y.ticks(4) {
        canvas.line("grid", (LEFT, y.at(tick)), (RIGHT, y.at(tick)));
        canvas.text(
            "e",
            (LEFT - 6.0, y.at(tick) + 4.0),
            &format!("{:.0}%", tick * 100.0),
        );
    }
    for tick in x.ticks(5) {
        canvas.line("axis", (x.at(tick), bottom), (x.at(tick), bottom + 4.0));
        canvas.text("m", (x.at(tick), bottom + 16.0), &number(tick));
    }
    canvas.line("axis", (LEFT, bottom), (RIGHT, bottom));
    canvas.text(
        "m",
        (f64::midpoint(LEFT, RIGHT), bottom + 30.0),
        "human-normalised score",
    );
}

fn draw(canvas: &mut Canvas, curve: &ProfileCurve<'_>, taus: &[f64], (x, y): (&Scale, &Scale)) {
    let colour = curve.variant % N_COLOURS;
    let line = |value: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        let points = taus.iter().enumerate();
        points
            .map(|(index, &tau)| (x.at(tau), y.at(value(index))))
            .collect()
    };
    let intervals = &curve.profile.intervals;
    if curve.has_band {
        let (low, high) = (
            line(&|tau| intervals[tau].low),
            line(&|tau| intervals[tau].high),
        );
        canvas.band(&format!("band f{colour}"), &low, &high);
    }
    let points = line(&|tau| curve.profile.above[tau]);
    canvas.path(&format!("mean s{colour}"), &points, curve.label);
    // Marks where profiles differ most, not at an end where all of them meet.
    canvas.mark(
        curve.variant,
        points[points.len() / (4 + curve.variant % 3)],
    );
}

fn description(curves: &[ProfileCurve<'_>]) -> String {
    let told = curves.iter().map(|curve| {
        let above = curve.profile.above.first().copied().unwrap_or(0.0);
        format!(
            "{:.0}% of the runs of {} are better than a random player",
            above * 100.0,
            curve.label
        )
    });
    told.collect::<Vec<_>>().join("; ") + "."
}
