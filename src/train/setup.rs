//! From a plan to the parts of a run: environments at their first observations, workers, a learner.

use std::thread;

use anyhow::{Context, Result};
use rlrun_agents::a2c::{A2c, Task};
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_envs::{EnvConfig, EnvSpec, Protocol, StepBatch, World, env_seed, make};

use super::actors::Group;
use super::crew::Team;
use super::learner::Learner;
use super::worker::Worker;
use crate::plan::Plan;
use crate::request::RequestError;

/// The environments of a run, reset.
pub(crate) struct Environments {
    groups: Vec<(Group, StepBatch)>,
    spec: EnvSpec,
}

impl Environments {
    /// Makes and resets the environments of a run that has taken `step` steps before.
    ///
    /// A resumed run cannot take up the games it was killed in; it starts new ones, under seeds that it has not used yet.
    /// Loading a ROM is slow, and done twice for each environment, so each group is made on a thread of its own.
    ///
    /// # Errors
    /// A [`RequestError`] if the game, Python or its packages are not to be had.
    pub(crate) fn start(plan: &Plan, step: u64) -> Result<Self> {
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
        let groups = thread::scope(|scope| {
            let starting: Vec<_> = (0..plan.env.n_groups)
                .map(|number| {
                    thread::Builder::new()
                        .name(format!("start-{number}"))
                        .spawn_scoped(scope, move || start(number))
                        .context("starting a thread")
                })
                .collect();
            let finished = starting.into_iter().map(|starting| {
                let outcome = starting?.join();
                let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                outcome.map_err(|error| refused(&error).into())
            });
            finished.collect::<Result<Vec<_>>>()
        })?;
        let spec = *groups[0].0.env.spec();
        Ok(Self { groups, spec })
    }

    /// What all groups have in common.
    pub(crate) fn spec(&self) -> EnvSpec {
        self.spec
    }

    /// Shares the groups out to the workers of `agent`.
    pub(crate) fn into_teams(self, plan: &Plan, agent: &A2c) -> Vec<Team> {
        let n_groups = self.groups.len();
        let n_workers = plan.n_workers();
        let mut groups = self.groups.into_iter();
        let team = |number: usize| {
            let own = number * n_groups / n_workers..(number + 1) * n_groups / n_workers;
            let first_env = own.start * self.spec.n_envs;
            let (groups, first): (Vec<_>, Vec<_>) = groups.by_ref().take(own.len()).unzip();
            let worker = Worker::new(plan, agent.replica(), &self.spec, first_env, first);
            (worker, groups)
        };
        (0..n_workers).map(team).collect()
    }
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

/// The parts of a run that begins anew: its learner and its teams.
///
/// # Errors
/// As [`Environments::start`] and [`agent`].
pub(crate) fn fresh(plan: &Plan) -> Result<(Learner, Vec<Team>)> {
    let environments = Environments::start(plan, 0)?;
    let agent = agent(plan, &environments.spec())?;
    let teams = environments.into_teams(plan, &agent);
    Ok((Learner::new(plan, agent, 0), teams))
}
