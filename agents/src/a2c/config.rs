//! The hyper-parameters of A2C, as `configs/a2c.toml` states them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `[a2c]` table. Units and sources of the values stand in `configs/a2c.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct A2cConfig {
    /// n of the n-step return: steps of each environment between two updates.
    pub rollout_steps: usize,
    /// Discount factor (gamma) per step, in \[0, 1\].
    pub discount: f64,
    /// Step size of RMSProp at the start of training.
    pub learning_rate: f64,
    /// How the step size moves over the training.
    pub learning_rate_schedule: Schedule,
    /// Weight of the entropy bonus.
    pub entropy_coef: f64,
    /// Weight of the value loss.
    pub value_coef: f64,
    /// The gradient's global L2 norm is scaled down to this.
    pub max_grad_norm: f64,
    /// Decay of RMSProp's mean square.
    pub rmsprop_decay: f64,
    /// Added to the mean square, inside the root.
    pub rmsprop_epsilon: f64,
}

/// How a value moves over the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays as it is.
    Constant,
    /// It falls on a straight line to zero at the last step of the plan.
    Linear,
}

impl Schedule {
    /// The value at `step` of `total_steps`, when it starts at `initial`.
    pub fn at(self, initial: f64, step: u64, total_steps: u64) -> f64 {
        match self {
            Self::Constant => initial,
            #[expect(
                clippy::cast_precision_loss,
                reason = "a fraction of a step count far below 2^52"
            )]
            Self::Linear => {
                let done = step.min(total_steps) as f64 / total_steps as f64;
                initial * (1.0 - done)
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_schedule_ends_at_zero_and_stays_there() {
        let check = |step, expected: f64| {
            let got = Schedule::Linear.at(8.0, step, 4);
            assert!((got - expected).abs() < 1e-12, "step {step}: {got}");
        };
        check(0, 8.0);
        check(1, 6.0);
        check(4, 0.0);
        check(9, 0.0);
        assert!((Schedule::Constant.at(8.0, 3, 4) - 8.0).abs() < 1e-12);
    }
}
