//! The hyper-parameters of DQN, as `configs/dqn.toml` states them.

use rlrun_nn::init::Init;
use serde::{Deserialize, Serialize};

/// The `[dqn]` table. Units and sources of the values stand in `configs/dqn.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnConfig {
    /// Transitions that the replay memory holds.
    pub replay_capacity: usize,
    /// Steps before the first update.
    pub learning_starts_steps: u64,
    /// Steps from one update to the next, all environments together.
    pub steps_per_update: u64,
    /// Transitions that one update learns from.
    pub batch_size: usize,
    /// Discount factor (gamma) per step, in \[0, 1\].
    pub discount: f64,
    /// n of the n-step return.
    pub n_step: usize,
    /// Steps from one copy of the online network into the target network to the next.
    pub target_period_steps: u64,
    /// Probability of a random action until it falls.
    pub epsilon_start: f64,
    /// Probability of a random action when it has fallen.
    pub epsilon_end: f64,
    /// Step at which it starts to fall.
    pub epsilon_start_step: u64,
    /// Steps over which it falls on a straight line.
    pub epsilon_decay_steps: u64,
    /// Probability of a random action in an evaluation.
    pub eval_epsilon: f64,
    /// Step size of the optimizer.
    pub learning_rate: f64,
    /// Which optimizer.
    pub optimizer: OptimizerKind,
    /// Adam's decay of the mean gradient.
    pub adam_beta1: f64,
    /// Adam's decay of the mean square.
    pub adam_beta2: f64,
    /// Added to Adam's corrected root.
    pub adam_epsilon: f64,
    /// Centred `RMSProp`'s decay of the mean gradient and of the mean square.
    pub rmsprop_decay: f64,
    /// Added to centred `RMSProp`'s variance, inside the root.
    pub rmsprop_epsilon: f64,
    /// What is minimised.
    pub loss: LossKind,
    /// The gradient's global L2 norm is scaled down to this; 0 leaves it as it is.
    pub max_grad_norm: f64,
    /// How the network's weights start.
    pub init: Init,
    /// Whether the online network chooses the action that the target network values.
    pub double: bool,
    /// Whether the network has a value and an advantage stream.
    pub dueling: bool,
    /// Whether transitions are drawn by their priority.
    pub prioritized: bool,
    /// Exponent of the priorities; 0 is uniform sampling.
    pub priority_alpha: f64,
    /// Exponent of the importance weights at the first update.
    pub priority_beta_start: f64,
    /// Exponent of the importance weights in the end; 1 corrects in full.
    pub priority_beta_end: f64,
    /// Steps, from the first update on, over which the exponent moves.
    pub priority_beta_steps: u64,
    /// Added to |td error|, so that every transition keeps a chance.
    pub priority_epsilon: f64,
}

/// What is minimised, as a function of the td error d.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// d^2 / 2 up to |d| = 1, |d| - 1/2 beyond: the gradient is d clipped to \[-1, 1\], as in Mnih et al. 2015.
    Huber,
    /// d^2, without a half, as `PyTorch` and Dopamine count.
    Mse,
}

/// Which optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// [`rlrun_nn::optim::Adam`] in `PyTorch`'s form.
    Adam,
    /// [`rlrun_nn::optim::RmsPropCentered`].
    RmspropCentered,
}

impl DqnConfig {
    /// Probability of a random action at `step`.
    pub fn epsilon_at(&self, step: u64) -> f64 {
        let (start, n_steps) = (self.epsilon_start_step, self.epsilon_decay_steps);
        let done = fraction(step, start, n_steps);
        on_line(self.epsilon_start, self.epsilon_end, done)
    }

    /// Exponent of the importance weights at `step`.
    pub fn priority_beta_at(&self, step: u64) -> f64 {
        let (start, n_steps) = (self.learning_starts_steps, self.priority_beta_steps);
        let done = fraction(step, start, n_steps);
        on_line(self.priority_beta_start, self.priority_beta_end, done)
    }
}

/// How much of `n_steps` from `start` on is over at `step`, in \[0, 1\].
#[expect(
    clippy::cast_precision_loss,
    reason = "a fraction of step counts far below 2^52"
)]
fn fraction(step: u64, start: u64, n_steps: u64) -> f64 {
    match step.checked_sub(start) {
        None => 0.0,
        Some(done) if done >= n_steps => 1.0,
        Some(done) => done as f64 / n_steps as f64,
    }
}

