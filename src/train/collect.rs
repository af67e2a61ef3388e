//! Collecting: groups of environments are driven through a rollout, whoever chooses the actions.
//!
//! With several groups, actions are chosen for one while the environments of another step:
//!
//! ```text
//!  group 0    |act|  env  |act|  env  |act| ... |ahead|
//!  group 1        |act|  env  |act|  env  | ...       |ahead|
//!  collector  |a0 |a1 |   |a0 |a1 |   |             |0  |1  |
//! ```
//!
//! Groups report in any order; nothing that is computed depends on it, since actions are drawn under keys and batches never
//! mix groups.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::rollout::{Outcome, Rollout};
use rlrun_envs::EnvSpec;

use super::actors::{Actors, Exchange};
use super::games::{FinishedGame, GamesInPlay, Place};
use super::setup::Standing;

/// Who chooses the actions of a rollout.
pub(crate) trait Behaviour {
    /// Chooses the actions of neighbouring environments, the first of which is number `first_env` of the run, on their
    /// observations \[b, obs\] at `step` of the run.
    fn choose(&mut self, obs: &[u8], step: u64, first_env: usize, actions: &mut [u8]);

    /// Looks at the observations \[b, obs\] after the last step of a group, while other groups still step, and may write
    /// what they are worth.
    fn look_ahead(&mut self, obs: &[u8], values: &mut [f32]) {
        let _ = (obs, values);
    }
}

/// A share of the environments, and the rollout they fill.
pub(crate) struct Collector {
    rollout: Rollout,
    seats: Vec<Seat>,
    games: GamesInPlay,
    place: Place,
    time: CollectTime,
}

/// A group's place in the rollout.
struct Seat {
    envs: Range<usize>,
    /// Steps it has taken in this rollout.
    t: usize,
    /// Its buffers, while nothing is ordered.
    parked: Option<Exchange>,
}

/// Where the time of collecting went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CollectTime {
    /// Waiting for environments.
    pub(crate) env_wait: Duration,
    /// Choosing actions, and looking ahead.
    pub(crate) inference: Duration,
    /// Moving observations and outcomes into the rollout.
    pub(crate) copy: Duration,
}

impl Collector {
    /// A collector of rollouts of `n_steps` for neighbouring groups that stand at `place` in the run. `first` is where the
    /// groups are now; `spec` is that of one group.
    pub(crate) fn new(n_steps: usize, spec: &EnvSpec, place: Place, first: Vec<Standing>) -> Self {
        let n_envs = spec.n_envs * first.len();
        let mut rollout = Rollout::new(n_steps, n_envs, spec.obs_len());
        let (mut seats, mut games_so_far) = (Vec::new(), Vec::new());
        for (seat, Standing { batch, games }) in first.into_iter().enumerate() {
            games_so_far.extend(games);
            let envs = seat * spec.n_envs..(seat + 1) * spec.n_envs;
            rollout.record_obs(n_steps, &envs, &batch.obs);
            let actions = vec![0; spec.n_envs];
            let exchange = Exchange {
                seat,
                reset: None,
                actions,
                batch,
            };
            seats.push(Seat {
                envs,
                t: 0,
                parked: Some(exchange),
            });
        }
        Self {
            rollout,
            seats,
            games: GamesInPlay::new(games_so_far, place),
            place,
            time: CollectTime::default(),
        }
    }

    /// Groups of environments.
    pub(crate) fn n_groups(&self) -> usize {
        self.seats.len()
    }

    /// The last rollout.
    pub(crate) fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// Hands out the last rollout for another of its size, which goes on where that one ended.
    pub(crate) fn swap_rollout(&mut self, spare: &mut Rollout) {
        spare.last_obs.copy_from_slice(&self.rollout.last_obs);
        std::mem::swap(&mut self.rollout, spare);
    }

    /// A rollout of the same size.
    pub(crate) fn spare_rollout(&self) -> Rollout {
        let obs_len = self.rollout.last_obs.len() / self.rollout.n_envs();
        Rollout::new(self.rollout.n_steps(), self.rollout.n_envs(), obs_len)
    }

    /// Environments of the whole run times steps of a rollout.
    pub(crate) fn n_transitions_of_run(&self) -> usize {
        self.rollout.n_steps() * self.place.n_envs_total
    }

    /// Fills the rollout from step number `step` of the run on, and returns the games that ended in it.
    ///
    /// # Errors
    /// If an actor failed.
    pub(crate) fn collect(
        &mut self,
        actors: &mut Actors,
        step: u64,
        behaviour: &mut impl Behaviour,
    ) -> Result<Vec<FinishedGame>> {
        self.rollout.restart();
        for seat in 0..self.seats.len() {
            self.seats[seat].t = 0;
            let exchange = self.seats[seat]
                .parked
                .take()
                .expect("between rollouts every group is parked");
            self.act(exchange, actors, step, behaviour);
        }
        let mut n_running = self.seats.len();
        while n_running > 0 {
            let start = Instant::now();
            let exchange = actors.next()?;
            self.time.env_wait += start.elapsed();
            self.record(&exchange);
            let seat = exchange.seat;
            if self.seats[seat].t < self.rollout.n_steps() {
                self.act(exchange, actors, step, behaviour);
            } else {
                self.seats[seat].parked = Some(exchange);
                self.look_ahead(seat, behaviour);
                n_running -= 1;
            }
        }
        Ok(self.games.add(&self.rollout, step))
    }

    /// Where the time went since this was last asked.
    pub(crate) fn take_time(&mut self) -> CollectTime {
        std::mem::take(&mut self.time)
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
    fn act(
        &mut self,
        mut exchange: Exchange,
        actors: &mut Actors,
        first_step: u64,
        behaviour: &mut impl Behaviour,
    ) {
        let start = Instant::now();
        let seat = &self.seats[exchange.seat];
        let obs = self.rollout.obs_at(seat.t, &seat.envs);
        let step = first_step + (seat.t * self.place.n_envs_total) as u64;
        let first_env = self.place.first_env + seat.envs.start;
        behaviour.choose(obs, step, first_env, &mut exchange.actions);
        self.rollout
            .record_actions(seat.t, &seat.envs, &exchange.actions);
        self.time.inference += start.elapsed();
        actors.order(exchange);
    }

    fn look_ahead(&mut self, seat: usize, behaviour: &mut impl Behaviour) {
        let start = Instant::now();
        let envs = self.seats[seat].envs.clone();
        let (obs, values) = self.rollout.last_obs_and_bootstrap(&envs);
        behaviour.look_ahead(obs, values);
        self.time.inference += start.elapsed();
    }
}
