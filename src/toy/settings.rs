//! The settings of one training: `configs/toys.toml`, and what was typed over it.

use serde::Deserialize;

use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::plan::{ToyPlan, ToySettings};
use rlrun_toys::task::{Input, NetKind, RenderLoss, Task};

use crate::request::RequestError;

/// The complete settings, built into the binary.
const DEFAULTS: &str = include_str!("../../configs/toys.toml");

/// `configs/toys.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    classification: ByNet,
    regression: ByNet,
    rendering: ByNet,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByNet {
    coordconv: ToySettings,
    conv: ToySettings,
}

/// Settings that take the place of those in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// Passes over the examples.
    pub(crate) epochs: Option<u64>,
    /// Examples of an update.
    pub(crate) minibatch: Option<usize>,
    /// Step size of Adam.
    pub(crate) learning_rate: Option<f64>,
    /// Epochs between two cuts of it.
    pub(crate) decay_every_epochs: Option<u64>,
    /// Weight of the squared kernels.
    pub(crate) l2: Option<f64>,
    /// Multiplies the channels.
    pub(crate) width: Option<i64>,
    /// Size of the kernels.
    pub(crate) filter: Option<i64>,
    /// How a location goes in.
    pub(crate) input: Option<Input>,
    /// What a rendering is compared by.
    pub(crate) loss: Option<RenderLoss>,
}

impl Overrides {
    /// The plan of a training.
    ///
    /// # Errors
    /// A value that cannot be, or a setting that the network does not have.
    pub(crate) fn plan(
        &self,
        task: Task,
        split: Split,
        net: NetKind,
        seed: u64,
    ) -> Result<ToyPlan, RequestError> {
        let base = defaults(task, net);
        let plan = ToyPlan {
            task,
            split,
            net,
            seed,
            settings: ToySettings {
                epochs: self.epochs.unwrap_or(base.epochs),
                minibatch: self.minibatch.unwrap_or(base.minibatch),
                learning_rate: self.learning_rate.unwrap_or(base.learning_rate),
                decay_every_epochs: self.decay_every_epochs.unwrap_or(base.decay_every_epochs),
                l2: self.l2.unwrap_or(base.l2),
                width: self.width.or(base.width),
                filter: self.filter.or(base.filter),
                input: self.input.or(base.input),
                loss: self.loss.or(base.loss),
                ..base
            },
        };
        plan.check()
            .map_err(|error| RequestError::new(error.to_string()))?;
        Ok(plan)
    }
}

fn defaults(task: Task, net: NetKind) -> ToySettings {
    let all: Defaults = toml::from_str(DEFAULTS).expect("a test reads configs/toys.toml");
    let of_task = match task {
        Task::Classification => all.classification,
        Task::Regression => all.regression,
        Task::Rendering => all.rendering,
    };
    match net {
        NetKind::CoordConv => of_task.coordconv,
        NetKind::Conv => of_task.conv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_file_is_a_plan() {
        for task in Task::ALL {
            for net in [NetKind::Conv, NetKind::CoordConv] {
                for split in [Split::Uniform, Split::Quadrant] {
                    Overrides::default().plan(task, split, net, 1).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_is_typed_wins_and_what_cannot_be_is_refused() {
        let plan = |overrides: Overrides| {
            overrides.plan(Task::Regression, Split::Quadrant, NetKind::CoordConv, 1)
        };
        let epochs = Some(3);
        let three = plan(Overrides {
            epochs,
            ..Overrides::default()
        });
        assert_eq!(three.unwrap().settings.epochs, 3);
        let width = Some(2);
        let error = plan(Overrides {
            width,
            ..Overrides::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "width has no meaning for regression with coordconv"
        );
    }
}
