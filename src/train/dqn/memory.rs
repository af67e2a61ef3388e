//! The replay memory of a run, with what it is filled from and drawn by.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rlrun_agents::dqn::DqnConfig;
use rlrun_agents::replay::{Ending, Prioritization, Replay, ReplayBatch, ReplayError, Step};
use rlrun_agents::rollout::Rollout;
use rlrun_agents::stream::{Consumer, stream};
use rlrun_agents::task::Task;
use tch::{Device, Tensor};

use super::filing::{Filing, Opened};
use crate::request::RequestError;
use crate::run::replay_file::{ReplayFile, ReplayFileError, Voucher, in_memory};
use crate::train::setup::Start;

/// The replay memory.
pub(super) struct Memory {
    filing: Filing,
    prioritization: Option<Prioritization>,
    task: Task,
    /// \[B, obs\] what the environments show now.
    obs_now: Vec<u8>,
    replay: Option<Arc<Replay>>,
    file: Option<ReplayFile>,
}

/// What a checkpoint holds of the memory beside its file.
#[derive(Debug)]
pub(super) struct Saved {
    /// What is to be found in the file.
    pub(super) voucher: Voucher,
    /// The batches that were ready, and the priorities.
    pub(super) tensors: Vec<(String, Tensor)>,
}

impl Saved {
    /// What `start` has of it.
    pub(super) fn of(start: &Start) -> Option<Self> {
        let tensors = start.tensors.as_ref()?.iter();
        let own = tensors.filter(|(name, _)| name.starts_with("replay/"));
        Some(Self {
            voucher: start.replay.clone()?,
            tensors: own
                .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
                .collect(),
        })
    }
}

