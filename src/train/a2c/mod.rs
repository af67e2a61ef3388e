//! A2C at work.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`crew`] | all threads and channels, wired and joined |
//! | [`worker`] | drives its groups through a rollout, computes its share of the gradient |
//! | [`learner`] | sums up the shares, updates the agent |

mod crew;
mod learner;
#[cfg(test)]
mod probe_tests;
mod worker;

use anyhow::Result;
use rlrun_agents::a2c::{A2c, A2cConfig};
use rlrun_agents::stream::Consumer;
use rlrun_envs::EnvSpec;

use self::crew::{Team, with_crew};
use self::learner::Learner;
use self::worker::{Actor, Worker};
use super::collect::Collector;
use super::games::Place;
use super::home::Homes;
use super::pool::UpdatePool;
use super::setup::{Past, Start, Worlds, does_not_fit, worlds_and};
use super::station::share;
use super::training::Training;
use crate::plan::{Plan, Threading};

/// Starts A2C as `plan` says, hands it to `drive`, and joins its threads.
///
/// # Errors
/// As [`super::setup::with_training`].
pub(super) fn with_training<T>(
    plan: &Plan,
    config: &A2cConfig,
    start: &Start,
    threading: Threading,
    drive: impl FnOnce(&mut dyn Training, &EnvSpec) -> Result<T>,
) -> Result<T> {
    with_learner(plan, config, start, threading, |learner, spec| {
        drive(learner, spec)
    })
}

fn with_learner<T>(
    plan: &Plan,
    config: &A2cConfig,
    start: &Start,
    threading: Threading,
    drive: impl FnOnce(&mut Learner<'_>, &EnvSpec) -> Result<T>,
) -> Result<T> {
    let homes = Homes::new(plan, threading);
    let (worlds, agent) = worlds_and(plan, &start.retracing, homes, |task| {
        let compute = plan.learner.compute();
        let mut agent = A2c::new(config.clone(), &plan.torso, task, compute, plan.seed)?;
        if let Some(saved) = &start.tensors {
            agent
                .load_state(saved)
                .map_err(|error| does_not_fit(&error))?;
        }
        Ok(agent)
    })?;
    let spec = worlds.spec;
    let (teams, past) = teams(plan, config, &agent, worlds);
    UpdatePool::with(plan, threading, |pool| {
        with_crew(plan, teams, threading, homes, |crew| {
            let staff = (crew, pool, past);
            let mut learner = Learner::new(plan, agent, staff, start, spec.n_actions);
            drive(&mut learner, &spec)
        })
    })
}

/// Shares the groups out to the workers of `agent`.
fn teams(plan: &Plan, config: &A2cConfig, agent: &A2c, worlds: Worlds) -> (Vec<Team>, Past) {
    let Worlds { groups, spec, past } = worlds;
    let (n_groups, n_workers) = (groups.len(), plan.n_workers());
    let mut groups = groups.into_iter();
    let team = |number: usize| {
        let own = share(number, n_workers, n_groups);
        let (groups, first): (Vec<_>, Vec<_>) = groups.by_ref().take(own.len()).unzip();
        let place = Place {
            first_env: own.start * spec.n_envs,
            n_envs_total: plan.env.n_envs,
        };
        let collector = Collector::new(config.rollout_steps, &spec, place, first);
        let actor = Actor::new(agent.replica(), spec.n_actions, plan.seed, Consumer::Action);
        let worker = Worker::new(collector, actor);
        (worker, groups)
    };
    ((0..n_workers).map(team).collect(), past)
}
