//! The learner: sums up what the workers add, and updates the agent.

use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_agents::a2c::{A2c, UpdateStats};
use rlrun_agents::stream::Consumer;
use rlrun_envs::Stretch;
use tch::Tensor;

use super::crew::Crew;
use super::worker::{Actor, TimeSplit};
use crate::plan::Plan;
use crate::train::collect::Behaviour;
use crate::train::games::FinishedGame;
use crate::train::pool::UpdatePool;
use crate::train::setup::{Past, Start};
use crate::train::training::{Means, Training, TrainingState};

/// The agent, who works for it, and how far it has come.
pub(crate) struct Learner<'a> {
    agent: A2c,
    crew: Crew<'a>,
    pool: &'a UpdatePool<'a>,
    past: Past,
    step: u64,
    updates: u64,
    steps_per_update: u64,
    total_steps: u64,
    n_actions: usize,
    seed: u64,
    means: Means,
    time: LearnerTime,
}

/// Where the time went, on the learner's thread.
#[derive(Clone, Copy, Debug, Default)]
struct LearnerTime {
    /// Of the first worker, which shares the thread.
    worker: TimeSplit,
    /// Waiting for the other workers.
    worker_wait: Duration,
    /// Until the gradients are summed, clipped and applied, which the update's pool does.
    apply: Duration,
}

impl<'a> Learner<'a> {
    /// A learner for `plan` that goes on from `start`.
    pub(crate) fn new(
        plan: &Plan,
        agent: A2c,
        (crew, pool, past): (Crew<'a>, &'a UpdatePool<'a>, Past),
        start: &Start,
        n_actions: usize,
    ) -> Self {
        Self {
            agent,
            crew,
            pool,
            past,
            step: start.step,
            updates: start.updates,
            steps_per_update: plan.steps_per_round(),
            total_steps: plan.total_steps,
            n_actions,
            seed: plan.seed,
            means: Means::resumed(&start.means),
            time: LearnerTime::default(),
        }
    }

    /// The agent.
    #[cfg(test)]
    pub(crate) fn agent(&self) -> &A2c {
        &self.agent
    }
}

impl Training for Learner<'_> {
    /// One rollout of every worker and the update from all of them.
    fn advance(&mut self) -> Result<Vec<FinishedGame>> {
        let start = Instant::now();
        let contributions = self.crew.advance(self.step)?;
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
        let agent = &mut self.agent;
        let apply = || Ok(agent.apply(gradients, step, total_steps)?);
        let stats = self.pool.run(apply)?;
        self.means.add(&named(&stats));
        self.step += self.steps_per_update;
        self.updates += 1;
        self.past.mark();
        self.time.add(own_time, rollout_time, start.elapsed());
        Ok(games)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn state(&mut self) -> Result<TrainingState> {
        Ok(TrainingState {
            tensors: self.agent.state(),
            replay: None,
            learns_from: None,
            recordings: self.past.marked(),
            means: self.means.sums(),
        })
    }

    fn take_new(&self) -> Vec<Vec<Stretch>> {
        self.past.take_new()
    }

    fn weights(&self) -> Vec<(String, Tensor)> {
        self.agent.weights()
    }

    fn evaluated(&self, weights: &[(String, Tensor)]) -> Result<Box<dyn Behaviour + Send>> {
        let copy = self.agent.copy(weights)?;
        let actor = Actor::new(copy, self.n_actions, self.seed, Consumer::Evaluation);
        Ok(Box::new(actor))
    }

    fn take_time(&mut self) -> Vec<(&'static str, Duration)> {
        std::mem::take(&mut self.time).parts().into()
    }

    fn take_means(&mut self) -> Vec<(&'static str, f64)> {
        self.means.take()
    }
}

/// | tag | meaning |
/// | --- | --- |
/// | `train/policy_loss` | - mean of log pi(a\|s) (R - V(s)) |
/// | `train/value_loss` | mean of (R - V(s))^2 |
/// | `train/entropy` | mean entropy of the policy, nats |
/// | `train/explained_variance` | 1 - Var(R - V) / Var(R) |
/// | `train/grad_norm` | global norm of the gradient before clipping |
/// | `train/learning_rate` | step size |
fn named(stats: &UpdateStats) -> [(&'static str, f64); 6] {
    [
        ("train/policy_loss", stats.policy_loss),
        ("train/value_loss", stats.value_loss),
        ("train/entropy", stats.entropy),
        ("train/explained_variance", stats.explained_variance),
        ("train/grad_norm", stats.grad_norm),
        ("train/learning_rate", stats.learning_rate),
    ]
}

impl LearnerTime {
    fn add(&mut self, own: TimeSplit, rollout: Duration, apply: Duration) {
        let (sum, own_collect) = (&mut self.worker.collect, own.collect);
        sum.env_wait += own_collect.env_wait;
        sum.inference += own_collect.inference;
        sum.copy += own_collect.copy;
        self.worker.gradient += own.gradient;
        let worked = own_collect.env_wait + own_collect.inference + own_collect.copy + own.gradient;
        self.worker_wait += rollout.saturating_sub(worked);
        self.apply += apply;
    }

    /// Each part under its name, in the order in which they happen:
    ///
    /// | part | the learner's thread ... |
    /// | --- | --- |
    /// | `inference` | chooses actions and bootstraps |
    /// | `env_wait` | waits for environments |
    /// | `copy` | moves observations into the rollout |
    /// | `gradient` | computes returns and its share of the gradient |
    /// | `worker_wait` | waits for other workers |
    /// | `apply` | sums, clips and applies gradients |
    fn parts(&self) -> [(&'static str, Duration); 6] {
        [
            ("inference", self.worker.collect.inference),
            ("env_wait", self.worker.collect.env_wait),
            ("copy", self.worker.collect.copy),
            ("gradient", self.worker.gradient),
            ("worker_wait", self.worker_wait),
            ("apply", self.apply),
        ]
    }
}
