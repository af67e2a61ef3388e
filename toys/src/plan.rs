//! Everything that decides the numbers of one training.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::not_so_clevr::Split;
use crate::task::{Input, NetKind, RenderLoss, Task};

/// One training: a task, a way to part its examples, a network, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToyPlan {
    /// What is learned.
    pub task: Task,
    /// What is held back for the test.
    pub split: Split,
    /// What learns it.
    pub net: NetKind,
    /// Of the initial weights and of the order of the examples.
    pub seed: u64,
    /// The hyper-parameters.
    pub settings: ToySettings,
}

/// The hyper-parameters. Units and sources stand in `configs/toys.toml`, which has them all; what a network has no use for is
/// absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToySettings {
    /// Passes over the training examples.
    pub epochs: u64,
    /// Examples of one update.
    pub minibatch: usize,
    /// Step size of Adam at the start.
    pub learning_rate: f64,
    /// Epochs between two cuts of the learning rate to a tenth; 0 keeps it.
    pub decay_every_epochs: u64,
    /// How often it is cut at most.
    pub max_decays: u64,
    /// Weight of the sum of the squared kernels in the loss.
    pub l2: f64,
    /// Adam's decay of the mean.
    pub adam_beta1: f64,
    /// Adam's decay of the mean square.
    pub adam_beta2: f64,
    /// Adam's epsilon, in `TensorFlow`'s form.
    pub adam_epsilon: f64,
    /// Multiplies the network's channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// Rows and columns of the kernels, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<i64>,
    /// How a location is written as two numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// What a rendering is compared by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<RenderLoss>,
}

/// Why a plan cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number that is out of its range.
    #[error("{key} must be {expected}, not {got}")]
    OutOfRange {
        /// Name of the setting.
        key: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// More examples in a batch than there are.
    #[error(
        "minibatch = {minibatch} is more than the {n_train} examples that the {split} split has for training"
    )]
    BatchTooLarge {
        /// Examples of a batch.
        minibatch: usize,
        /// Examples for training.
        n_train: usize,
        /// The split.
        split: Split,
    },
    /// A setting that this network has no use for, or one that it needs and has not.
    #[error("{key} {fault} for {task} with {net}")]
    Presence {
        /// Name of the setting.
        key: &'static str,
        /// Which of the two, in words.
        fault: &'static str,
        /// The task.
        task: Task,
        /// The network.
        net: NetKind,
    },
}

impl ToyPlan {
    /// Whether it can be carried out.
    ///
    /// # Errors
    /// What stands in its way.
    pub fn check(&self) -> Result<(), PlanError> {
        self.check_presence()?;
        self.settings.check_ranges(self.net)?;
        let minibatch = self.settings.minibatch;
        let n_train = self.split.parts().train.len();
        if minibatch > n_train {
            return Err(PlanError::BatchTooLarge {
                minibatch,
                n_train,
                split: self.split,
            });
        }
        Ok(())
    }

    /// That exactly those optional settings are there that the network has.
    fn check_presence(&self) -> Result<(), PlanError> {
        let (task, net, s) = (self.task, self.net, &self.settings);
        let is_coord = net == NetKind::CoordConv;
        let from_location = task != Task::Regression;
        let wanted = [
            ("width", s.width.is_some(), from_location || !is_coord),
            (
                "filter",
                s.filter.is_some(),
                from_location && !(is_coord && task == Task::Classification),
            ),
            ("input", s.input.is_some(), from_location),
            ("loss", s.loss.is_some(), task == Task::Rendering),
        ];
        for (key, is_there, is_wanted) in wanted {
            let fault = match (is_there, is_wanted) {
                (true, false) => "has no meaning",
                (false, true) => "is missing",
                _ => continue,
            };
            return Err(PlanError::Presence {
                key,
                fault,
                task,
                net,
            });
        }
        Ok(())
    }
}