/// The point on the line between two values. Its ends are exact.
fn on_line(from: f64, to: f64, done: f64) -> f64 {
    from * (1.0 - done) + to * done
}

#[cfg(test)]
mod tests {
    use super::super::kit::config;
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the ends of a schedule are exact")]
    fn epsilon_waits_falls_on_a_line_and_stays() {
        let config = DqnConfig {
            epsilon_start: 1.0,
            epsilon_end: 0.1,
            epsilon_start_step: 100,
            epsilon_decay_steps: 10,
            ..config()
        };
        for (step, expected) in [(0, 1.0), (100, 1.0), (110, 0.1), (1 << 40, 0.1)] {
            assert_eq!(config.epsilon_at(step), expected, "step {step}");
        }
        assert!((config.epsilon_at(105) - 0.55).abs() < 1e-12);
        let at_once = DqnConfig {
            epsilon_decay_steps: 0,
            ..config
        };
        assert_eq!(
            (at_once.epsilon_at(99), at_once.epsilon_at(100)),
            (1.0, 0.1)
        );
    }

    #[test]
    fn beta_moves_from_the_first_update_on() {
        let config = DqnConfig {
            learning_starts_steps: 50,
            priority_beta_start: 0.4,
            priority_beta_end: 1.0,
            priority_beta_steps: 100,
            ..config()
        };
        for (step, expected) in [(0, 0.4), (50, 0.4), (100, 0.7), (150, 1.0), (151, 1.0)] {
            let got = config.priority_beta_at(step);
            assert!((got - expected).abs() < 1e-12, "step {step}: {got}");
        }
    }

    const DEFAULTS: &str = include_str!("../../../configs/dqn.toml");
    const PRESETS: [(&str, &str); 5] = [
        ("zoo", include_str!("../../../configs/presets/dqn-zoo.toml")),
        (
            "cleanrl",
            include_str!("../../../configs/presets/dqn-cleanrl.toml"),
        ),
        (
            "dopamine",
            include_str!("../../../configs/presets/dqn-dopamine.toml"),
        ),
        (
            "nature",
            include_str!("../../../configs/presets/dqn-nature.toml"),
        ),
        (
            "rainbow-lite",
            include_str!("../../../configs/presets/dqn-rainbow-lite.toml"),
        ),
    ];

    /// The `[dqn]` table of the defaults with `preset` laid over it, each of whose keys must be there.
    fn laid(preset: &str) -> DqnConfig {
        let mut all: toml::Table = toml::from_str(DEFAULTS).unwrap();
        for (key, value) in toml::from_str::<toml::Table>(preset).unwrap() {
            let place = all.get_mut(&key).unwrap_or_else(|| panic!("{key}"));
            match (place, value) {
                (toml::Value::Table(place), toml::Value::Table(values)) => {
                    for (name, value) in values {
                        let old = place.insert(name.clone(), value.clone());
                        let old = old.unwrap_or_else(|| panic!("{key}.{name}"));
                        assert!(old.same_type(&value), "{key}.{name}");
                    }
                }
                (place, value) => {
                    assert!(place.same_type(&value), "{key}");
                    *place = value;
                }
            }
        }
        all["dqn"].clone().try_into().unwrap()
    }

    #[test]
    fn the_shipped_files_hold_every_key_and_no_other() {
        let tables: toml::Table = toml::from_str(DEFAULTS).unwrap();
        let read: DqnConfig = tables["dqn"].clone().try_into().unwrap();
        let written = toml::Table::try_from(&read).unwrap();
        assert_eq!(Some(&written), tables["dqn"].as_table());
        for (name, preset) in PRESETS {
            let config = laid(preset);
            let all_switches = config.double && config.dueling && config.prioritized;
            assert_eq!(all_switches && config.n_step > 1, name == "rainbow-lite");
        }
        assert!(toml::from_str::<DqnConfig>("gamma = 0.99").is_err());
    }

    #[test]
    fn the_preset_zoo_is_the_default() {
        let defaults: toml::Table = toml::from_str(DEFAULTS).unwrap();
        let zoo = toml::Table::try_from(laid(PRESETS[0].1)).unwrap();
        assert_eq!(Some(&zoo), defaults["dqn"].as_table());
    }
}
