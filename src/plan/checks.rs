//! What no run can be made of, refused before anything is written. Each refusal cites the value and its origin.

mod a2c;
mod dqn;

use rlrun_envs::{ATARI_BYTES_PER_ENV, ProtocolName, World};
use rlrun_nn::{CoordLayers, TorsoKind};

use super::{AgentPlan, Machine, Plan};
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

/// A row of scalars, and the games since the row before.
const LOG_ROW_BYTES: u64 = 2_000;

/// Bytes that a run needs at its peak, estimated from above.
pub(crate) fn memory_bytes(agent: &AgentPlan, n_envs: usize) -> u64 {
    let own = match agent {
        AgentPlan::A2c(config) => a2c::memory_bytes(config, n_envs),
        AgentPlan::Dqn(config, replay) => dqn::memory_bytes(config, replay, n_envs),
    };
    BASE_BYTES
        .saturating_add((n_envs as u64).saturating_mul(ATARI_BYTES_PER_ENV))
        .saturating_add(own)
}

/// Bytes that a run leaves on disk, estimated from above: its checkpoints with the best one and the one that is being written, the file of
/// a replay memory in its folder, and its logs.
pub(crate) fn disk_bytes(plan: &Plan) -> u64 {
    let (copies, replay) = match &plan.agent {
        AgentPlan::A2c(_) => (2, 0),
        AgentPlan::Dqn(config, replay) => (4, dqn::disk_bytes(config, replay, plan.env.n_envs)),
    };
    let (network, replay) = match plan.torso.kind {
        // A transition of some bytes, not of a picture.
        TorsoKind::Mlp => (100_000, replay / 100),
        TorsoKind::Conv | TorsoKind::CoordConv => (7_000_000, replay),
    };
    let n_checkpoints = (plan.run.checkpoints_kept as u64).saturating_add(2);
    let rows = plan.total_steps / plan.run.log_interval_steps;
    n_checkpoints
        .saturating_mul(copies * network)
        .saturating_add(replay)
        .saturating_add(rows.saturating_mul(LOG_ROW_BYTES))
}

/// Checks everything that does not need the environments.
///
/// # Errors
/// The first value that is out of its range or contradicts another.
pub(super) fn check(config: &Config, world: World, layers: &Layers, machine: &Machine) -> Check {
    let ranges = Ranges(layers);
    check_ranges(config, &ranges)?;
    check_threads(config, layers)?;
    check_world(config, world, layers)?;
    check_torso(config, layers)?;
    match &config.agent() {
        AgentPlan::A2c(a2c) => a2c::check(a2c, config, &ranges)?,
        AgentPlan::Dqn(dqn, _) => dqn::check(dqn, config, &ranges)?,
    }
    check_memory(config, layers, machine)
}

/// Demands on single values; a refusal cites the value and where it came from.
struct Ranges<'a>(&'a Layers);

impl Ranges<'_> {
    fn demand(&self, holds: bool, key: &str, range: &str) -> Check {
        if holds {
            return Ok(());
        }
        let cited = self.0.cite(key);
        Err(RequestError::new(format!("{cited} must be {range}")))
    }

    fn positive(&self, value: f64, key: &str) -> Check {
        self.demand(value > 0.0 && value.is_finite(), key, "above 0 and finite")
    }

    fn weight(&self, value: f64, key: &str) -> Check {
        self.demand(
            value >= 0.0 && value.is_finite(),
            key,
            "0 or more and finite",
        )
    }

    /// Between 0 and 1, both included.
    fn share(&self, value: f64, key: &str) -> Check {
        self.demand((0.0..=1.0).contains(&value), key, "between 0 and 1")
    }

    /// A decay of a running mean.
    fn decay(&self, value: f64, key: &str) -> Check {
        self.demand((0.0..1.0).contains(&value), key, "at least 0 and below 1")
    }

    fn at_least_one(&self, count: u64, key: &str) -> Check {
        self.demand(count > 0, key, "at least 1")
    }
}

fn check_ranges(config: &Config, ranges: &Ranges<'_>) -> Check {
    let run = &config.run;
    let counts = [
        (config.total_steps, "total_steps"),
        (config.env.n_envs as u64, "env.n_envs"),
        (config.env.n_groups as u64, "env.n_groups"),
        (config.env.reseed_steps as u64, "env.reseed_steps"),
        (
            run.checkpoint_interval_seconds,
            "run.checkpoint_interval_seconds",
        ),
        (run.checkpoints_kept as u64, "run.checkpoints_kept"),
        (run.log_interval_steps, "run.log_interval_steps"),
    ];
    ranges.demand(
        (1..=MAX_ENVS).contains(&config.eval.games),
        "eval.games",
        &format!("1 to {MAX_ENVS}"),
    )?;
    for (count, key) in counts {
        ranges.at_least_one(count, key)?;
    }
    ranges.demand(
        config.env.n_envs <= MAX_ENVS,
        "env.n_envs",
        &format!("at most {MAX_ENVS}"),
    )?;
    let threads = format!("at most {MAX_THREADS}");
    ranges.demand(
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
    let agent = config.agent();
    let needed = memory_bytes(&agent, config.env.n_envs);
    let Some(available) = machine.available_bytes.filter(|&bytes| needed > bytes) else {
        return Ok(());
    };
    let (other, advice) = match &agent {
        AgentPlan::A2c(_) => (layers.cite("a2c.rollout_steps"), String::new()),
        AgentPlan::Dqn(dqn, replay) => (
            layers.cite("dqn.replay_capacity"),
            dqn::advice(
                dqn,
                replay,
                available
                    .saturating_sub(needed - dqn::memory_bytes(dqn, replay, config.env.n_envs)),
                config.env.n_envs,
            ),
        ),
    };
    Err(RequestError::new(format!(
        "{} with {other} needs about {} MB of memory, and {} MB are available{advice}",
        layers.cite("env.n_envs"),
        grouped(needed / 1_000_000),
        grouped(available / 1_000_000)
    )))
}
