//! What can go wrong in this crate without being a bug: an image too small for the torso, and saved tensors that do not fit.

use thiserror::Error;

use crate::{ObsShape, TorsoKind};

/// The error of this crate.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NnError {
    /// The torso's convolutions leave nothing of so small an image.
    #[error(
        "an observation of {height}x{width} pixels is too small for the Nature torso, which needs at least {min}x{min}"
    )]
    ObsTooSmall {
        /// Rows of the observation.
        height: i64,
        /// Columns of the observation.
        width: i64,
        /// The least number of rows, and of columns.
        min: i64,
    },
    /// The torso is made for observations of another kind.
    #[error("a {torso} torso cannot look at {obs}")]
    TorsoMismatch {
        /// The torso.
        torso: TorsoKind,
        /// The observations.
        obs: ObsShape,
    },
    /// Operations on a GPU could not be put into one graph, or a graph not be started.
    #[error("a CUDA graph could not be captured or started: {cause}")]
    CudaGraph {
        /// What libtorch says.
        cause: String,
    },
    /// A count that must be positive is not.
    #[error("{what} must be at least 1, got {got}")]
    NotPositive {
        /// The name of the count.
        what: &'static str,
        /// Its value.
        got: i64,
    },
    /// A saved list of tensors has another length than the one it is loaded into.
    #[error("expected {expected} saved tensors, got {got}")]
    TensorCount {
        /// How many there are here.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// A saved tensor stands where another name is expected.
    #[error("expected the saved tensor {expected:?}, got {got:?}")]
    TensorName {
        /// The name here.
        expected: String,
        /// The name that was given.
        got: String,
    },
    /// A saved tensor has another shape than the one it is loaded into.
    #[error("saved tensor {name:?}: expected shape {expected:?}, got {got:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape here.
        expected: Vec<i64>,
        /// The shape that was given.
        got: Vec<i64>,
    },
    /// A name is not one of the closed list.
    #[error("unknown {what} {got:?}: expected {expected}")]
    UnknownName {
        /// What is named.
        what: &'static str,
        /// The names there are.
        expected: &'static str,
        /// The name that was given.
        got: String,
    },
}
