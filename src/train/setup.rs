//! From a plan to the parts of a run: environments at their first observations, workers, a learner.

use std::thread;

use anyhow::{Context, Result};
use rlrun_agents::a2c::A2c;
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_agents::task::Task;
use rlrun_envs::{EnvConfig, EnvSpec, ObsShape, Protocol, StepBatch, World, env_seed, make};
use tch::Tensor;

use super::actors::Group;
use super::crew::Team;
use super::learner::Learner;
use super::worker::Worker;
use crate::plan::Plan;
use crate::request::RequestError;

/// What a run is made of.
pub(crate) struct Parts {
    /// What is trained.
    pub(crate) learner: Learner,
    /// Who works for it, at their environments' first observations.
    pub(crate) teams: Vec<Team>,
    /// What all groups of environments have in common.
    pub(crate) spec: EnvSpec,
}

/// Makes the parts of a run: a new one, or one that goes on from `step` with the agent in the state `saved`.
///
/// A resumed run cannot take up the games it was killed in; it starts new ones, under seeds that it has not used yet.
/// Loading a ROM is slow, and done twice for each environment, so each group is made on a thread of its own, and the network
/// meanwhile.
///
/// # Errors
/// A [`RequestError`] if the game, Python or its packages are not to be had, or if the saved state does not fit.
pub(crate) fn prepare(plan: &Plan, step: u64, saved: Option<&[(String, Tensor)]>) -> Result<Parts> {
    // One thread everywhere, also for the factorisations behind the initial weights: their rounding depends on it.
    tch::set_num_threads(1);
    let refused = |error: &dyn std::error::Error| RequestError::new(error.to_string());
    let config = EnvConfig {
        world: World::resolve(&plan.game).map_err(|error| refused(&error))?,
        protocol: Protocol::named(plan.protocol),
        n_envs: plan.env.n_envs / plan.env.n_groups,
        n_threads: plan.env.env_threads,
    };
    let master = match step {
        0 => plan.seed,
        _ => derived_seed(plan.seed, Consumer::EnvironmentSeed, step),
    };
    let start = |number| start_group(&config, master, number);
    let (agent, groups) = thread::scope(|scope| -> Result<_> {
        let starting: Vec<_> = (0..plan.env.n_groups)
            .map(|number| {
                thread::Builder::new()
                    .name(format!("start-{number}"))
                    .spawn_scoped(scope, move || start(number))
                    .context("starting a thread")
            })
            .collect();
        let agent = agent(plan, &config, saved)?;
        let groups = starting.into_iter().map(|starting| {
            let outcome = starting?.join();
            let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.map_err(|error| refused(&error).into())
        });
        Ok((agent, groups.collect::<Result<Vec<_>>>()?))
    })?;
    let spec = config.spec();
    let teams = teams(plan, &agent, &spec, groups);
    let learner = Learner::new(plan, agent, step);
    Ok(Parts {
        learner,
        teams,
        spec,
    })
}

/// Shares the groups out to the workers of `agent`.
fn teams(plan: &Plan, agent: &A2c, spec: &EnvSpec, groups: Vec<(Group, StepBatch)>) -> Vec<Team> {
    let (n_groups, n_workers) = (groups.len(), plan.n_workers());
    let mut groups = groups.into_iter();
    let team = |number: usize| {
        let own = number * n_groups / n_workers..(number + 1) * n_groups / n_workers;
        let first_env = own.start * spec.n_envs;
        let (groups, first): (Vec<_>, Vec<_>) = groups.by_ref().take(own.len()).unzip();
        let worker = Worker::new(plan, agent.replica(), spec, first_env, first);
        (worker, groups)
    };
    (0..n_workers).map(team).collect()
}

fn start_group(
    config: &EnvConfig,
    master: u64,
    number: usize,
) -> Result<(Group, StepBatch), rlrun_envs::EnvError> {
    let envs = number * config.n_envs..(number + 1) * config.n_envs;
    let seeds: Vec<u32> = envs.map(|env| env_seed(master, env)).collect();
    let mut env = make(config)?;
    let mut first = StepBatch::new(env.spec());
    env.reset(&seeds, &mut first)?;
    Ok((Group { number, env }, first))
}

/// Makes the agent that `plan` describes, with its initial weights or those that were saved.
fn agent(plan: &Plan, config: &EnvConfig, saved: Option<&[(String, Tensor)]>) -> Result<A2c> {
    let spec = config.spec();
    let dimension = |n: usize| i64::try_from(n).expect("an observation's size fits");
    let task = Task {
        obs_shape: match spec.obs_shape {
            ObsShape::Frames(sizes) => rlrun_nn::ObsShape::Frames(sizes.map(dimension)),
            ObsShape::Features(n) => rlrun_nn::ObsShape::Features(dimension(n)),
        },
        n_actions: dimension(spec.n_actions),
        clip_rewards: config.protocol.clip_rewards,
    };
    let device = plan.learner.device.into();
    let mut agent = A2c::new(plan.a2c.clone(), &plan.torso, task, device, plan.seed)?;
    if let Some(saved) = saved {
        agent
            .load_state(saved)
            .map_err(|error| RequestError::new(format!("the checkpoint does not fit: {error}")))?;
    }
    Ok(agent)
}
