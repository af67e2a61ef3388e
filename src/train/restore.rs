//! What a resumed run goes on from.

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;
use tch::Tensor;

use super::evaluation::Player;
use super::resumption::Resumption;
use super::setup::Start;
use crate::plan::Plan;
use crate::request::RequestError;
use crate::run::checkpoint::Checkpoint;
use crate::run::checkpoint_meta::{CheckpointMeta, Identity, expect_identity};
use crate::run::checkpoint_store::load_newest;
use crate::run::folder::RunFolder;
use crate::run::screen::Screen;

/// What a resumed run goes on from.
pub(crate) struct Restored {
    /// The run folder, locked.
    pub(crate) folder: RunFolder,
    /// Counters and statistics.
    pub(crate) meta: CheckpointMeta,
    /// The agent's state.
    pub(crate) tensors: Vec<(String, Tensor)>,
    /// Of an evaluation that was not over.
    pub(crate) player: Option<Player>,
    /// Everything else.
    pub(super) resumption: Resumption,
}

impl Restored {
    /// Where the run goes on from.
    pub(crate) fn start(&self) -> Start {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        Start {
            step: self.meta.steps,
            updates: self.meta.updates,
            tensors: Some(tensors.collect()),
            replay: self.meta.replay.clone(),
            recordings: self.resumption.recordings.clone(),
            means: self.resumption.means.clone(),
        }
    }

    /// Opens the run folder `dir` and reads its newest valid checkpoint; each that is passed over is named.
    ///
    /// # Errors
    /// A [`RequestError`] if there is none, or if it is of another run than `plan`.
    pub(crate) fn load(dir: &Path, plan: &Plan, screen: &Screen) -> Result<Self> {
        let refused = |error: &dyn Display| RequestError::new(error.to_string());
        let folder = RunFolder::open(dir).map_err(|error| refused(&error))?;
        let loaded = load_newest::<CheckpointMeta>(&folder.checkpoints())
            .map_err(|error| refused(&error))?;
        for rejected in &loaded.rejected {
            screen.warn(&rejected.to_string());
        }
        let Checkpoint {
            meta, mut tensors, ..
        } = loaded.checkpoint;
        expect_identity(&meta.identity, &identity(plan))
            .map_err(|error| refused(&format!("{}: {error}", loaded.path.display())))?;
        let (resumption, player) = Resumption::take(&mut tensors)
            .map_err(|error| refused(&format!("{}: {error}", loaded.path.display())))?;
        Ok(Self {
            folder,
            meta,
            tensors,
            player,
            resumption,
        })
    }
}

/// What a checkpoint must agree with.
pub(crate) fn identity(plan: &Plan) -> Identity {
    Identity::new([
        ("agent", plan.agent.kind().to_string()),
        ("environments", plan.env.n_envs.to_string()),
        ("game", plan.game.clone()),
        ("precision", plan.learner.precision.to_string()),
        ("protocol", plan.protocol.to_string()),
        ("seed", plan.seed.to_string()),
        ("torso", plan.torso.kind.to_string()),
        ("coordinate layers", plan.torso.coord_layers.to_string()),
        ("coordinate radius", plan.torso.coord_radius.to_string()),
    ])
}
