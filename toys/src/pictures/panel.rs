//! A panel: two axes around a field of data.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{Canvas, Drawn, INK, Label, Point};

/// Width of the axes' lines and ticks, pixels.
const LINE: f64 = 1.0;
/// Length of a named tick, pixels.
const TICK: f64 = 5.0;
/// From an axis to its label's centre, pixels.
const TO_X_LABEL: f64 = 36.0;
/// From an axis to its label's centre, pixels: tick names are wider than high.
const TO_Y_LABEL: f64 = 44.0;

/// Which end of the vertical axis is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Up {
    /// Greater values, as in charts.
    High,
    /// Lesser values, as rows of an image are counted.
    Low,
}

/// A field of the canvas with its axes.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// The field's upper left corner.
    pub(super) at: Point,
    /// Width and height of the field, pixels.
    pub(super) size: Point,
    /// The horizontal axis.
    pub(super) x: Axis,
    /// The vertical axis.
    pub(super) y: Axis,
    /// Its direction.
    pub(super) up: Up,
}

impl Panel {
    /// Where a pair of values lies on the canvas.
    pub(super) fn point(&self, x: f64, y: f64) -> Point {
        let down = match self.up {
            Up::High => 1.0 - self.y.part(y),
            Up::Low => self.y.part(y),
        };
        (
            self.at.0 + self.x.part(x) * self.size.0,
            self.at.1 + down * self.size.1,
        )
    }

    /// The middle of the field.
    pub(super) fn centre(&self) -> Point {
        (self.at.0 + self.size.0 / 2.0, self.at.1 + self.size.1 / 2.0)
    }

    /// The line left of the field and the one below it, with ticks and labels.
    pub(super) fn draw_axes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let (left, bottom) = (self.at.0, self.at.1 + self.size.1);
        canvas.rectangle((left - LINE, self.at.1), (LINE, self.size.1 + LINE), INK)?;
        canvas.rectangle((left - LINE, bottom), (self.size.0 + LINE, LINE), INK)?;
        self.draw_x_ticks(canvas)?;
        self.draw_y_ticks(canvas)?;
        let (middle_x, middle_y) = self.centre();
        let x_label = Label::new(&self.x.label, (middle_x, bottom + TO_X_LABEL));
        let y_label = Label::new(&self.y.label, (left - TO_Y_LABEL, middle_y));
        canvas.label(&x_label.fit(self.size.0))?;
        canvas.label(&y_label.fit(self.size.1).upwards())
    }

    fn draw_x_ticks<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let bottom = self.at.1 + self.size.1;
        for tick in self.x.ticks() {
            let x = self.at.0 + self.x.part(tick.value) * self.size.0;
            let length = tick.name.as_ref().map_or(TICK / 2.0, |_| TICK);
            canvas.rectangle((x - LINE / 2.0, bottom), (LINE, length), INK)?;
            if let Some(name) = tick.name {
                canvas.label(&Label::new(&name, (x, bottom + 15.0)).size(12.0))?;
            }
        }
        Ok(())
    }

    fn draw_y_ticks<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        for tick in self.y.ticks() {
            let (_, y) = self.point(0.0, tick.value);
            canvas.rectangle((self.at.0 - TICK, y - LINE / 2.0), (TICK, LINE), INK)?;
            if let Some(name) = tick.name {
                let label = Label::new(&name, (self.at.0 - TICK - 4.0, y));
                canvas.label(&label.size(12.0).anchor(HPos::Right))?;
            }
        }
        Ok(())
    }

    /// Says in the middle of the field that there is nothing to show.
    pub(super) fn draw_no_runs<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        canvas.label(&Label::new("no runs", self.centre()).size(14.0))
    }
}
