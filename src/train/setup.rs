//! From a plan to an algorithm at work: environments at their first observations, the agent, the threads.

use std::thread;

use anyhow::{Context, Result};
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_agents::task::Task;
use rlrun_envs::{
    EnvConfig, EnvError, EnvSpec, ObsShape, Protocol, StepBatch, World, env_seed, make,
};
use tch::Tensor;

use super::actors::Group;
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

/// The environments of a run, reset.
pub(crate) struct Worlds {
    /// Every group with its first observations, in order.
    pub(crate) groups: Vec<(Group, StepBatch)>,
    /// What one group has.
    pub(crate) spec: EnvSpec,
}

/// Makes the environments of a run that stands at `step`, and meanwhile its agent.
///
/// A resumed run cannot take up the games it was killed in; it starts new ones, under seeds that it has not used yet.
/// Loading a ROM is slow, and done twice for each environment, so each group is made on a thread of its own.
///
/// # Errors
/// As [`with_training`], and those of `make_agent`.
pub(crate) fn worlds_and<A>(
    plan: &Plan,
    step: u64,
    make_agent: impl FnOnce(Task) -> Result<A>,
) -> Result<(Worlds, A)> {
    let config = env_config(
        plan,
        plan.env.n_envs / plan.env.n_groups,
        plan.env.env_threads,
    )?;
    let master = match step {
        0 => plan.seed,
        _ => derived_seed(plan.seed, Consumer::EnvironmentSeed, step),
    };
    let n_groups = plan.env.n_groups;
    let (groups, agent) = groups_and(&config, master, n_groups, || make_agent(task(&config)))?;
    let spec = config.spec();
    Ok((Worlds { groups, spec }, agent))
}

/// Makes `n_groups` batches of environments under seeds of `master`, and meanwhile something else.
///
/// # Errors
/// As [`with_training`], and those of `make_other`.
pub(crate) fn groups_and<A>(
    config: &EnvConfig,
    master: u64,
    n_groups: usize,
    make_other: impl FnOnce() -> Result<A>,
) -> Result<(Vec<(Group, StepBatch)>, A)> {
    let refused = |error: &dyn std::error::Error| RequestError::new(error.to_string());
    let start = |number| start_group(config, master, number);
    thread::scope(|scope| {
        let starting: Vec<_> = (0..n_groups)
            .map(|number| {
                thread::Builder::new()
                    .name(format!("start-{number}"))
                    .spawn_scoped(scope, move || start(number))
                    .context("starting a thread")
            })
            .collect();
        let other = make_other()?;
        let groups = starting.into_iter().map(|starting| {
            let outcome = starting?.join();
            let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.map_err(|error| refused(&error).into())
        });
        Ok((groups.collect::<Result<_>>()?, other))
    })
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

fn start_group(
    config: &EnvConfig,
    master: u64,
    number: usize,
) -> Result<(Group, StepBatch), EnvError> {
    let envs = number * config.n_envs..(number + 1) * config.n_envs;
    let seeds: Vec<u32> = envs.map(|env| env_seed(master, env)).collect();
    let mut env = make(config)?;
    let mut first = StepBatch::new(env.spec());
    env.reset(&seeds, &mut first)?;
    Ok((Group { number, env }, first))
}

/// The refusal of a checkpoint whose tensors are not those of the plan's agent.
pub(crate) fn does_not_fit(error: &dyn std::error::Error) -> RequestError {
    RequestError::new(format!("the checkpoint does not fit: {error}"))
}
