//! From a plan to an algorithm at work: environments at their first observations, the agent, the threads.

use std::thread;

use anyhow::{Context, Result};
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_agents::task::Task;
use rlrun_envs::{
    BatchEnv as _, EnvConfig, EnvError, EnvSpec, GameSoFar, ObsShape, Protocol, RecordedBatch,
    Recording, Recordings, SeedRule, StepBatch, Stretch, World, env_seed, make,
};
use tch::Tensor;

use super::actors::Group;
use super::home::Homes;
use super::retracing::Retracing;
use super::training::Training;
use super::{a2c, dqn};
use crate::plan::{AgentPlan, Plan, Threading};
use crate::request::RequestError;
use crate::run::replay_file::Voucher;

/// Where a run goes on from; all zero and empty for a new one.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// Steps taken so far.
    pub(crate) step: u64,
    /// Updates made so far.
    pub(crate) updates: u64,
    /// The agent's state.
    pub(crate) tensors: Option<Vec<(String, Tensor)>>,
    /// What vouches for the replay memory, of an agent that has one.
    pub(crate) replay: Option<Voucher>,
    /// How the environments came where they are.
    pub(crate) retracing: Retracing,
    /// Step of the next update after a loss of the replay memory.
    pub(crate) learns_from: Option<u64>,
    /// Sums behind the means that the next row of scalars is to have.
    pub(crate) means: Vec<[f64; 2]>,
}

/// Starts everything that `plan` needs, hands it to `drive`, and ends it again.
///
/// # Errors
/// A [`RequestError`] if the game, Python or its packages are not to be had, or if the saved state does not fit; a thread
/// that cannot be started; those of `drive`.
pub(crate) fn with_training<T>(
    plan: &Plan,
    start: &Start,
    threading: Threading,
    drive: impl FnOnce(&mut dyn Training, &EnvSpec) -> Result<T>,
) -> Result<T> {
    // One thread everywhere, also for the factorisations behind the initial weights: their rounding depends on it.
    tch::set_num_threads(1);
    match &plan.agent {
        AgentPlan::A2c(config) => a2c::with_training(plan, config, start, threading, drive),
        AgentPlan::Dqn(config, replay) => {
            dqn::with_training(plan, (config, replay), start, threading, drive)
        }
    }
}

/// The environments of a run.
pub(crate) struct Worlds {
    /// Every group with where it stands, in order.
    pub(crate) groups: Vec<(Group, Standing)>,
    /// What one group has.
    pub(crate) spec: EnvSpec,
    /// How they came where they are.
    pub(crate) past: Past,
}

/// Where a group of environments stands between two steps.
pub(crate) struct Standing {
    /// With the observations of now.
    pub(crate) batch: StepBatch,
    /// The games that are being played.
    pub(crate) games: Vec<GameSoFar>,
}

/// The recordings of all environments of a run.
pub(crate) struct Past(Vec<Recordings>);

impl Past {
    /// Marks where the environments stand, between two rounds: there the run can go on from.
    pub(crate) fn mark(&self) {
        self.0.iter().for_each(Recordings::mark);
    }

    /// As they were marked last, one of each environment, whatever became of the round since.
    pub(crate) fn marked(&self) -> Vec<Recording> {
        self.0.iter().flat_map(Recordings::marked).collect()
    }

    /// What each environment did since this was last asked.
    pub(crate) fn take_new(&self) -> Vec<Vec<Stretch>> {
        self.0.iter().flat_map(Recordings::take_new).collect()
    }
}

