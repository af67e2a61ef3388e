//! What a resumed run goes on from.

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;
use rlrun_nn::Precision;
use tch::Tensor;

use super::dqn::{Filing, Opened};
use super::evaluation::Player;
use super::resumption::Resumption;
use super::retracing::Retracing;
use super::setup::{Start, env_config};
use crate::config::grouped;
use crate::plan::{AgentPlan, LostMemory, Plan};
use crate::request::RequestError;
use crate::run::checkpoint::{Checkpoint, Rejection};
use crate::run::checkpoint_meta::{CheckpointMeta, Identity, expect_identity};
use crate::run::checkpoint_store::{LoadError, Loaded, load_newest, load_newest_with};
use crate::run::folder::RunFolder;
use crate::run::replay_file::ReplayFileError;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;

/// What a resumed run goes on from.
pub(crate) struct Restored {
    /// The run folder, locked.
    pub(crate) folder: RunFolder,
    /// Counters and statistics.
    pub(crate) meta: CheckpointMeta,
    /// The agent's state.
    pub(crate) tensors: Vec<(String, Tensor)>,
    /// Of the evaluations that were not over, in their order.
    pub(crate) players: Vec<Player>,
    /// The replay memory that the checkpoint vouches for.
    pub(crate) memory: Option<Opened>,
    /// Whether there was one, and it is lost.
    pub(crate) has_lost_memory: bool,
    /// Everything else.
    pub(super) resumption: Resumption,
}

impl Restored {
    /// Where the run goes on from; how it gets there is shown, and left off if a stop is asked for.
    pub(crate) fn start(&self, plan: &Plan, stop: StopFlag, verbosity: Verbosity) -> Start {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        Start {
            step: self.meta.steps,
            updates: self.meta.updates,
            tensors: Some(tensors.collect()),
            replay: self.meta.replay.clone(),
            retracing: Retracing::new(
                self.resumption.recordings.clone(),
                plan.env.n_envs / plan.env.n_groups,
                stop,
                verbosity,
            ),
            learns_from: self.meta.learns_from,
            means: self.resumption.means.clone(),
        }
    }

    /// Opens the run folder `dir` and reads its newest valid checkpoint whose replay memory is there, too; each that is passed
    /// over is named.
    ///
    /// # Errors
    /// A [`RequestError`] if there is none, or if it is of another run than `plan`.
    pub(crate) fn load(dir: &Path, plan: &Plan, lost: LostMemory, screen: &Screen) -> Result<Self> {
        let refused = |error: &dyn Display| RequestError::new(error.to_string());
        let folder = RunFolder::open(dir).map_err(|error| refused(&error))?;
        let (loaded, memory) = newest(&folder, plan, lost, screen)?;
        for rejected in &loaded.rejected {
            screen.warn(&rejected.to_string());
        }
        let Checkpoint {
            meta, mut tensors, ..
        } = loaded.checkpoint;
        expect_identity(&meta.identity, &identity(plan))
            .map_err(|error| refused(&format!("{}: {error}", loaded.path.display())))?;
        let (resumption, players) = Resumption::take(&mut tensors)
            .map_err(|error| refused(&format!("{}: {error}", loaded.path.display())))?;
        Ok(Self {
            folder,
            has_lost_memory: meta.replay.is_some() && memory.is_none(),
            meta,
            tensors,
            players,
            memory,
            resumption,
        })
    }
}

/// A checkpoint with the replay memory that it vouches for.
type Found = (Loaded<CheckpointMeta>, Option<Opened>);

/// The newest valid checkpoint that has its replay memory, if its agent has any; or, if a loss is to be forgotten, the newest.
fn newest(folder: &RunFolder, plan: &Plan, lost: LostMemory, screen: &Screen) -> Result<Found> {
    let checkpoints = folder.checkpoints();
    let filing = filing(plan)?;
    let mut is_lost = false;
    let find = |checkpoint: &Checkpoint<CheckpointMeta>| {
        let (Some(filing), Some(voucher)) = (&filing, &checkpoint.meta.replay) else {
            return Ok(None);
        };
        let opened = match checkpoint.step {
            // An empty memory is never damaged.
            0 if is_lost => Err(ReplayFileError::Beginning),
            _ => filing.open(folder.path(), voucher),
        };
        is_lost |= opened.is_err();
        opened.map(Some).map_err(Rejection::Replay)
    };
    let refused = |error: &dyn Display| RequestError::new(error.to_string());
    match load_newest_with(&checkpoints, find) {
        Err(error) if is_loss(&error) && lost == LostMemory::Forgotten => {
            screen.warn(&error.to_string());
            let loaded = load_newest(&checkpoints).map_err(|error| refused(&error))?;
            screen.warn(&format!(
                "the replay memory is lost; going on at step {} with an empty one, which is filled before the next update",
                grouped(loaded.checkpoint.step)
            ));
            Ok((loaded, None))
        }
        Err(error) if is_loss(&error) => Err(refused(&format!(
            "{error}\n{}--forget-replay goes on without what is lost: with the newest weights and an empty memory, which is \
             filled as in the beginning before the next update",
            if filing.is_some_and(|filing| filing.is_mapped()) {
                "--replay-dir DIR says where the memory is if it was moved. "
            } else {
                ""
            }
        ))
        .into()),
        found => Ok(found.map_err(|error| refused(&error))?),
    }
}

/// Whether all that is missing is the replay memory.
fn is_loss(error: &LoadError) -> bool {
    let LoadError::AllRejected { rejected, .. } = error else {
        return false;
    };
    let mut memories = rejected
        .iter()
        .filter_map(|rejected| match &rejected.reason {
            Rejection::Replay(reason) => Some(reason.is_loss()),
            _ => None,
        });
    memories.next() == Some(true) && memories.all(|is_loss| is_loss)
}

/// Where the replay memory lies, of an agent that has one.
fn filing(plan: &Plan) -> Result<Option<Filing>> {
    let AgentPlan::Dqn(config, replay) = &plan.agent else {
        return Ok(None);
    };
    let spec = env_config(plan, plan.env.n_envs, 1)?.spec();
    Ok(Some(Filing::new(plan, (config, replay), &spec)))
}

/// What a checkpoint must agree with.
pub(crate) fn identity(plan: &Plan) -> Identity {
    let identity = Identity::new([
        ("agent", plan.agent.kind().to_string()),
        ("environments", plan.env.n_envs.to_string()),
        ("game", plan.game.clone()),
        ("protocol", plan.protocol.to_string()),
        ("seed", plan.seed.to_string()),
        ("torso", plan.torso.kind.to_string()),
        ("coordinate layers", plan.torso.coord_layers.to_string()),
        ("coordinate radius", plan.torso.coord_radius.to_string()),
    ]);
    match plan.learner.precision {
        // As before there was a choice.
        Precision::Float32 => identity,
        Precision::Bf16 => identity.with("precision", Precision::Bf16.to_string()),
    }
}
