//! What A2C cannot be run with.

use rlrun_agents::a2c::A2cConfig;

use super::{Check, Ranges, STEP_BYTES};
use crate::config::{Config, grouped};
use crate::request::RequestError;

/// Bytes of one update.
pub(super) fn memory_bytes(a2c: &A2cConfig, n_envs: usize) -> u64 {
    steps_per_update(a2c, n_envs).saturating_mul(STEP_BYTES)
}

pub(super) fn check(a2c: &A2cConfig, config: &Config, ranges: &Ranges<'_>) -> Check {
    ranges.positive(a2c.learning_rate, "a2c.learning_rate")?;
    ranges.positive(a2c.max_grad_norm, "a2c.max_grad_norm")?;
    ranges.positive(a2c.rmsprop_epsilon, "a2c.rmsprop_epsilon")?;
    ranges.weight(a2c.entropy_coef, "a2c.entropy_coef")?;
    ranges.weight(a2c.value_coef, "a2c.value_coef")?;
    ranges.share(a2c.discount, "a2c.discount")?;
    ranges.decay(a2c.rmsprop_decay, "a2c.rmsprop_decay")?;
    ranges.at_least_one(a2c.rollout_steps as u64, "a2c.rollout_steps")?;

    let (layers, update) = (ranges.0, steps_per_update(a2c, config.env.n_envs));
    if config.total_steps >= update {
        return Ok(());
    }
    Err(RequestError::new(format!(
        "{} is less than one update of {} steps: {} times {}",
        layers.cite("total_steps"),
        grouped(update),
        layers.cite("env.n_envs"),
        layers.cite("a2c.rollout_steps")
    )))
}

/// Settings too large to multiply give the largest count.
fn steps_per_update(a2c: &A2cConfig, n_envs: usize) -> u64 {
    n_envs.saturating_mul(a2c.rollout_steps) as u64
}
