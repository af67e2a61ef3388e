//! The figures of Liu et al. 2018 (figures 2 and 4 to 6), drawn from data as SVG and as PNG.
//!
//! Each figure is drawn by one function for both formats, on a canvas measured in pixels. Pictures need no font of the
//! machine, and the same data give the same bytes. Values that are not finite are left out; a figure without data says
//! "no runs".

mod axis;
mod canvas;
mod coordinates;
mod generalisation;
mod grid;
mod learning_curves;
mod over_runs;
mod panel;
mod pixel_sums;
mod render;
#[cfg(test)]
mod tests;

use plotters::style::RGBColor;

use crate::task::NetKind;

pub use self::coordinates::{CoordinatesPanel, predicted_coordinates};
pub use self::generalisation::{RunPoint, ScatterSpec, generalisation};
pub use self::learning_curves::{CurvesSpec, XAxis, learning_curves};
pub use self::over_runs::Curve;
pub use self::pixel_sums::{pixel_images, pixel_sums};

/// One drawing in two formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The text of an SVG document.
    pub svg: String,
    /// The bytes of a PNG file, 900 pixels wide or, with many panels, wider.
    pub png: Vec<u8>,
}

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The values of a heat map do not fill the canvas of the data set.
    #[error("panel {panel_idx} (`{caption}`) has {got} values, expected {expected}")]
    PanelSize {
        /// Which panel, from 0.
        panel_idx: usize,
        /// What stands below it.
        caption: String,
        /// Pixels of the canvas.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A grid of panels was asked to have no column.
    #[error("the panels need at least 1 column, got 0")]
    NoColumns,
    /// The built-in font is damaged.
    #[error("the built-in font could not be read")]
    Font,
    /// A drawing backend failed.
    #[error("drawing the {format} failed")]
    Draw {
        /// The format being drawn.
        format: &'static str,
        /// What the backend says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The pixels could not be written as PNG.
    #[error("encoding the PNG failed")]
    Encode(#[from] png::EncodingError),
}

impl NetKind {
    /// The name in legends and above panels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conv => "Convolution",
            Self::CoordConv => "CoordConv",
        }
    }

    /// The name and of how many runs something is.
    fn with_runs(self, n_runs: usize) -> String {
        match n_runs {
            0 => self.label().to_owned(),
            1 => format!("{}, 1 run", self.label()),
            _ => format!("{}, {n_runs} runs", self.label()),
        }
    }

    /// Blue and orange can be told apart by people who see few colours.
    fn colour(self) -> RGBColor {
        match self {
            Self::Conv => RGBColor(0x2b, 0x6c, 0xb0),
            Self::CoordConv => RGBColor(0xd9, 0x48, 0x0f),
        }
    }
}
