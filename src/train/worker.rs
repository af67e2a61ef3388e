//! A worker: drives its groups of environments through a rollout, then computes what they add to the gradient.
//!
//! With one group, a worker and its emulator take turns on a core; with as many workers as cores all are busy:
//!
//! ```text
//!  worker 0   |act|env |act|env |act|env | ... |value| gradient |wait| update |
//!  worker 1   |act|env |act|env |act|env | ... |value| gradient |    |  wait  |
//! ```
//!
//! With several groups, a worker acts for one while the environments of another step, as a single worker with a GPU does:
//!
//! ```text
//!  group 0    |act|  env  |act|  env  |act| ... |value|
//!  group 1        |act|  env  |act|  env  | ...       |value|
//!  worker     |a0 |a1 |   |a0 |a1 |   |             |v0 |v1 |  gradient  |
//! ```
//!
//! The parameters stand still for the whole rollout, so A2C is exactly synchronous: no action is older than the last
//! update. Groups report in any order; nothing that is computed depends on it, since actions are drawn under keys and
//! batches never mix groups.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::a2c::{Replica, ShareGradient};
use rlrun_agents::policy;
use rlrun_agents::rollout::{Outcome, Rollout};
use rlrun_agents::stream::{Consumer, stream};
use rlrun_envs::{EnvSpec, StepBatch};

use super::actors::{Actors, Exchange};
use super::games::{FinishedGame, GamesInPlay, Place};
use crate::plan::Plan;

/// A share of the environments, and what acts in them.
pub(crate) struct Worker {
    replica: Replica,
    rollout: Rollout,
    seats: Vec<Seat>,
    games: GamesInPlay,
    place: Place,
    n_actions: usize,
    seed: u64,
    logits: Vec<f32>,
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
    /// Waiting for environments.
    pub(crate) env_wait: Duration,
    /// Forward passes to act and to bootstrap, and sampling.
    pub(crate) inference: Duration,
    /// Moving observations and outcomes into the rollout.
    pub(crate) copy: Duration,
    /// Returns and gradient.
    pub(crate) gradient: Duration,
}

impl Worker {
    /// A worker of `plan` for neighbouring groups, the first of which begins with environment `first_env` of the run.
    /// `first` are the groups' first observations; `spec` is that of one group.
    pub(crate) fn new(
        plan: &Plan,
        replica: Replica,
        spec: &EnvSpec,
        first_env: usize,
        first: Vec<StepBatch>,
    ) -> Self {
        let n_envs = spec.n_envs * first.len();
        let place = Place {
            first_env,
            n_envs_total: plan.env.n_envs,
        };
        let mut rollout = Rollout::new(plan.a2c.rollout_steps, n_envs, spec.obs_len());
        let mut seats = Vec::new();
        for (seat, batch) in first.into_iter().enumerate() {
            let envs = seat * spec.n_envs..(seat + 1) * spec.n_envs;
            rollout.record_obs(plan.a2c.rollout_steps, &envs, &batch.obs);
            let actions = vec![0; spec.n_envs];
            seats.push(Seat {
                envs,
                t: 0,
                parked: Some(Exchange {
                    seat,
                    actions,
                    batch,
                }),
            });
        }
        Self {
            replica,
            rollout,
            seats,
            games: GamesInPlay::new(n_envs, place),
            place,
            n_actions: spec.n_actions,
            seed: plan.seed,
            logits: Vec::new(),
            time: TimeSplit::default(),
        }
    }

    /// One rollout from step number `step` of the run on, and what it adds to the update.
    ///
    /// # Errors
    /// If an actor failed.
    pub(crate) fn advance(&mut self, actors: &mut Actors, step: u64) -> Result<Contribution> {
        self.collect(actors, step)?;
        let start = Instant::now();
        let n_total = self.rollout.n_steps() * self.place.n_envs_total;
        let gradient = self.replica.gradient(&self.rollout, n_total);
        self.time.gradient += start.elapsed();
        Ok(Contribution {
            gradient,
            games: self.games.add(&self.rollout, step),
            time: std::mem::take(&mut self.time),
        })
    }

    /// Fills the rollout.
    fn collect(&mut self, actors: &mut Actors, step: u64) -> Result<()> {
        self.rollout.restart();
        for seat in 0..self.seats.len() {
            self.seats[seat].t = 0;
            let exchange = self.seats[seat]
                .parked
                .take()
                .expect("between rollouts every group is parked");
            self.act(exchange, actors, step);
        }
        let mut n_running = self.seats.len();
        while n_running > 0 {
            let start = Instant::now();
            let exchange = actors.next()?;
            self.time.env_wait += start.elapsed();
            self.record(&exchange);
            let seat = exchange.seat;
            if self.seats[seat].t < self.rollout.n_steps() {
                self.act(exchange, actors, step);
            } else {
                self.seats[seat].parked = Some(exchange);
                self.bootstrap(seat);
                n_running -= 1;
            }
        }
        Ok(())
    }

    /// Takes what followed a group's step into the rollout.
    fn record(&mut self, exchange: &Exchange) {
        let start = Instant::now();
        let seat = &mut self.seats[exchange.seat];
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
    fn act(&mut self, mut exchange: Exchange, actors: &mut Actors, first_step: u64) {
        let start = Instant::now();
        let seat = &self.seats[exchange.seat];
        let obs = self.rollout.obs_at(seat.t, &seat.envs);
        self.replica.act(obs, &mut self.logits);
        let step = first_step + (seat.t * self.place.n_envs_total) as u64;
        let rows = self.logits.chunks_exact(self.n_actions);
        for ((env, action), logits) in seat.envs.clone().zip(&mut exchange.actions).zip(rows) {
            let env = (self.place.first_env + env) as u64;
            let mut rng = stream(self.seed, Consumer::Action, step, env);
            *action = policy::sample(logits, &mut rng);
        }
        self.rollout
            .record_actions(seat.t, &seat.envs, &exchange.actions);
        self.time.inference += start.elapsed();
        actors.order(exchange);
    }

    /// The values of a group's last observations, while other groups are still on their way.
    fn bootstrap(&mut self, seat: usize) {
        let start = Instant::now();
        let envs = self.seats[seat].envs.clone();
        let obs = self.rollout.obs_at(self.rollout.n_steps(), &envs);
        self.replica.values(obs, &mut self.logits);
        self.rollout.bootstrap[envs].copy_from_slice(&self.logits);
        self.time.inference += start.elapsed();
    }
}
