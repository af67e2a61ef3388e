//! What a training came to, beside what the paper says of it.

use std::time::Duration;

use rlrun_toys::json::number;
use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::plan::ToyPlan;
use rlrun_toys::task::{NetKind, Task};
use serde::{Deserialize, Serialize};

use super::history::{EpochRow, best, first_to};
use crate::config::grouped;
use crate::run::progress::human_time;

/// `summary.json` of a finished training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToySummary {
    /// What was done.
    pub(crate) plan: ToyPlan,
    /// How many numbers were learned.
    pub(crate) n_params: usize,
    /// Epochs done.
    pub(crate) epochs: u64,
    /// Optimizer steps done.
    pub(crate) updates: u64,
    /// Wall seconds of training, tests after each epoch included.
    pub(crate) seconds: f64,
    /// Threads it ran on.
    pub(crate) threads: usize,
    /// Metric of the whole training part, in evaluation mode.
    #[serde(deserialize_with = "number")]
    pub(crate) train_metric: f64,
    /// Metric of the whole test part, in evaluation mode.
    #[serde(deserialize_with = "number")]
    pub(crate) test_metric: f64,
    /// The first epoch with a test metric of [`level`] or better.
    pub(crate) to_level: Option<Milestone>,
    /// The first epoch with the best test metric.
    pub(crate) to_best: Option<Milestone>,
    /// Of the learned numbers, in order.
    pub(crate) weights_sha256: String,
}

/// A moment of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Milestone {
    /// The test metric there.
    pub(crate) test_metric: f64,
    /// Epochs until then.
    pub(crate) epoch: u64,
    /// Optimizer steps until then.
    pub(crate) updates: u64,
    /// Wall seconds until then.
    pub(crate) seconds: f64,
}

impl From<&EpochRow> for Milestone {
    fn from(row: &EpochRow) -> Self {
        Self {
            test_metric: row.test_metric,
            epoch: row.epoch,
            updates: row.updates,
            seconds: row.seconds,
        }
    }
}

/// The moments of a history.
pub(crate) fn milestones(rows: &[EpochRow], task: Task) -> [Option<Milestone>; 2] {
    [first_to(rows, task, level(task)), best(rows, task)].map(|row| row.map(Milestone::from))
}

/// The test metric whose time the paper names: 80%, or one pixel for regression, where it names none.
pub(crate) const fn level(task: Task) -> f64 {
    match task {
        Task::Classification | Task::Rendering => 0.8,
        Task::Regression => 1.0,
    }
}

/// A metric for people: `98.3%`, `0.983 IOU` or `0.21 px`.
pub(crate) fn metric_text(task: Task, metric: f64) -> String {
    match task {
        Task::Classification => format!("{:.1}%", 100.0 * metric),
        Task::Rendering => format!("{metric:.3} IOU"),
        Task::Regression => format!("{metric:.2} px"),
    }
}

impl ToySummary {
    /// The verdict, one line.
    pub(crate) fn verdict(&self) -> String {
        let ToyPlan {
            task,
            split,
            net,
            seed,
            ..
        } = self.plan;
        let level = metric_text(task, level(task));
        let to_level = self.to_level.as_ref().map_or_else(
            || format!("never {level} in test"),
            |reached| format!("{level} in test after {}", reached.text()),
        );
        let to_best = self.to_best.as_ref().map_or_else(String::new, |reached| {
            let best = metric_text(task, reached.test_metric);
            format!(", best {best} after {}", reached.text())
        });
        format!(
            "{task} {split} {net} seed {seed}: train {}, test {} | {to_level}{to_best} | {} parameters, {} in all | paper: {}",
            metric_text(task, self.train_metric),
            metric_text(task, self.test_metric),
            grouped(u64::try_from(self.n_params).unwrap_or(u64::MAX)),
            seconds_text(self.seconds),
            paper(task, split, net)
        )
    }
}

impl Milestone {
    fn text(&self) -> String {
        format!(
            "{} ({} updates)",
            seconds_text(self.seconds),
            grouped(self.updates)
        )
    }
}

fn seconds_text(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        human_time(Duration::from_secs_f64(seconds))
    }
}

/// What the paper says (captions and curves of its Figs 4 to 6, and the authors' article); times are of a GPU of 2018.
pub(crate) const fn paper(task: Task, split: Split, net: NetKind) -> &'static str {
    match (task, net, split) {
        (Task::Classification, NetKind::CoordConv, _) => "100% and 100% in 10-20 s",
        (Task::Classification, NetKind::Conv, Split::Uniform) => {
            "up to 100% and never more than about 86%, 80% after 4,000 s"
        }
        (Task::Classification, NetKind::Conv, Split::Quadrant) => "up to 99.6% and about 0%",
        (Task::Regression, NetKind::CoordConv, _) => "a perfect fit of both (no number)",
        (Task::Regression, NetKind::Conv, Split::Uniform) => "a fair fit of both (no number)",
        (Task::Regression, NetKind::Conv, Split::Quadrant) => {
            "a poor fit, and hardly any generalisation (no number)"
        }
        (Task::Rendering, NetKind::CoordConv, _) => "up to 1.0 and 1.0 IOU in about a minute",
        (Task::Rendering, NetKind::Conv, Split::Uniform) => {
            "test never above about 0.83 IOU, 0.8 after some 90 minutes"
        }
        (Task::Rendering, NetKind::Conv, Split::Quadrant) => "test never above 0.36 IOU",
    }
}