impl ToySettings {
    /// That every number is in its range.
    fn check_ranges(&self, net: NetKind) -> Result<(), PlanError> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let rates = [
            ("learning_rate", self.learning_rate),
            ("adam_epsilon", self.adam_epsilon),
        ];
        for (key, rate) in rates {
            within(key, rate, positive(rate), "more than 0")?;
        }
        for (key, decay) in [
            ("adam_beta1", self.adam_beta1),
            ("adam_beta2", self.adam_beta2),
        ] {
            within(key, decay, (0.0..1.0).contains(&decay), "in [0, 1)")?;
        }
        let (epochs, minibatch, l2) = (self.epochs, self.minibatch, self.l2);
        let is_weight = l2.is_finite() && l2 >= 0.0;
        within("l2", l2, is_weight, "0 or more")?;
        let is_count = (1..=1_000_000).contains(&epochs);
        within("epochs", epochs, is_count, "1 to 1000000")?;
        within("minibatch", minibatch, minibatch > 0, "at least 1")?;
        if let Some(width) = self.width {
            within("width", width, (1..=8).contains(&width), "1 to 8")?;
        }
        let (filters, in_words) = match net {
            NetKind::Conv => (2..=5, "2 to 5"),
            NetKind::CoordConv => (1..=5, "1 to 5"),
        };
        match self.filter {
            Some(filter) => within("filter", filter, filters.contains(&filter), in_words),
            None => Ok(()),
        }
    }

    /// The learning rate of an epoch, counted from 0.
    pub fn learning_rate_at(&self, epoch: u64) -> f64 {
        let n_cuts = epoch.checked_div(self.decay_every_epochs).unwrap_or(0);
        let n_cuts = n_cuts.min(self.max_decays);
        self.learning_rate * 0.1_f64.powi(i32::try_from(n_cuts).unwrap_or(i32::MAX))
    }
}

/// An error unless `is_right`.
fn within(
    key: &'static str,
    got: impl fmt::Display,
    is_right: bool,
    expected: &'static str,
) -> Result<(), PlanError> {
    if is_right {
        return Ok(());
    }
    let got = got.to_string();
    Err(PlanError::OutOfRange { key, expected, got })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plan with the settings of a few updates.
    pub(crate) fn plan(task: Task, net: NetKind) -> ToyPlan {
        let is_coord = net == NetKind::CoordConv;
        let from_location = task != Task::Regression;
        let has_filter = from_location && !(is_coord && task == Task::Classification);
        ToyPlan {
            task,
            split: Split::Uniform,
            net,
            seed: 1,
            settings: ToySettings {
                epochs: 1,
                minibatch: 16,
                learning_rate: 0.005,
                decay_every_epochs: 0,
                max_decays: 4,
                l2: 0.001,
                adam_beta1: 0.9,
                adam_beta2: 0.99,
                adam_epsilon: 1e-8,
                width: (from_location || !is_coord).then_some(1),
                filter: has_filter.then_some(2),
                input: from_location.then_some(Input::Centred),
                loss: (task == Task::Rendering).then_some(RenderLoss::Sigmoid),
            },
        }
    }

    #[test]
    fn the_learning_rate_is_cut_at_most_so_often() {
        let mut settings = plan(Task::Classification, NetKind::Conv).settings;
        settings.decay_every_epochs = 200;
        let rates = [0, 199, 200, 800, 5000].map(|epoch| settings.learning_rate_at(epoch));
        for (rate, expected) in rates.iter().zip([5e-3, 5e-3, 5e-4, 5e-7, 5e-7]) {
            assert!((rate / expected - 1.0).abs() < 1e-9, "{rates:?}");
        }
        settings.decay_every_epochs = 0;
        assert!((settings.learning_rate_at(5000) - 5e-3).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |change: &dyn Fn(&mut ToyPlan), message: &str| {
            let mut wrong = plan(Task::Classification, NetKind::CoordConv);
            change(&mut wrong);
            assert_eq!(wrong.check().unwrap_err().to_string(), message);
        };
        check(
            &|p| p.settings.minibatch = 2369,
            "minibatch = 2369 is more than the 2368 examples that the uniform split has for training",
        );
        check(
            &|p| p.settings.minibatch = 0,
            "minibatch must be at least 1, not 0",
        );
        check(
            &|p| p.settings.learning_rate = f64::NAN,
            "learning_rate must be more than 0, not NaN",
        );
        check(
            &|p| p.settings.width = Some(9),
            "width must be 1 to 8, not 9",
        );
        check(
            &|p| p.settings.filter = Some(2),
            "filter has no meaning for classification with coordconv",
        );
        check(
            &|p| p.settings.input = None,
            "input is missing for classification with coordconv",
        );
        for task in Task::ALL {
            for net in [NetKind::Conv, NetKind::CoordConv] {
                assert_eq!(plan(task, net).check(), Ok(()));
            }
        }
    }
}
