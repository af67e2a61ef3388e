//! The learner: the rounds of DQN.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rlrun_agents::dqn::{Dqn, DqnConfig, UpdateStats};
use rlrun_agents::replay::ReplayBatch;
use rlrun_agents::rollout::Rollout;
use rlrun_envs::Stretch;
use tch::Tensor;

use super::explorer::{Epsilon, Explorer};
use super::filing::Opened;
use super::memory::{Draw, Memory, Saved};
use super::shares::Shares;
use super::stations::{CollectOrder, GatherOrder, Stations};
use crate::plan::Plan;
use crate::run::screen::Screen;
use crate::train::collect::Behaviour;
use crate::train::games::FinishedGame;
use crate::train::pool::UpdatePool;
use crate::train::setup::{Past, Start};
use crate::train::training::{Means, Training, TrainingState};

/// The agent, its memory, and who works for it.
pub(crate) struct Learner<'a> {
    agent: Dqn,
    memory: Memory,
    /// Of the run that goes on, until its folder is there.
    saved: Option<Saved>,
    stations: Stations<'a>,
    shares: Shares,
    pool: &'a UpdatePool<'a>,
    rhythm: Rhythm,
    baggage: Option<Baggage>,
    past: Past,
    /// The batches of this round.
    ready: Vec<ReplayBatch>,
    /// Buffers for those of the next.
    spare: Vec<ReplayBatch>,
    step: u64,
    updates: u64,
    means: Means,
    time: LearnerTime,
    /// Whether the last round has come to its end.
    is_whole: bool,
}

/// What travels to the collector and back.
pub(super) struct Baggage {
    /// Chooses the actions.
    pub(super) explorer: Explorer,
    /// Brings home what followed.
    pub(super) rollout: Rollout,
}

/// When what happens.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    seed: u64,
    n_actions: usize,
    /// Steps of each environment in a round.
    n_steps: usize,
    steps_per_round: u64,
    updates_per_round: usize,
    /// Step of the next update after a loss of the memory.
    learns_from: Option<u64>,
    config: DqnConfig,
}

/// An update that was made.
struct Updated {
    batch: ReplayBatch,
    td_errors: Vec<f32>,
}

/// Where the time of the learner's thread went.
#[derive(Clone, Copy, Debug, Default)]
struct LearnerTime {
    /// Until the gradients of the shares are there.
    gradient: Duration,
    /// Until they are summed, clipped and applied.
    apply: Duration,
    /// Waiting for the environments after the last update of a round.
    env_wait: Duration,
    /// Waiting for the batches of the next round.
    gather_wait: Duration,
    /// Storing what was collected, and handing out new parameters.
    store: Duration,
}

impl Rhythm {
    /// That of `plan`. After a loss of the memory it learns from step `learns_from` on.
    pub(super) fn new(
        plan: &Plan,
        config: &DqnConfig,
        n_actions: usize,
        learns_from: Option<u64>,
    ) -> Self {
        let steps_per_round = plan.steps_per_round();
        let updates_per_round = usize::try_from(steps_per_round / config.steps_per_update)
            .expect("no more updates than steps, which are counted in memory");
        Self {
            seed: plan.seed,
            n_actions,
            n_steps: usize::try_from(steps_per_round).expect("counted in memory") / plan.env.n_envs,
            steps_per_round,
            updates_per_round,
            learns_from,
            config: config.clone(),
        }
    }

    /// Steps of each environment in a round.
    pub(super) fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// Updates of the round that begins at `step`.
    fn updates_at(&self, step: u64) -> usize {
        if step
            >= self
                .learns_from
                .unwrap_or(self.config.learning_starts_steps)
        {
            self.updates_per_round
        } else {
            0
        }
    }

    /// Whether the target network is due in the round from `step` on.
    fn syncs_target(&self, step: u64) -> bool {
        let period = self.config.target_period_steps;
        step / period < (step + self.steps_per_round) / period
    }

