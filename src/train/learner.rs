//! The learner: drives the actors through a rollout, then updates the agent.
//!
//! ```text
//!  group 0   |act|  env  |act|  env  |act| ... |value|
//!  group 1       |act|  env  |act|  env  | ...       |value|
//!  learner   |a0 |a1 |   |a0 |a1 |   |             |v0 |v1 |   update   |
//! ```
//!
//! While one group's environments step, the policy's forward pass runs on another group. The parameters stand still for
//! the whole rollout, so A2C is exactly synchronous: no action is older than the last update. Groups report in any
//! order; nothing that is computed depends on it, since actions are drawn under keys and batches never mix groups.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::a2c::{A2c, Differentiator, UpdateStats};
use rlrun_agents::policy;
use rlrun_agents::rollout::{Outcome, Rollout};
use rlrun_agents::stream::{Consumer, stream};

use super::actors::{Actors, Exchange};
use super::crew::Crew;
use crate::plan::Plan;

/// Where the learner's time went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeSplit {
    /// Waiting for environments.
    pub(crate) env_wait: Duration,
    /// Forward passes to act and to bootstrap, and sampling.
    pub(crate) inference: Duration,
    /// Moving observations and outcomes into the rollout.
    pub(crate) copy: Duration,
    /// Returns and gradients of updates.
    pub(crate) gradient: Duration,
    /// Clipping and optimizer.
    pub(crate) apply: Duration,
}

/// The agent and the rollout it is being fed with.
pub(crate) struct Learner {
    agent: A2c,
    rollout: Rollout,
    groups: Vec<Seat>,
    seed: u64,
    step: u64,
    total_steps: u64,
    n_shares: usize,
    logits: Vec<f32>,
    n_actions: usize,
    time: TimeSplit,
}

/// A group's place in the rollout.
struct Seat {
    envs: Range<usize>,
    /// Steps it has taken in this rollout.
    t: usize,
    /// Its buffers, while nothing is ordered.
    parked: Option<Exchange>,
}

impl Learner {
    /// A learner for `plan` whose next step is number `step`. `obs_len` is the bytes of an observation.
    pub(crate) fn new(
        plan: &Plan,
        agent: A2c,
        obs_len: usize,
        n_actions: usize,
        step: u64,
    ) -> Self {
        let per_group = plan.env.n_envs / plan.env.n_groups;
        let seat = |group| Seat {
            envs: group * per_group..(group + 1) * per_group,
            t: 0,
            parked: None,
        };
        Self {
            agent,
            rollout: Rollout::new(plan.a2c.rollout_steps, plan.env.n_envs, obs_len),
            groups: (0..plan.env.n_groups).map(seat).collect(),
            seed: plan.seed,
            step,
            total_steps: plan.total_steps,
            n_shares: plan.update_shares(),
            logits: Vec::new(),
            n_actions,
            time: TimeSplit::default(),
        }
    }

    /// What the updates' gradients are computed with: the learner's own, and one for each further share of a batch.
    pub(crate) fn differentiators(&self) -> (Differentiator, Vec<Differentiator>) {
        let n = self.rollout.n_transitions();
        let others = (1..self.n_shares).map(|_| self.agent.differentiator(n));
        (self.agent.differentiator(n), others.collect())
    }

    /// Takes in every group's first observations.
    ///
    /// # Errors
    /// If an actor failed.
    pub(crate) fn start(&mut self, crew: &mut Crew) -> Result<()> {
        let n_steps = self.rollout.n_steps();
        for _ in 0..self.groups.len() {
            let exchange = crew.actors.next()?;
            let seat = &mut self.groups[exchange.group];
            self.rollout
                .record_obs(n_steps, &seat.envs, &exchange.batch.obs);
            seat.parked = Some(exchange);
        }
        Ok(())
    }

    /// One rollout and the update from it.
    ///
    /// # Errors
    /// If a thread of the crew failed or training has diverged. The agent is then as the last update left it.
    pub(crate) fn advance(&mut self, crew: &mut Crew) -> Result<UpdateStats> {
        self.collect(&mut crew.actors)?;
        let start = Instant::now();
        let shares = self.agent.share_out(&self.rollout, self.n_shares);
        let gradients = crew.updaters.gradients(shares)?;
        self.time.gradient += start.elapsed();
        let start = Instant::now();
        let stats = self.agent.apply(gradients, self.step, self.total_steps)?;
        self.time.apply += start.elapsed();
        self.step += self.rollout.n_transitions() as u64;
        Ok(stats)
    }

    /// Steps taken in all, by all environments together.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// The rollout that the last update learned from.
    pub(crate) fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The agent.
    pub(crate) fn agent(&self) -> &A2c {
        &self.agent
    }

    /// Where the time went since this was last asked.
    pub(crate) fn take_time(&mut self) -> TimeSplit {
        std::mem::take(&mut self.time)
    }

    /// Fills the rollout.
    fn collect(&mut self, actors: &mut Actors) -> Result<()> {
        self.rollout.restart();
        for group in 0..self.groups.len() {
            self.groups[group].t = 0;
            let exchange = self.groups[group]
                .parked
                .take()
                .expect("between rollouts every group is parked");
            self.act(exchange, actors);
        }
        let mut n_running = self.groups.len();
        while n_running > 0 {
            let start = Instant::now();
            let exchange = actors.next()?;
            self.time.env_wait += start.elapsed();
            self.record(&exchange);
            let group = exchange.group;
            if self.groups[group].t < self.rollout.n_steps() {
                self.act(exchange, actors);
            } else {
                self.groups[group].parked = Some(exchange);
                self.bootstrap(group);
                n_running -= 1;
            }
        }
        Ok(())
    }

    /// Takes what followed a group's step into the rollout.
    fn record(&mut self, exchange: &Exchange) {
        let start = Instant::now();
        let seat = &mut self.groups[exchange.group];
        let batch = &exchange.batch;
        let outcome = Outcome {
            reward: &batch.reward,
            terminated: &batch.terminated,
            truncated: &batch.truncated,
            game_over: &batch.game_over,
            final_obs: &batch.final_obs,
        };
        self.rollout.record_outcome(seat.t, &seat.envs, &outcome);
        seat.t += 1;
        self.rollout.record_obs(seat.t, &seat.envs, &batch.obs);
        self.time.copy += start.elapsed();
    }

    /// Chooses a group's actions and orders the step.
    fn act(&mut self, mut exchange: Exchange, actors: &mut Actors) {
        let start = Instant::now();
        let seat = &self.groups[exchange.group];
        let obs = self.rollout.obs_at(seat.t, &seat.envs);
        self.agent.act(obs, &mut self.logits);
        let step = self.step + (seat.t * self.rollout.n_envs()) as u64;
        let rows = self.logits.chunks_exact(self.n_actions);
        for ((env, action), logits) in seat.envs.clone().zip(&mut exchange.actions).zip(rows) {
            let mut rng = stream(self.seed, Consumer::Action, step, env as u64);
            *action = policy::sample(logits, &mut rng);
        }
        self.rollout
            .record_actions(seat.t, &seat.envs, &exchange.actions);
        self.time.inference += start.elapsed();
        actors.order(exchange);
    }

    /// The values of a group's last observations, while other groups are still on their way.
    fn bootstrap(&mut self, group: usize) {
        let start = Instant::now();
        let envs = self.groups[group].envs.clone();
        let obs = self.rollout.obs_at(self.rollout.n_steps(), &envs);
        self.agent.values(obs, &mut self.logits);
        self.rollout.bootstrap[envs].copy_from_slice(&self.logits);
        self.time.inference += start.elapsed();
    }
}
