//! What no run can be made of, refused before anything is written. Each refusal cites the value and its origin.

use rlrun_envs::{ATARI_BYTES_PER_ENV, ProtocolName, World};
use rlrun_nn::{CoordLayers, TorsoKind};

use super::Machine;
use crate::config::{Config, Layers, grouped};
use crate::request::RequestError;

type Check = Result<(), RequestError>;

/// Most environments of one run: above it the machine's threads and memory are the wrong place to look for speed.
const MAX_ENVS: usize = 4096;
/// Most threads of any kind.
const MAX_THREADS: usize = 1024;
/// libtorch, Python and the network with its optimizer.
const BASE_BYTES: u64 = 600_000_000;
/// One step of a batch in an update: the observation as `u8` and `f32`, the torso's activations and their gradients.
const STEP_BYTES: u64 = 400_000;

/// Bytes that a run needs at its peak, estimated from above.
pub(crate) fn memory_bytes(n_envs: usize, rollout_steps: usize) -> u64 {
    let steps = super::steps_per_update(n_envs, rollout_steps);
    BASE_BYTES
        .saturating_add((n_envs as u64).saturating_mul(ATARI_BYTES_PER_ENV))
        .saturating_add(steps.saturating_mul(STEP_BYTES))
}

/// Checks everything that does not need the environments.
///
/// # Errors
/// The first value that is out of its range or contradicts another.
pub(super) fn check(config: &Config, world: World, layers: &Layers, machine: &Machine) -> Check {
    check_ranges(config, layers)?;
    check_threads(config, layers)?;
    check_steps(config, layers)?;
    check_world(config, world, layers)?;
    check_torso(config, layers)?;
    check_memory(config, layers, machine)
}

fn check_ranges(config: &Config, layers: &Layers) -> Check {
    let a2c = &config.a2c;
    let demand = |holds: bool, key: &str, range: &str| {
        if holds {
            return Ok(());
        }
        let cited = layers.cite(key);
        Err(RequestError::new(format!("{cited} must be {range}")))
    };
    let positive =
        |value: f64, key| demand(value > 0.0 && value.is_finite(), key, "above 0 and finite");
    let weight = |value: f64, key| {
        demand(
            value >= 0.0 && value.is_finite(),
            key,
            "0 or more and finite",
        )
    };
    positive(a2c.learning_rate, "a2c.learning_rate")?;
    positive(a2c.max_grad_norm, "a2c.max_grad_norm")?;
    positive(a2c.rmsprop_epsilon, "a2c.rmsprop_epsilon")?;
    weight(a2c.entropy_coef, "a2c.entropy_coef")?;
    weight(a2c.value_coef, "a2c.value_coef")?;
    let discount = (0.0..=1.0).contains(&a2c.discount);
    demand(discount, "a2c.discount", "between 0 and 1")?;
    let decay = (0.0..1.0).contains(&a2c.rmsprop_decay);
    demand(decay, "a2c.rmsprop_decay", "at least 0 and below 1")?;

    let run = &config.run;
    let counts = [
        (config.total_steps > 0, "total_steps"),
        (config.env.n_envs > 0, "env.n_envs"),
        (config.env.n_groups > 0, "env.n_groups"),
        (a2c.rollout_steps > 0, "a2c.rollout_steps"),
        (
            run.checkpoint_interval_seconds > 0,
            "run.checkpoint_interval_seconds",
        ),
        (run.checkpoints_kept > 0, "run.checkpoints_kept"),
        (run.log_interval_steps > 0, "run.log_interval_steps"),
    ];
    for (holds, key) in counts {
        demand(holds, key, "at least 1")?;
    }
    demand(
        config.env.n_envs <= MAX_ENVS,
        "env.n_envs",
        &format!("at most {MAX_ENVS}"),
    )?;
    let threads = format!("at most {MAX_THREADS}");
    demand(
        config.learner.threads <= MAX_THREADS,
        "learner.threads",
        &threads,
    )
}

/// Groups are of one size, and no emulator thread is without an environment.
fn check_threads(config: &Config, layers: &Layers) -> Check {
    let (n_envs, n_groups) = (config.env.n_envs, config.env.n_groups);
    if !n_envs.is_multiple_of(n_groups) {
        let divisors: Vec<String> = (1..=n_envs.min(64))
            .filter(|divisor| n_envs.is_multiple_of(*divisor))
            .map(|divisor| divisor.to_string())
            .collect();
        return Err(RequestError::new(format!(
            "{} cannot be shared out evenly over {}; --actors can be {}",
            layers.cite("env.n_envs"),
            layers.cite("env.n_groups"),
            divisors.join(", ")
        )));
    }
    let group = n_envs / n_groups;
    if config.env.env_threads > group {
        return Err(RequestError::new(format!(
            "{} is more than the {group} environments of each actor; 0 chooses by the machine's cores",
            layers.cite("env.env_threads")
        )));
    }
    Ok(())
}

fn check_steps(config: &Config, layers: &Layers) -> Check {
    let update = super::steps_per_update(config.env.n_envs, config.a2c.rollout_steps);
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

/// A torso or a protocol for worlds of another kind.
fn check_world(config: &Config, world: World, layers: &Layers) -> Check {
    let is_mlp = config.torso.kind == TorsoKind::Mlp;
    let is_gym = config.protocol == ProtocolName::Gym;
    let (key, fits, instead) = match world {
        World::Classic(_) if !is_mlp => ("torso.kind", "pictures", "--torso mlp"),
        World::Classic(_) if !is_gym => ("protocol", "Atari games", "--protocol gym"),
        World::Atari(_) | World::Probe(_) if is_mlp => (
            "torso.kind",
            "CartPole and MountainCar",
            "--torso conv or coordconv",
        ),
        World::Atari(_) if is_gym => (
            "protocol",
            "CartPole and MountainCar",
            "--protocol baselines or machado",
        ),
        _ => return Ok(()),
    };
    Err(RequestError::new(format!(
        "{} is for {fits}; {world} takes {instead}",
        layers.cite(key)
    )))
}

/// Coordinates in a torso without them.
fn check_torso(config: &Config, layers: &Layers) -> Check {
    if config.torso.kind == TorsoKind::CoordConv {
        return Ok(());
    }
    let keys = [
        (
            "torso.coord_layers",
            config.torso.coord_layers == CoordLayers::All,
        ),
        ("torso.coord_radius", config.torso.coord_radius),
    ];
    for (key, is_set) in keys {
        // On the command line even the default's value is a contradiction.
        if is_set || layers.origin(key).is_typed() {
            return Err(RequestError::new(format!(
                "{} is for --torso coordconv; here {}",
                layers.cite(key),
                layers.cite("torso.kind")
            )));
        }
    }
    Ok(())
}

fn check_memory(config: &Config, layers: &Layers, machine: &Machine) -> Check {
    let needed = memory_bytes(config.env.n_envs, config.a2c.rollout_steps);
    match machine.available_bytes {
        Some(available) if needed > available => Err(RequestError::new(format!(
            "{} with {} needs about {} MB of memory, and {} MB are available",
            layers.cite("env.n_envs"),
            layers.cite("a2c.rollout_steps"),
            grouped(needed / 1_000_000),
            grouped(available / 1_000_000)
        ))),
        _ => Ok(()),
    }
}
