//! The replay memory of a run, with what it is filled from and drawn by.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rlrun_agents::dqn::DqnConfig;
use rlrun_agents::replay::{
    Ending, Prioritization, Replay, ReplayBatch, ReplayError, ReplayShape, Step,
};
use rlrun_agents::rollout::Rollout;
use rlrun_agents::stream::{Consumer, stream};
use rlrun_agents::task::Task;
use tch::Tensor;

use crate::plan::{Plan, ReplayPlan, replay_slack};
use crate::run::checkpoint_meta::ReplayMeta;

/// The replay memory.
pub(super) struct Memory {
    shape: ReplayShape,
    prioritization: Option<Prioritization>,
    task: Task,
    /// \[B, obs\] the observations that the environments begin with.
    first_obs: Vec<u8>,
    replay: Option<Arc<Replay>>,
}

/// How a batch is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// The run's.
    pub(super) seed: u64,
    /// Number of the update that the first batch is for.
    pub(super) first_update: u64,
    /// Exponent of the importance weights, under prioritized replay.
    pub(super) beta: Option<f64>,
}

impl Draw {
    /// Fills the batch of update number `first_update + idx`; false if the memory has nothing yet.
    ///
    /// # Errors
    /// Those of the memory.
    pub(super) fn fill(
        &self,
        replay: &Replay,
        idx: usize,
        batch: &mut ReplayBatch,
    ) -> Result<bool> {
        let update = self.first_update + idx as u64;
        let mut rng = stream(self.seed, Consumer::Replay, update, 0);
        let drawn = match self.beta {
            None => replay.sample_uniform(&mut rng, batch),
            Some(beta) => replay.sample_prioritized(&mut rng, beta, batch),
        };
        match drawn {
            Ok(()) => Ok(true),
            Err(ReplayError::Empty) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Memory {
    /// The memory that `plan` describes, not opened yet.
    ///
    /// # Errors
    /// If such a memory is not possible.
    pub(super) fn new(
        plan: &Plan,
        (config, _replay): (&DqnConfig, &ReplayPlan),
        task: Task,
        stack: usize,
        first_obs: Vec<u8>,
    ) -> Result<Self> {
        let n_envs = plan.env.n_envs;
        let obs_len = first_obs.len() / n_envs;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rewards are summed in 32-bit floats, like the network computes"
        )]
        let discount = config.discount as f32;
        let shape = ReplayShape {
            n_envs,
            capacity: config.replay_capacity,
            slack: replay_slack(config.replay_capacity, n_envs),
            frame_len: obs_len / stack,
            stack,
            n_step: config.n_step,
            discount,
        };
        shape.check()?;
        let prioritization = config.prioritized.then_some(Prioritization {
            alpha: config.priority_alpha,
            epsilon: config.priority_epsilon,
        });
        Ok(Self {
            shape,
            prioritization,
            task,
            first_obs,
            replay: None,
        })
    }

    /// An empty batch of `n` transitions.
    pub(super) fn batch(&self, n: usize) -> ReplayBatch {
        ReplayBatch::new(n, self.shape.obs_len())
    }

    /// Opens an empty memory in RAM that no file stands behind, unless it is open.
    ///
    /// # Errors
    /// Those of the memory.
    pub(super) fn open_in_ram(&mut self) -> Result<()> {
        if self.replay.is_some() {
            return Ok(());
        }
        let n_bytes = usize::try_from(self.shape.bytes()).context("too large")?;
        let region = Box::new(vec![0_u8; n_bytes]);
        self.begin(Replay::new(self.shape, region, self.prioritization)?);
        Ok(())
    }

    /// Takes a memory whose environments begin new games.
    fn begin(&mut self, mut replay: Replay) {
        let obs = self.first_obs.chunks_exact(self.shape.obs_len());
        for (env, obs) in obs.enumerate() {
            replay.begin(env, newest_frame(obs, self.shape.frame_len));
        }
        self.replay = Some(Arc::new(replay));
    }

    /// The memory as it is now, to be read.
    ///
    /// # Errors
    /// If it is not open.
    pub(super) fn replay(&self) -> Result<Arc<Replay>> {
        let replay = self.replay.as_ref().context("the memory is not open")?;
        Ok(Arc::clone(replay))
    }

    /// The memory, to be changed: between rounds nobody else has it.
    fn replay_mut(&mut self) -> Result<&mut Replay> {
        let replay = self.replay.as_mut().context("the memory is not open")?;
        Arc::get_mut(replay).context("the memory is still being read")
    }

    /// Stores a rollout of all environments.
    ///
    /// # Errors
    /// If the memory is still being read.
    pub(super) fn store(&mut self, rollout: &Rollout) -> Result<()> {
        let (task, frame_len) = (self.task, self.shape.frame_len);
        let replay = self.replay_mut()?;
        let n_envs = rollout.n_envs();
        for t in 0..rollout.n_steps() {
            for env in 0..n_envs {
                let idx = t * n_envs + env;
                let next = rollout.obs_at(t + 1, &(env..env + 1));
                let action = u8::try_from(rollout.action[idx]).context("an action of one byte")?;
                let step = Step {
                    action,
                    reward: task.learned_reward(rollout.reward[idx]),
                    ending: ending(rollout, idx, frame_len),
                    next_frame: newest_frame(next, frame_len),
                };
                replay.push(env, &step);
            }
        }
        Ok(())
    }

    /// Gives the transitions of a batch new priorities, if the memory keeps any.
    ///
    /// # Errors
    /// If the memory is still being read.
    pub(super) fn learned(&mut self, batch: &ReplayBatch, td_errors: &[f32]) -> Result<()> {
        if self.prioritization.is_some() {
            self.replay_mut()?
                .update_priorities(&batch.slot, td_errors)?;
        }
        Ok(())
    }
}

/// The last frame of a stack.
fn newest_frame(obs: &[u8], frame_len: usize) -> &[u8] {
    &obs[obs.len() - frame_len..]
}

/// What became of game and return at entry `idx` of the rollout.
fn ending(rollout: &Rollout, idx: usize, frame_len: usize) -> Ending<'_> {
    if rollout.truncated[idx] {
        let mut rows = rollout.final_obs.iter();
        let (_, obs) = rows
            .find(|(row, _)| *row == idx)
            .expect("a rollout has a final observation where it is truncated");
        return Ending::Truncated {
            final_frame: newest_frame(obs, frame_len),
        };
    }
    match (rollout.terminated[idx], rollout.game_over[idx]) {
        (false, _) => Ending::None,
        (true, false) => Ending::LifeLost,
        (true, true) => Ending::GameOver,
    }
}