    /// | tag | meaning |
    /// | --- | --- |
    /// | `train/loss` | weighted mean of the loss of a batch |
    /// | `train/q_mean` | mean value of the actions that were taken |
    /// | `train/td_error_mean` | mean of the absolute temporal-difference errors |
    /// | `train/grad_norm` | global norm of the gradient before clipping |
    /// | `train/learning_rate` | step size |
    /// | `train/updates_per_step` | updates of a round over its steps |
    /// | `train/acting_lag_updates` | updates that the acting network lacks at most |
    /// | `rollout/exploration_rate` | probability of a random action |
    fn named(&self, stats: &UpdateStats, step: u64) -> [(&'static str, f64); 8] {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (updates, steps) = (self.updates_per_round as f64, self.steps_per_round as f64);
        [
            ("train/loss", stats.loss),
            ("train/q_mean", stats.q_mean),
            ("train/td_error_mean", stats.td_abs_mean),
            ("train/grad_norm", stats.grad_norm),
            ("train/learning_rate", stats.learning_rate),
            ("train/updates_per_step", updates / steps),
            ("train/acting_lag_updates", updates),
            ("rollout/exploration_rate", self.config.epsilon_at(step)),
        ]
    }
}

impl<'a> Learner<'a> {
    /// A learner that goes on from `start`, perhaps with what a checkpoint holds of its memory.
    pub(super) fn new(
        rhythm: Rhythm,
        (agent, shares, pool): (Dqn, Shares, &'a UpdatePool<'a>),
        (memory, saved): (Memory, Option<Saved>),
        stations: Stations<'a>,
        (baggage, past): (Baggage, Past),
        start: &Start,
    ) -> Self {
        let batch = || memory.batch(rhythm.config.batch_size, agent.device());
        Self {
            // One set is learned from while the other is filled.
            spare: std::iter::repeat_with(batch)
                .take(2 * rhythm.updates_per_round)
                .collect(),
            ready: Vec::new(),
            agent,
            memory,
            saved,
            stations,
            shares,
            pool,
            rhythm,
            baggage: Some(baggage),
            past,
            step: start.step,
            updates: start.updates,
            means: Means::resumed(&start.means),
            time: LearnerTime::default(),
            is_whole: true,
        }
    }

    /// The agent.
    #[cfg(test)]
    pub(super) fn agent(&self) -> &Dqn {
        &self.agent
    }

    /// Sends the collector and the gatherer off.
    fn start_round(&mut self) -> Result<()> {
        let baggage = self.baggage.take().context("a round has failed before")?;
        let step = self.step;
        // Before the collector wakes: where there is an update, somebody else has its core.
        let core = match self.ready.as_slice() {
            [] => None,
            _ => self.pool.lend_core(),
        };
        self.stations.collector.order(CollectOrder {
            step,
            baggage,
            core,
        });
        let next_step = step + self.rhythm.steps_per_round;
        let n_kept = self.spare.len() - self.rhythm.updates_at(next_step).min(self.spare.len());
        let config = &self.rhythm.config;
        self.stations.gatherer.order(GatherOrder {
            replay: self.memory.replay()?,
            buffers: self.spare.split_off(n_kept),
            draw: Draw {
                seed: self.rhythm.seed,
                first_update: self.updates + self.ready.len() as u64,
                beta: config
                    .prioritized
                    .then(|| config.priority_beta_at(next_step)),
            },
        });
        Ok(())
    }

    /// An update on a batch.
    fn update(&mut self, batch: ReplayBatch) -> Result<Updated> {
        let (shares, agent, step) = (&mut self.shares, &mut self.agent, self.step);
        let start = Instant::now();
        let (computed, (stats, td_errors)) = self.pool.run(|| {
            let shares = shares.gradients(&batch);
            Ok((Instant::now(), agent.apply(shares, step)?))
        })?;
        self.means.add(&self.rhythm.named(&stats, step));
        self.updates += 1;
        self.time.gradient += computed - start;
        self.time.apply += computed.elapsed();
        Ok(Updated { batch, td_errors })
    }

