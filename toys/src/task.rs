//! The three coordinate tasks of the paper and the two networks that are set against each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::not_so_clevr::Location;

/// What is learned (Liu et al. 2018, sections 4.1 to 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// From a location, the pixel it stands for, out of 4096.
    Classification,
    /// From a picture of one pixel, its location.
    Regression,
    /// From a location, the picture of a 9x9 square around it.
    Rendering,
}

/// Which network learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetKind {
    /// Convolutions, or transposed ones, alone.
    Conv,
    /// Convolutions that see coordinates.
    CoordConv,
}

/// How a location is written as the two numbers that go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Pixels, 4 to 59, as in the released code.
    Raw,
    /// On the scale of the coordinate channels: -1 at the first pixel, 1 at the last.
    Centred,
}

/// What a rendering is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenderLoss {
    /// Cross-entropy of each pixel's sigmoid.
    Sigmoid,
    /// Squared error of each pixel's sigmoid.
    Mse,
}

impl Task {
    /// All of them, in the paper's order.
    pub const ALL: [Self; 3] = [Self::Classification, Self::Regression, Self::Rendering];

    /// What the metric is called, with its unit.
    pub const fn metric_name(self) -> &'static str {
        match self {
            Self::Classification => "accuracy",
            Self::Regression => "distance_px",
            Self::Rendering => "iou",
        }
    }

    /// Whether a metric of `a` is better than one of `b`: a distance is the better the smaller it is.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self {
            Self::Classification | Self::Rendering => a > b,
            Self::Regression => a < b,
        }
    }
}

impl NetKind {
    /// Both, as the paper sets them against each other.
    pub const ALL: [Self; 2] = [Self::Conv, Self::CoordConv];
}

impl Input {
    /// A location as it goes in, (x, y).
    pub fn of(self, location: Location) -> [f32; 2] {
        [location.x, location.y].map(|pixel| match self {
            Self::Raw => f32::from(pixel),
            Self::Centred => f32::from(pixel) * (2.0 / 63.0) - 1.0,
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::Rendering => "rendering",
        })
    }
}

impl fmt::Display for NetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conv => "conv",
            Self::CoordConv => "coordconv",
        })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Centred => "centred",
        })
    }
}

impl fmt::Display for RenderLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sigmoid => "sigmoid",
            Self::Mse => "mse",
        })
    }
}