/// Names of the tensors in a checkpoint.
const SLOTS: &str = "replay/slots";
const WEIGHTS: &str = "replay/weights";
const PRIORITIES: &str = "replay/priorities";

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
    /// The memory of such a file, not opened yet. `obs_now` \[B, obs\] is what the environments show now.
    ///
    /// # Errors
    /// If such a memory is not possible.
    pub(super) fn new(
        filing: Filing,
        config: &DqnConfig,
        task: Task,
        obs_now: Vec<u8>,
    ) -> Result<Self> {
        filing.shape().check()?;
        let prioritization = config.prioritized.then_some(Prioritization {
            alpha: config.priority_alpha,
            epsilon: config.priority_epsilon,
        });
        Ok(Self {
            filing,
            prioritization,
            task,
            obs_now,
            replay: None,
            file: None,
        })
    }

    /// An empty batch of `n` transitions, for a network on `device`.
    pub(super) fn batch(&self, n: usize, device: Device) -> ReplayBatch {
        ReplayBatch::for_device(n, self.filing.shape().obs_len(), device)
    }

    /// Opens an empty memory in RAM that no file stands behind, unless it is open.
    ///
    /// # Errors
    /// Those of the memory.
    pub(super) fn open_in_ram(&mut self) -> Result<()> {
        if self.replay.is_none() {
            let shape = self.filing.shape();
            let region = in_memory(&shape)?;
            self.begin(Replay::new(shape, region, self.prioritization)?);
        }
        Ok(())
    }

    /// Opens the memory of the run in `folder`: an empty one with a new file, or the one that was saved, as it was then, in the
    /// file that was `opened`. One that was saved and is not to be opened is lost: an empty one takes its place.
    ///
    /// # Errors
    /// A [`RequestError`] if there is no room for the file.
    pub(super) fn settle(
        &mut self,
        folder: &Path,
        saved: Option<&Saved>,
        opened: Option<Opened>,
    ) -> Result<()> {
        let refused = |error: ReplayFileError| RequestError::new(error.to_string());
        let shape = self.filing.shape();
        let (Some(saved), Some((file, region))) = (saved, opened) else {
            if saved.is_some() {
                self.filing.remove(folder).map_err(refused)?;
            }
            let (file, region) = self.filing.create(folder).map_err(refused)?;
            self.file = Some(file);
            self.begin(Replay::new(shape, region, self.prioritization)?);
            return Ok(());
        };
        self.file = Some(file);
        let priorities = floats(&saved.tensors, PRIORITIES)?;
        let empty = Replay::new(shape, region, self.prioritization)?;
        let replay = empty.resumed(&saved.voucher.state, &priorities)?;
        // The environments go on where they were, and so do the games in the memory.
        self.replay = Some(Arc::new(replay));
        Ok(())
    }

    /// Whether the file system has promised the room for the file.
    pub(super) fn has_room(&self) -> bool {
        self.file.as_ref().is_none_or(ReplayFile::is_reserved)
    }

    /// Gathers the batches again that were ready when `saved` was saved.
    ///
    /// # Errors
    /// If they are not in the memory.
    pub(super) fn gather(
        &self,
        saved: &Saved,
        batches: &mut Vec<ReplayBatch>,
    ) -> Result<Vec<ReplayBatch>> {
        let slots = integers(&saved.tensors, SLOTS)?;
        let weights = floats(&saved.tensors, WEIGHTS)?;
        let replay = self.replay()?;
        let mut ready = Vec::new();
        let mut rest = (&slots[..], &weights[..]);
        while !rest.0.is_empty() {
            let mut batch = batches.pop().context("more batches than were ready")?;
            let (Some(slots), Some(weights)) = (
                rest.0.split_off(..batch.len()),
                rest.1.split_off(..batch.len()),
            ) else {
                anyhow::bail!("a checkpoint with a part of a batch");
            };
            replay.gather(slots, weights, &mut batch)?;
            ready.push(batch);
        }
        Ok(ready)
    }

    /// What a checkpoint saves of the memory, with the batches that are `ready`; the rest is brought to the file.
    ///
    /// # Errors
    /// If it could not be written.
    pub(super) fn save(&mut self, ready: &[ReplayBatch]) -> Result<Option<Saved>> {
        let replay = self.replay()?;
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let slots: Vec<i64> = ready
            .iter()
            .flat_map(|batch| &batch.slot)
            .copied()
            .collect();
        let weights: Vec<f32> = ready
            .iter()
            .flat_map(|batch| &batch.weight)
            .copied()
            .collect();
        let tensors = vec![
            (SLOTS.to_owned(), Tensor::from_slice(&slots)),
            (WEIGHTS.to_owned(), Tensor::from_slice(&weights)),
            (
                PRIORITIES.to_owned(),
                Tensor::from_slice(replay.priorities()),
            ),
        ];
        let voucher = file.save(&replay)?;
        Ok(Some(Saved { voucher, tensors }))
    }

    /// A checkpoint now vouches for what was saved last.
    ///
    /// # Errors
    /// If the memory is still being read.
    pub(super) fn vouch(&mut self) -> Result<()> {
        self.replay_mut().map(Replay::vouch)
    }

    /// Whether a round of so many steps of each environment could overwrite what the last checkpoint vouches for.
    pub(super) fn is_about_to_overwrite(&self, n_steps: usize) -> bool {
        let left = self.replay.as_ref().and_then(|replay| replay.slots_left());
        // A step at which a game is cut off takes two slots. Twice as much, for the round after this one.
        left.is_some_and(|left| left < 4 * n_steps)
    }

    /// Takes a memory whose environments begin new games.
    fn begin(&mut self, mut replay: Replay) {
        let shape = self.filing.shape();
        let obs = self.obs_now.chunks_exact(shape.obs_len());
        for (env, obs) in obs.enumerate() {
            replay.begin(env, newest_frame(obs, shape.frame_len));
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
        let (task, frame_len) = (self.task, self.filing.shape().frame_len);
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

/// The numbers of a saved tensor.
fn floats(tensors: &[(String, Tensor)], name: &str) -> Result<Vec<f32>> {
    Ok(Vec::try_from(&named(tensors, name)?.view([-1]))?)
}

/// The whole numbers of a saved tensor.
fn integers(tensors: &[(String, Tensor)], name: &str) -> Result<Vec<i64>> {
    Ok(Vec::try_from(&named(tensors, name)?.view([-1]))?)
}

fn named<'a>(tensors: &'a [(String, Tensor)], name: &str) -> Result<&'a Tensor> {
    let mut named = tensors.iter().filter(|(other, _)| other == name);
    let (_, tensor) = named
        .next()
        .with_context(|| format!("the checkpoint has no {name}"))?;
    Ok(tensor)
}
