//! The learner: sums up what the workers add, and updates the agent.

use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::a2c::{A2c, UpdateStats};

use super::crew::{Crew, guarded};
use super::games::FinishedGame;
use super::worker::TimeSplit;
use crate::plan::Plan;

/// The agent and how far it has come.
pub(crate) struct Learner {
    agent: A2c,
    step: u64,
    steps_per_update: u64,
    total_steps: u64,
    time: LearnerTime,
}

/// What one update brought.
#[derive(Debug)]
pub(crate) struct Update {
    /// Losses and the like.
    pub(crate) stats: UpdateStats,
    /// Games that ended in its rollout, in the order of steps and environments.
    pub(crate) games: Vec<FinishedGame>,
}

/// Where the time went, on the learner's thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LearnerTime {
    /// Of the first worker, which shares the thread.
    pub(crate) worker: TimeSplit,
    /// Waiting for the other workers.
    pub(crate) worker_wait: Duration,
    /// Summing, clipping and applying gradients.
    pub(crate) apply: Duration,
}

impl Learner {
    /// A learner for `plan` whose next step is number `step`.
    pub(crate) fn new(plan: &Plan, agent: A2c, step: u64) -> Self {
        Self {
            agent,
            step,
            steps_per_update: plan.steps_per_update(),
            total_steps: plan.total_steps,
            time: LearnerTime::default(),
        }
    }

    /// One rollout of every worker and the update from all of them.
    ///
    /// # Errors
    /// If a thread of the crew failed or training has diverged. The agent is then as the last update left it.
    pub(crate) fn advance(&mut self, crew: &mut Crew) -> Result<Update> {
        let start = Instant::now();
        let contributions = guarded(|| crew.advance(self.step))?;
        let rollout_time = start.elapsed();

        let start = Instant::now();
        let mut gradients = Vec::with_capacity(contributions.len());
        let mut games = Vec::new();
        let own_time = contributions[0].time;
        for contribution in contributions {
            gradients.push(contribution.gradient);
            games.extend(contribution.games);
        }
        games.sort_by_key(|game| (game.step, game.env));
        let (step, total_steps) = (self.step, self.total_steps);
        let stats = guarded(|| Ok(self.agent.apply(gradients, step, total_steps)?))?;
        self.step += self.steps_per_update;
        self.time.add(own_time, rollout_time, start.elapsed());
        Ok(Update { stats, games })
    }

    /// Steps taken in all, by all environments together.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// The agent.
    pub(crate) fn agent(&self) -> &A2c {
        &self.agent
    }

    /// Where the time went since this was last asked.
    pub(crate) fn take_time(&mut self) -> LearnerTime {
        std::mem::take(&mut self.time)
    }
}

impl LearnerTime {
    fn add(&mut self, own: TimeSplit, rollout: Duration, apply: Duration) {
        let sum = &mut self.worker;
        sum.env_wait += own.env_wait;
        sum.inference += own.inference;
        sum.copy += own.copy;
        sum.gradient += own.gradient;
        let worked = own.env_wait + own.inference + own.copy + own.gradient;
        self.worker_wait += rollout.saturating_sub(worked);
        self.apply += apply;
    }

    /// Each part under its name, in the order in which they happen.
    pub(crate) fn parts(&self) -> [(&'static str, Duration); 6] {
        [
            ("inference", self.worker.inference),
            ("env_wait", self.worker.env_wait),
            ("copy", self.worker.copy),
            ("gradient", self.worker.gradient),
            ("worker_wait", self.worker_wait),
            ("apply", self.apply),
        ]
    }
}
