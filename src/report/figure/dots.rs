//! Values with their intervals, one row each, in panels below each other.

use super::canvas::Canvas;
use super::scale::{Scale, number};
use super::{Figure, N_COLOURS};
use crate::report::statistics::Interval;

const WIDTH: f64 = 380.0;
const LEFT: f64 = 14.0;
const RIGHT: f64 = WIDTH - 14.0;
/// Height of a row: its label above, its dot below.
const ROW: f64 = 34.0;

/// What is drawn.
#[derive(Debug)]
pub(crate) struct DotsSpec<'a> {
    /// The name of its files.
    pub(crate) name: String,
    /// What the figure is about.
    pub(crate) title: String,
    /// Panels with a title each and an axis of their own.
    pub(crate) panels: &'a [(String, Vec<DotRow>)],
    /// A value that is marked by a line in every panel.
    pub(crate) marked: Option<f64>,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) struct DotRow {
    /// Decides colour and form.
    pub(crate) variant: usize,
    /// Whose it is.
    pub(crate) label: String,
    /// The value.
    pub(crate) value: f64,
    /// Its 95% interval, if there is one.
    pub(crate) interval: Option<Interval>,
}

/// Draws the figure.
pub(crate) fn dots(spec: &DotsSpec<'_>) -> Figure {
    let mut canvas = Canvas::default();
    canvas.text_within("t", (8.0, 18.0), &spec.title, WIDTH);
    let mut top = 26.0;
    for (title, rows) in spec.panels {
        top = panel(&mut canvas, (title, rows), spec.marked, top);
    }
    Figure {
        name: spec.name.clone(),
        title: spec.title.clone(),
        description: description(spec),
        size: (WIDTH, top + 4.0),
        body: canvas.into_body(),
    }
}

/// Draws a panel from `top` on, and returns its lower edge.
fn panel(
    canvas: &mut Canvas,
    (title, rows): (&str, &[DotRow]),
    marked: Option<f64>,
    top: f64,
) -> f64 {
    let first = if title.is_empty() { top } else { top + 16.0 };
    canvas.text("", (8.0, top + 12.0), title);
    let bottom = rows.iter().fold(first, |bottom, _| bottom + ROW) + 6.0;
    let values = rows.iter().flat_map(|row| {
        let ends = row
            .interval
            .map_or([row.value; 2], |interval| [interval.low, interval.high]);
        ends.into_iter().chain([row.value]).chain(marked)
    });
    let x = Scale::around(values, (LEFT, RIGHT));
    for tick in x.ticks(5) {
        canvas.line("grid", (x.at(tick), first), (x.at(tick), bottom));
        canvas.text(
            "m",
            (x.at(tick).clamp(LEFT + 6.0, RIGHT - 6.0), bottom + 13.0),
            &number(tick),
        );
    }
    if let Some(value) = marked {
        canvas.line("zero", (x.at(value), first), (x.at(value), bottom));
    }
    canvas.line("axis", (LEFT, bottom), (RIGHT, bottom));
    let mut y = first + 13.0;
    for row in rows {
        let told = row.interval.map_or_else(String::new, |interval| {
            format!(" [{}, {}]", number(interval.low), number(interval.high))
        });
        canvas.text_within(
            "over",
            (LEFT, y),
            &format!("{}: {}{told}", row.label, number(row.value)),
            RIGHT - LEFT,
        );
        if let Some(interval) = row.interval {
            let class = format!("bar s{}", row.variant % N_COLOURS);
            canvas.line(
                &class,
                (x.at(interval.low), y + 11.0),
                (x.at(interval.high), y + 11.0),
            );
        }
        canvas.mark(row.variant, (x.at(row.value), y + 11.0));
        y += ROW;
    }
    bottom + 22.0
}

fn description(spec: &DotsSpec<'_>) -> String {
    let rows = spec
        .panels
        .iter()
        .flat_map(|(title, rows)| rows.iter().map(move |row| (title, row)));
    let told = rows.map(|(title, row)| {
        let interval = row.interval.map_or_else(
            || "no interval".to_owned(),
            |i| format!("95% interval {} to {}", number(i.low), number(i.high)),
        );
        format!("{title} {}: {}, {interval}", row.label, number(row.value))
            .trim_start()
            .to_owned()
    });
    told.collect::<Vec<_>>().join("; ") + "."
}