    /// Brings the sides together: what was collected goes into the memory, the explorer gets the new parameters.
    fn end_round(&mut self, updated: Vec<Updated>) -> Result<Vec<FinishedGame>> {
        let start = Instant::now();
        let (mut baggage, games) = self.stations.collector.result()?;
        let collected = Instant::now();
        let gathered = self.stations.gatherer.result()?;
        let all_here = Instant::now();
        self.memory.store(&baggage.rollout)?;
        for Updated { batch, td_errors } in updated {
            self.memory.learned(&batch, &td_errors)?;
            self.spare.push(batch);
        }
        self.ready = gathered.ready;
        self.spare.extend(gathered.spare);
        if self.rhythm.syncs_target(self.step) {
            self.agent.sync_target();
        }
        self.pool.run(|| {
            baggage.explorer.refresh();
            Ok(())
        })?;
        self.baggage = Some(baggage);
        self.step += self.rhythm.steps_per_round;
        self.time.env_wait += collected - start;
        self.time.gather_wait += all_here - collected;
        self.time.store += all_here.elapsed();
        Ok(games)
    }
}

impl Training for Learner<'_> {
    /// One round.
    fn advance(&mut self) -> Result<Vec<FinishedGame>> {
        self.memory.open_in_ram()?;
        self.is_whole = false;
        self.start_round()?;
        let ready = std::mem::take(&mut self.ready);
        let updated = ready.into_iter().map(|batch| self.update(batch));
        let updated = updated.collect::<Result<Vec<_>>>()?;
        let games = self.end_round(updated)?;
        self.past.mark();
        self.is_whole = true;
        Ok(games)
    }

    /// Not after a round that has failed: the agent may have learned from its batches, and what it was to collect is gone.
    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn settle(&mut self, folder: &Path, opened: Option<Opened>, screen: &Screen) -> Result<()> {
        let saved = self.saved.take();
        let is_kept = opened.is_some();
        self.memory.settle(folder, saved.as_ref(), opened)?;
        if !self.memory.has_room() {
            screen.warn(
                "this file system cannot reserve room for the replay memory; a full disk would end the run",
            );
        }
        match &saved {
            Some(saved) if is_kept => self.ready = self.memory.gather(saved, &mut self.spare)?,
            // It is lost, and filled as in the beginning.
            Some(_) => {
                let learns_from = self.step + self.rhythm.config.learning_starts_steps;
                self.rhythm.learns_from = Some(learns_from);
            }
            None => {}
        }
        Ok(())
    }

    fn state(&mut self) -> Result<TrainingState> {
        let mut tensors = self.agent.state();
        let saved = self.memory.save(&self.ready)?;
        let replay = saved.map(|saved| {
            tensors.extend(saved.tensors);
            saved.voucher
        });
        Ok(TrainingState {
            tensors,
            replay,
            learns_from: self.rhythm.learns_from,
            recordings: self.past.marked(),
            means: self.means.sums(),
        })
    }

    fn saved(&mut self) -> Result<()> {
        self.memory.vouch()
    }

    fn wants_checkpoint(&self) -> bool {
        self.memory.is_about_to_overwrite(self.rhythm.n_steps)
    }

    fn take_new(&self) -> Vec<Vec<Stretch>> {
        self.past.take_new()
    }

    fn weights(&self) -> Vec<(String, Tensor)> {
        self.agent.weights()
    }

    fn evaluated(&self, weights: &[(String, Tensor)]) -> Result<Box<dyn Behaviour + Send>> {
        let (actor, config) = (self.agent.actor_with(weights)?, &self.rhythm.config);
        let epsilon = Epsilon::OfEvaluation(config.eval_epsilon);
        let (n_actions, seed) = (self.rhythm.n_actions, self.rhythm.seed);
        Ok(Box::new(Explorer::new(actor, epsilon, n_actions, seed)))
    }

    fn take_time(&mut self) -> Vec<(&'static str, Duration)> {
        let time = std::mem::take(&mut self.time);
        vec![
            ("gradient", time.gradient),
            ("apply", time.apply),
            ("env_wait", time.env_wait),
            ("gather_wait", time.gather_wait),
            ("store", time.store),
        ]
    }

    fn take_means(&mut self) -> Vec<(&'static str, f64)> {
        self.means.take()
    }
}
