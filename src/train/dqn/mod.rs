//! DQN at work.
//!
//! The work is done in rounds. In a round every environment takes the same number of steps, and meanwhile the updates are
//! made that belong to it, one for every `steps_per_update` steps, whatever the speed of either side:
//!
//! ```text
//!  round k     collector   acts with the parameters of the round's start, steps the environments
//!              learner     updates on the batches that were gathered in round k - 1
//!              gatherer    gathers the batches of round k + 1, from the memory as it is at the round's start
//!  its end     what was collected goes into the memory, the actor gets the new parameters
//! ```
//!
//! Where workers have cores of their own, one thread of the update leaves its core to the collector while that works ([`UpdatePool::lend_core`]).
//!
//! So the memory stands still while a round goes on, and its end is the only point at which the sides meet. Two things lag
//! behind the published algorithm, which acts, stores, samples and updates in turn: an action is chosen by a network that lacks
//! at most the updates of one round, and a batch lacks at most the transitions of two rounds, of a memory of many thousands.
//! Both bounds depend on the plan alone, and so do all numbers, with threads or without.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`learner`] | the rounds |
//! | [`shares`] | the gradient of a batch |
//! | [`stations`] | everyone who works for the learner |
//! | [`explorer`] | chooses actions |
//! | [`memory`] | the replay memory |
//! | [`filing`] | which file it lies in |

mod explorer;
mod filing;
mod learner;
mod memory;
#[cfg(test)]
mod probe_tests;
mod shares;
mod stations;

use std::thread;

use anyhow::Result;
use rlrun_agents::dqn::{Dqn, DqnConfig};
use rlrun_envs::EnvSpec;

use self::explorer::{Epsilon, Explorer};
pub(crate) use self::filing::{Filing, Opened};
use self::learner::{Baggage, Learner, Rhythm};
use self::memory::{Memory, Saved};
pub(crate) use self::shares::Shares;
use self::stations::Stations;
use super::actors::{Actors, Footing};
use super::collect::Collector;
use super::games::Place;
use super::home::Homes;
use super::pool::UpdatePool;
use super::setup::{Start, does_not_fit, worlds_and};
use super::training::Training;
use crate::plan::{Plan, ReplayPlan, Threading};

/// Starts DQN as `plan` says, hands it to `drive`, and joins its threads.
///
/// # Errors
/// As [`super::setup::with_training`].
pub(super) fn with_training<T>(
    plan: &Plan,
    (config, replay): (&DqnConfig, &ReplayPlan),
    start: &Start,
    threading: Threading,
    drive: impl FnOnce(&mut dyn Training, &EnvSpec) -> Result<T>,
) -> Result<T> {
    with_learner(plan, (config, replay), start, threading, |learner, spec| {
        drive(learner, spec)
    })
}

fn with_learner<T>(
    plan: &Plan,
    (config, replay): (&DqnConfig, &ReplayPlan),
    start: &Start,
    threading: Threading,
    drive: impl FnOnce(&mut Learner<'_>, &EnvSpec) -> Result<T>,
) -> Result<T> {
    let homes = Homes::new(plan, threading);
    let (worlds, (agent, task)) = worlds_and(plan, &start.retracing, homes, |task| {
        let compute = plan.learner.compute();
        let mut agent = Dqn::new(config.clone(), &plan.torso, task, compute, plan.seed)?;
        if let Some(tensors) = &start.tensors {
            agent
                .load_state(tensors)
                .map_err(|error| does_not_fit(&error))?;
        }
        Ok((agent, task))
    })?;
    let (groups, first): (Vec<_>, Vec<_>) = worlds.groups.into_iter().unzip();
    let spec = worlds.spec;
    let obs_now: Vec<u8> = first
        .iter()
        .flat_map(|standing| &standing.batch.obs)
        .copied()
        .collect();
    let filing = Filing::new(plan, (config, replay), &spec);
    let memory = Memory::new(filing, config, task, obs_now)?;
    let saved = Saved::of(start);
    let rhythm = Rhythm::new(plan, config, spec.n_actions, start.learns_from);
    let place = Place {
        first_env: 0,
        n_envs_total: plan.env.n_envs,
    };
    let collector = Collector::new(rhythm.n_steps(), &spec, place, first);
    let baggage = Baggage {
        explorer: Explorer::new(
            agent.actor()?,
            Epsilon::Scheduled(config.clone()),
            spec.n_actions,
            plan.seed,
        ),
        rollout: collector.spare_rollout(),
    };
    UpdatePool::with(plan, threading, |pool| {
        thread::scope(|scope| {
            let home = homes.of_group(0);
            let footing = Footing::new(plan, threading, home);
            let actors = Actors::start("actor", groups, footing)?;
            let stations = Stations::start(scope, (collector, actors), (threading, home))?;
            let shares = Shares::new(plan, &agent, config);
            let (memory, baggage) = ((memory, saved), (baggage, worlds.past));
            let agent = (agent, shares, pool);
            let mut learner = Learner::new(rhythm, agent, memory, stations, baggage, start);
            drive(&mut learner, &spec)
        })
    })
}
