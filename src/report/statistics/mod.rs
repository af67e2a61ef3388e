//! The statistics of a report, as pure functions of scores.
//!
//! Over games: the aggregates, profiles and stratified bootstrap of Agarwal et al. 2021 (arXiv 2108.13264), as their package
//! `rliable` computes them; `golden.rs` compares. Over the seeds of one game: Student's t, because a bootstrap of three seeds
//! gives intervals that are far too narrow.
//!
//! ```text
//! Scores     [game][run], human-normalised
//! aggregate  mean, median, interquartile mean, optimality gap
//! improvement, profile     what else is said over games
//! bootstrap  repeats, each from a resample of the runs within each game
//! student    intervals of a mean and of a difference of means
//! ```

mod aggregate;
mod bootstrap;
mod improvement;
mod profile;
mod student;

pub(crate) use aggregate::{Aggregates, aggregates, mean};
pub(crate) use bootstrap::Bootstrap;
pub(crate) use improvement::probability_of_improvement;
pub(crate) use profile::{Profile, profile};
pub(crate) use student::{difference_interval, mean_interval};

/// The scores of one variant: for each game those of its runs.
pub(crate) type Scores = Vec<Vec<f64>>;

/// An interval that a value lies in with a confidence of 95%.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// Its lower end.
    pub(crate) low: f64,
    /// Its upper end.
    pub(crate) high: f64,
}

/// The confidence of every interval in a report.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// A count as a number to compute with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of runs, games and steps are below 2^53"
)]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod golden;
