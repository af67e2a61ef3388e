//! The few kinds of marks that our figures have, as SVG text.

use std::fmt::Write as _;

use super::{N_COLOURS, escape};

/// Width of a letter of the small text on average, in pixels; generous, so that nothing runs over its end.
const LETTER: f64 = 6.7;

/// What is drawn so far.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
}

impl Canvas {
    /// The elements.
    pub(super) fn into_body(self) -> String {
        self.body
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// Lines through all points, with a text that shows when pointed at.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], told: &str) {
        if points.len() > 1 {
            let _ = writeln!(
                self.body,
                "<path class=\"{class}\" d=\"M{}\"><title>{}</title></path>",
                join(points),
                escape(told)
            );
        }
    }

    /// The area between two lines over the same places.
    pub(super) fn band(&mut self, class: &str, low: &[(f64, f64)], high: &[(f64, f64)]) {
        if low.len() > 1 {
            let back: Vec<(f64, f64)> = high.iter().rev().copied().collect();
            let _ = writeln!(
                self.body,
                "<path class=\"{class}\" d=\"M{}L{}Z\"/>",
                join(low),
                join(&back)
            );
        }
    }

    /// The mark of a variant: of another form for each of four, so that colour is not all that tells them apart.
    pub(super) fn mark(&mut self, variant: usize, (x, y): (f64, f64)) {
        let points: &[(f64, f64)] = match variant % 4 {
            0 => {
                let colour = variant % N_COLOURS;
                let _ = writeln!(
                    self.body,
                    "<circle class=\"f{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
                );
                return;
            }
            1 => &[(-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)],
            2 => &[(0.0, -4.6), (4.6, 3.8), (-4.6, 3.8)],
            _ => &[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)],
        };
        self.polygon(&format!("f{}", variant % N_COLOURS), (x, y), points);
    }

    /// The mark of a published reference: of another form for each of four, then the same filled.
    pub(super) fn reference_mark(&mut self, reference: usize, at: (f64, f64)) {
        let points: &[(f64, f64)] = match reference % 4 {
            0 => &[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)],
            1 => &[(0.0, -4.2), (4.0, 3.2), (-4.0, 3.2)],
            2 => &[(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)],
            _ => &[(0.0, 4.2), (4.0, -3.2), (-4.0, -3.2)],
        };
        let class = if reference % 8 < 4 {
            "refdot"
        } else {
            "refdot solid"
        };
        self.polygon(class, at, points);
    }

    fn polygon(&mut self, class: &str, (x, y): (f64, f64), points: &[(f64, f64)]) {
        let moved: Vec<(f64, f64)> = points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        let _ = writeln!(
            self.body,
            "<path class=\"{class}\" d=\"M{}Z\"/>",
            join(&moved)
        );
    }

    /// A text whose baseline is at `y`.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(text)
        );
    }

    /// A text that is cut to a width in pixels.
    pub(super) fn text_within(&mut self, class: &str, at: (f64, f64), text: &str, width: f64) {
        self.text(class, at, &shortened(text, width));
    }
}

/// The width of a small text, in pixels.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().map(|_| LETTER).sum()
}

fn shortened(text: &str, width: f64) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut room = width - 2.0 * LETTER;
    let fits = |_: &char| {
        room -= LETTER;
        room >= 0.0
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('\u{2026}');
    short
}

fn join(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{x:.1} {y:.1}", if index == 0 { "" } else { "L" });
    }
    text
}