/// Makes the environments of a run, brings those of a resumed one where they were, and meanwhile makes its agent.
///
/// Loading a ROM is slow, and done twice for each environment, so each group is made on a thread of its own.
///
/// # Errors
/// As [`with_training`], and those of `make_agent`.
pub(crate) fn worlds_and<A>(
    plan: &Plan,
    retracing: &Retracing,
    homes: Homes,
    make_agent: impl FnOnce(Task) -> Result<A>,
) -> Result<(Worlds, A)> {
    let config = env_config(
        plan,
        plan.env.n_envs / plan.env.n_groups,
        plan.env.env_threads,
    )?;
    let refused = |error: &dyn std::error::Error| RequestError::new(error.to_string());
    let start = |number| {
        // The emulators' threads live where they are made.
        homes.of_group(number).move_in();
        start_group(plan, &config, retracing, number)
    };
    let (agent, groups) = thread::scope(|scope| -> Result<_> {
        let starting: Vec<_> = (0..plan.env.n_groups)
            .map(|number| {
                thread::Builder::new()
                    .name(format!("start-{number}"))
                    .spawn_scoped(scope, move || start(number))
                    .context("starting a thread")
            })
            .collect();
        let agent = make_agent(task(&config))?;
        let groups = starting.into_iter().map(|starting| {
            let outcome = starting?.join();
            let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.map_err(|error| match error {
                EnvError::Stopped => error.into(),
                error => refused(&error).into(),
            })
        });
        Ok((agent, groups.collect::<Result<Vec<_>>>()?))
    })?;
    let (groups, pasts) = groups.into_iter().unzip();
    let worlds = Worlds {
        groups,
        spec: config.spec(),
        past: Past(pasts),
    };
    Ok((worlds, agent))
}

/// A batch of `n_envs` environments of the run's game and protocol.
///
/// # Errors
/// A [`RequestError`] if there is no such game.
pub(crate) fn env_config(
    plan: &Plan,
    n_envs: usize,
    n_threads: usize,
) -> Result<EnvConfig, RequestError> {
    let world = World::resolve(&plan.game).map_err(|error| RequestError::new(error.to_string()))?;
    Ok(EnvConfig {
        world,
        protocol: Protocol::named(plan.protocol),
        n_envs,
        n_threads,
    })
}

/// What an agent learns in such environments.
pub(crate) fn task(config: &EnvConfig) -> Task {
    let spec = config.spec();
    let dimension = |n: usize| i64::try_from(n).expect("an observation's size fits");
    Task {
        obs_shape: match spec.obs_shape {
            ObsShape::Frames(sizes) => rlrun_nn::ObsShape::Frames(sizes.map(dimension)),
            ObsShape::Features(n) => rlrun_nn::ObsShape::Features(dimension(n)),
        },
        n_actions: dimension(spec.n_actions),
        clip_rewards: config.protocol.clip_rewards,
    }
}

/// A group, reset or rebuilt, with its recordings.
fn start_group(
    plan: &Plan,
    config: &EnvConfig,
    retracing: &Retracing,
    number: usize,
) -> Result<((Group, Standing), Recordings), EnvError> {
    let first_env = number * config.n_envs;
    let rule = seed_rule(plan.seed, first_env);
    let seeds: Vec<u32> = (0..config.n_envs).map(|env| rule(0, env)).collect();
    let mut env = RecordedBatch::new(make(config)?, plan.env.reseed_steps, rule);
    let mut batch = StepBatch::new(env.spec());
    let recordings = retracing.recordings();
    let games = if recordings.is_empty() {
        env.reset(&seeds, &mut batch)?;
        vec![GameSoFar::default(); config.n_envs]
    } else {
        let own = recordings.iter().skip(first_env).take(config.n_envs);
        env.rebuild(own.cloned().collect(), &mut batch, || retracing.go_on())?
    };
    let recordings = env.recordings();
    let env = Box::new(env);
    Ok((
        (Group { number, env }, Standing { batch, games }),
        recordings,
    ))
}

/// The seeds of a group whose first environment is number `first_env` of the run.
fn seed_rule(seed: u64, first_env: usize) -> SeedRule {
    Box::new(move |n_earlier_resets, env| {
        let master = match n_earlier_resets {
            0 => seed,
            n => derived_seed(seed, Consumer::EnvironmentSeed, n),
        };
        env_seed(master, first_env + env)
    })
}

/// The refusal of a checkpoint whose tensors are not those of the plan's agent.
pub(crate) fn does_not_fit(error: &dyn std::error::Error) -> RequestError {
    RequestError::new(format!("the checkpoint does not fit: {error}"))
}
