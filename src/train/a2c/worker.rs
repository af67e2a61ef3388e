//! A worker: drives its groups of environments through a rollout, then computes what they add to the gradient.
//!
//! With one group, a worker and its emulator take turns on a core; with as many workers as cores all are busy:
//!
//! ```text
//!  worker 0   |act|env |act|env |act|env | ... |value| gradient |wait| update |
//!  worker 1   |act|env |act|env |act|env | ... |value| gradient |    |  wait  |
//! ```
//!
//! With several groups, as a single worker with a GPU has them, see [`collect`](crate::train::collect). The parameters stand
//! still for the whole rollout, so A2C is exactly synchronous: no action is older than the last update.

use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::a2c::{Keep, Replica, ShareGradient};
use rlrun_agents::policy;
use rlrun_agents::stream::{Consumer, stream};
use tch::Device;

use crate::train::actors::Actors;
use crate::train::collect::{Behaviour, CollectTime, Collector};
use crate::train::games::FinishedGame;

/// A share of the environments, and what acts in them.
pub(crate) struct Worker {
    collector: Collector,
    actor: Actor,
    keeps: Keep,
}

/// Draws actions from the policy.
pub(crate) struct Actor {
    replica: Replica,
    n_actions: usize,
    seed: u64,
    consumer: Consumer,
    logits: Vec<f32>,
}

/// An actor in a rollout that is learned from.
struct Learning<'a> {
    actor: &'a mut Actor,
    keep: Keep,
}

/// What a worker adds to an update.
#[derive(Debug)]
pub(crate) struct Contribution {
    /// Its share of the gradient.
    pub(crate) gradient: ShareGradient,
    /// Games that ended in its rollout.
    pub(crate) games: Vec<FinishedGame>,
    /// Where its time went.
    pub(crate) time: TimeSplit,
}

/// Where a worker's time went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeSplit {
    /// Filling the rollout.
    pub(crate) collect: CollectTime,
    /// Returns and gradient.
    pub(crate) gradient: Duration,
}

impl Worker {
    /// A worker that acts and learns through `actor`.
    pub(crate) fn new(collector: Collector, actor: Actor) -> Self {
        // With several groups the passes are made in the order in which these report, and libtorch sums the gradients of kept
        // passes in an order that follows from it: the rounding would depend on the clock. On a GPU, where starting
        // operations is what takes time, one pass over the whole rollout has fewer of them than the way back through kept ones.
        let keeps = if collector.n_groups() == 1 && actor.replica.device() == Device::Cpu {
            Keep::Pass
        } else {
            Keep::Observations
        };
        Self {
            collector,
            actor,
            keeps,
        }
    }

    /// One rollout from step number `step` of the run on, and what it adds to the update.
    ///
    /// # Errors
    /// If an actor failed.
    pub(crate) fn advance(&mut self, actors: &mut Actors, step: u64) -> Result<Contribution> {
        let mut learning = Learning {
            actor: &mut self.actor,
            keep: self.keeps,
        };
        let games = self.collector.collect(actors, step, &mut learning)?;
        let start = Instant::now();
        let n_total = self.collector.n_transitions_of_run();
        let rollout = self.collector.rollout();
        let gradient = self.actor.replica.gradient(rollout, n_total);
        let time = TimeSplit {
            collect: self.collector.take_time(),
            gradient: start.elapsed(),
        };
        Ok(Contribution {
            gradient,
            games,
            time,
        })
    }
}

impl Actor {
    /// Acts through `replica` with its `n_actions`, under the streams of `consumer` and `seed`.
    pub(crate) fn new(replica: Replica, n_actions: usize, seed: u64, consumer: Consumer) -> Self {
        Self {
            replica,
            n_actions,
            seed,
            consumer,
            logits: Vec::new(),
        }
    }

    /// Draws actions from the policy's logits.
    fn draw(&self, step: u64, first_env: usize, actions: &mut [u8]) {
        let rows = self.logits.chunks_exact(self.n_actions);
        for ((env, action), logits) in (first_env as u64..).zip(actions).zip(rows) {
            let mut rng = stream(self.seed, self.consumer, step, env);
            *action = policy::sample(logits, &mut rng);
        }
    }
}

impl Behaviour for Actor {
    fn choose(&mut self, obs: &[u8], step: u64, first_env: usize, actions: &mut [u8]) {
        self.replica.act(obs, &mut self.logits);
        self.draw(step, first_env, actions);
    }
}

impl Behaviour for Learning<'_> {
    fn choose(&mut self, obs: &[u8], step: u64, first_env: usize, actions: &mut [u8]) {
        let Self { actor, keep } = self;
        let at = (step, first_env);
        actor
            .replica
            .act_and_keep(obs, at, *keep, &mut actor.logits);
        actor.draw(step, first_env, actions);
    }

    /// The value to bootstrap from.
    fn look_ahead(&mut self, obs: &[u8], values: &mut [f32]) {
        let actor = &mut *self.actor;
        actor.replica.values(obs, &mut actor.logits);
        values.copy_from_slice(&actor.logits);
    }
}
