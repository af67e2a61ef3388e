//! What was measured before the first epoch and after each: `epochs.csv`, and what follows from it.
//!
//! | column          | meaning                                                                     |
//! |-----------------|-----------------------------------------------------------------------------|
//! | `epoch`         | number of the epoch, from 1; 0 is before the first update, see below        |
//! | `updates`       | optimizer steps so far                                                      |
//! | `seconds`       | wall seconds of training so far, the tests after each epoch included        |
//! | `learning_rate` | of the epoch                                                                |
//! | `train_loss`    | mean loss of the epoch's batches, without regularisation                    |
//! | `train_metric`  | mean metric of the epoch's batches, before each one's update                |
//! | `test_metric`   | metric of the whole test part at the epoch's end, in evaluation mode        |
//!
//! In the row of epoch 0, `train_loss` and `train_metric` are those of the whole training part, in evaluation mode.

use std::fmt::Write as _;

use rlrun_toys::json::number;
use rlrun_toys::task::Task;
use serde::{Deserialize, Serialize};

/// One epoch. See the module for the columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochRow {
    /// Number, from 1; 0 is before the first update.
    pub(crate) epoch: u64,
    /// Updates so far.
    pub(crate) updates: u64,
    /// Seconds so far.
    pub(crate) seconds: f64,
    /// Learning rate.
    pub(crate) learning_rate: f64,
    /// Loss on the batches.
    #[serde(deserialize_with = "number")]
    pub(crate) train_loss: f64,
    /// Metric on the batches.
    #[serde(deserialize_with = "number")]
    pub(crate) train_metric: f64,
    /// Metric on the test part.
    #[serde(deserialize_with = "number")]
    pub(crate) test_metric: f64,
}

/// The table as CSV.
pub(crate) fn to_csv(rows: &[EpochRow]) -> String {
    let mut text =
        "epoch,updates,seconds,learning_rate,train_loss,train_metric,test_metric\n".to_owned();
    for row in rows {
        let _ = writeln!(
            text,
            "{},{},{:.3},{},{:.6},{:.6},{:.6}",
            row.epoch,
            row.updates,
            row.seconds,
            row.learning_rate,
            row.train_loss,
            row.train_metric,
            row.test_metric
        );
    }
    text
}

/// The first epoch with a test metric of `level` or better.
pub(crate) fn first_to(rows: &[EpochRow], task: Task, level: f64) -> Option<&EpochRow> {
    rows.iter()
        .find(|row| !task.is_better(level, row.test_metric) && row.test_metric.is_finite())
}

/// The first epoch with the best test metric of all.
pub(crate) fn best(rows: &[EpochRow], task: Task) -> Option<&EpochRow> {
    let finite = rows.iter().filter(|row| row.test_metric.is_finite());
    finite.reduce(|best, row| {
        if task.is_better(row.test_metric, best.test_metric) {
            row
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(metrics: &[f64]) -> Vec<EpochRow> {
        let rows = metrics.iter().zip(1..);
        rows.map(|(&test_metric, epoch)| EpochRow {
            epoch,
            updates: 10 * epoch,
            seconds: 0.5,
            learning_rate: 0.01,
            train_loss: 1.0,
            train_metric: 0.25,
            test_metric,
        })
        .collect()
    }

    #[test]
    fn levels_are_reached_from_below_or_for_a_distance_from_above() {
        let scores = rows(&[0.1, f64::NAN, 0.8, 0.9, 0.9, 0.2]);
        let epoch = |row: Option<&EpochRow>| row.map(|row| row.epoch);
        assert_eq!(epoch(first_to(&scores, Task::Classification, 0.8)), Some(3));
        assert_eq!(epoch(first_to(&scores, Task::Classification, 0.95)), None);
        assert_eq!(epoch(best(&scores, Task::Rendering)), Some(4));
        let distances = rows(&[30.0, 2.0, 0.5, 0.7]);
        assert_eq!(epoch(first_to(&distances, Task::Regression, 1.0)), Some(3));
        assert_eq!(epoch(best(&distances, Task::Regression)), Some(3));
        assert_eq!(best(&[], Task::Regression), None);
    }

    #[test]
    fn the_table_has_a_header_and_a_line_per_epoch() {
        let text = to_csv(&rows(&[0.5]));
        assert_eq!(
            text.lines().last(),
            Some("1,10,0.500,0.01,1.000000,0.250000,0.500000")
        );
        assert_eq!(text.lines().count(), 2);
    }
}
