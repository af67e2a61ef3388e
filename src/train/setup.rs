//! From a plan to the parts of a run: groups of environments, an agent, a learner.

use anyhow::Result;
use rlrun_agents::a2c::{A2c, Task};
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_envs::{EnvConfig, EnvSpec, Protocol, World, env_seed, make};

use super::actors::Group;
use super::learner::Learner;
use crate::plan::Plan;
use crate::request::RequestError;

/// Makes the environments of a run that has taken `step` steps before.
///
/// A resumed run cannot take up the games it was killed in; it starts new ones, under seeds that it has not used yet.
///
/// # Errors
/// A [`RequestError`] if the game, Python or its packages are not to be had.
pub(crate) fn groups(plan: &Plan, step: u64) -> Result<Vec<Group>> {
    let per_group = plan.env.n_envs / plan.env.n_groups;
    let config = EnvConfig {
        world: World::resolve(&plan.game).map_err(|error| RequestError::new(error.to_string()))?,
        protocol: Protocol::named(plan.protocol),
        n_envs: per_group,
        n_threads: plan.env.env_threads,
    };
    let master = match step {
        0 => plan.seed,
        _ => derived_seed(plan.seed, Consumer::EnvironmentSeed, step),
    };
    let group = |group: usize| -> Result<Group> {
        let envs = group * per_group..(group + 1) * per_group;
        Ok(Group {
            env: make(&config).map_err(|error| RequestError::new(error.to_string()))?,
            seeds: envs.map(|env| env_seed(master, env)).collect(),
        })
    };
    (0..plan.env.n_groups).map(group).collect()
}

/// Makes the agent that `plan` describes, with its initial weights.
///
/// # Errors
/// If the observations do not fit the torso.
pub(crate) fn agent(plan: &Plan, spec: &EnvSpec) -> Result<A2c> {
    let dimension = |n: usize| i64::try_from(n).expect("an observation's size fits");
    let task = Task {
        obs_shape: spec.obs_shape.map(dimension),
        n_actions: dimension(spec.n_actions),
        clip_rewards: Protocol::named(plan.protocol).clip_rewards,
    };
    let device = plan.learner.device.into();
    Ok(A2c::new(
        plan.a2c.clone(),
        &plan.torso,
        task,
        device,
        plan.seed,
    )?)
}

/// Makes the learner that trains `agent` from step number `step` on.
pub(crate) fn learner(plan: &Plan, agent: A2c, spec: &EnvSpec, step: u64) -> Learner {
    let obs_len = spec.obs_shape.iter().product();
    Learner::new(plan, agent, obs_len, spec.n_actions, step)
}
