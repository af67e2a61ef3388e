//! What DQN cannot be run with.

use rlrun_agents::dqn::DqnConfig;

use super::{Check, Ranges, STEP_BYTES};
use crate::config::{Config, grouped};
use crate::plan::{ReplayPlan, ReplaySlack};
use crate::request::RequestError;

/// Bytes of one transition: a frame of 84x84 and what belongs to it.
const TRANSITION_BYTES: u64 = 84 * 84 + 6;
/// Bytes that a transition's priority takes: the tree over it, and the copy for a checkpoint.
const PRIORITY_BYTES: u64 = 24;
/// Transitions of the longest trainings there are, many times over: a typing error, rather than a disk of 70 TB.
const LARGEST_CAPACITY: u64 = 10_000_000_000;
/// Target network, acting network and optimizer.
const NETWORK_BYTES: u64 = 40_000_000;

/// Bytes of the replay memory, if it is in RAM, and of one update.
pub(super) fn memory_bytes(dqn: &DqnConfig, replay: &ReplayPlan, n_envs: usize) -> u64 {
    let batch = (dqn.batch_size as u64).saturating_mul(3 * STEP_BYTES);
    NETWORK_BYTES
        .saturating_add(batch)
        .saturating_add(replay_bytes(dqn, replay, n_envs))
}

/// Bytes of the file of the replay memory in the run's own folder.
pub(super) fn disk_bytes(dqn: &DqnConfig, replay: &ReplayPlan, n_envs: usize) -> u64 {
    if replay.is_mapped() {
        0
    } else {
        replay_bytes(dqn, replay, n_envs)
    }
}

fn replay_bytes(dqn: &DqnConfig, replay: &ReplayPlan, n_envs: usize) -> u64 {
    let capacity = dqn.replay_capacity as u64;
    let slack = ReplaySlack::of(dqn, n_envs).slots.saturating_mul(n_envs) as u64;
    let slots = capacity.saturating_add(slack);
    let frames = if replay.is_mapped() {
        0
    } else {
        TRANSITION_BYTES
    };
    let priorities = if dqn.prioritized { PRIORITY_BYTES } else { 0 };
    slots.saturating_mul(frames + priorities)
}

/// What would fit into `free` bytes, for the end of a refusal.
pub(super) fn advice(dqn: &DqnConfig, replay: &ReplayPlan, free: u64, n_envs: usize) -> String {
    let fits = |capacity: usize| {
        let smaller = DqnConfig {
            replay_capacity: capacity,
            ..dqn.clone()
        };
        memory_bytes(&smaller, replay, n_envs) <= free
    };
    let (mut low, mut high) = (0, dqn.replay_capacity);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    // Two digits are enough, and leave some air.
    let unit = 10_usize.pow(low.max(1).ilog10().saturating_sub(1));
    let rounded = low / unit * unit;
    if rounded < dqn.batch_size {
        return String::new();
    }
    format!(
        "; --set dqn.replay_capacity={} would fit, or --replay-dir DIR keeps it on disk",
        grouped(rounded as u64)
    )
}

pub(super) fn check(dqn: &DqnConfig, config: &Config, ranges: &Ranges<'_>) -> Check {
    check_rhythm(dqn, ranges)?;
    check_optimizer(dqn, ranges)?;
    check_replay(dqn, config, ranges)?;
    let layers = ranges.0;
    if config.total_steps > dqn.learning_starts_steps {
        return Ok(());
    }
    Err(RequestError::new(format!(
        "{} ends before the first update: {}",
        layers.cite("total_steps"),
        layers.cite("dqn.learning_starts_steps")
    )))
}

fn check_rhythm(dqn: &DqnConfig, ranges: &Ranges<'_>) -> Check {
    ranges.at_least_one(dqn.steps_per_update, "dqn.steps_per_update")?;
    ranges.demand(
        dqn.steps_per_update <= 1 << 20,
        "dqn.steps_per_update",
        "at most 1048576",
    )?;
    ranges.at_least_one(dqn.batch_size as u64, "dqn.batch_size")?;
    ranges.demand(dqn.batch_size <= 1 << 16, "dqn.batch_size", "at most 65536")?;
    ranges.at_least_one(dqn.target_period_steps, "dqn.target_period_steps")?;
    ranges.share(dqn.epsilon_start, "dqn.epsilon_start")?;
    ranges.share(dqn.epsilon_end, "dqn.epsilon_end")?;
    ranges.share(dqn.eval_epsilon, "dqn.eval_epsilon")
}

fn check_optimizer(dqn: &DqnConfig, ranges: &Ranges<'_>) -> Check {
    ranges.positive(dqn.learning_rate, "dqn.learning_rate")?;
    ranges.weight(dqn.max_grad_norm, "dqn.max_grad_norm")?;
    ranges.decay(dqn.adam_beta1, "dqn.adam_beta1")?;
    ranges.decay(dqn.adam_beta2, "dqn.adam_beta2")?;
    ranges.positive(dqn.adam_epsilon, "dqn.adam_epsilon")?;
    ranges.decay(dqn.rmsprop_decay, "dqn.rmsprop_decay")?;
    ranges.positive(dqn.rmsprop_epsilon, "dqn.rmsprop_epsilon")
}

fn check_replay(dqn: &DqnConfig, config: &Config, ranges: &Ranges<'_>) -> Check {
    ranges.share(dqn.discount, "dqn.discount")?;
    ranges.share(dqn.priority_alpha, "dqn.priority_alpha")?;
    ranges.share(dqn.priority_beta_start, "dqn.priority_beta_start")?;
    ranges.share(dqn.priority_beta_end, "dqn.priority_beta_end")?;
    ranges.positive(dqn.priority_epsilon, "dqn.priority_epsilon")?;
    ranges.at_least_one(dqn.n_step as u64, "dqn.n_step")?;
    ranges.demand(
        dqn.replay_capacity as u64 <= LARGEST_CAPACITY,
        "dqn.replay_capacity",
        "at most 10000000000",
    )?;
    let layers = ranges.0;
    let too_small = |needed: usize, why: &str| {
        Err(RequestError::new(format!(
            "{} is too small for {why}; at least {}",
            layers.cite("dqn.replay_capacity"),
            grouped(needed as u64)
        )))
    };
    let n_envs = config.env.n_envs;
    let per_env = dqn.replay_capacity / n_envs;
    if dqn.n_step >= per_env {
        let why = format!(
            "{} in each of {}",
            layers.cite("dqn.n_step"),
            layers.cite("env.n_envs")
        );
        return too_small(dqn.n_step.saturating_add(1).saturating_mul(n_envs), &why);
    }
    if dqn.batch_size > dqn.replay_capacity {
        return too_small(dqn.batch_size, &layers.cite("dqn.batch_size"));
    }
    Ok(())
}
