//! Reads an agent out of a run folder. Nothing is locked or written, so the run may go on meanwhile.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use rlrun_envs::EnvConfig;
use tch::Tensor;

use crate::config::parse_count;
use crate::plan::{self, DeviceChoice, Machine, Plan};
use crate::player::{AskedRule, Player, Rule};
use crate::request::RequestError;
use crate::run::checkpoint::{Checkpoint, weights_sha256};
use crate::run::checkpoint_meta::{CheckpointMeta, expect_identity};
use crate::run::checkpoint_store::{LoadError, load_best, load_newest, load_step};
use crate::run::screen::Screen;
use crate::train::restore::identity;
use crate::train::setup::{env_config, task};

/// Which checkpoint is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The newest valid one.
    Newest,
    /// The first one after the best mean score so far.
    Best,
    /// The one of this step.
    Step(u64),
}

/// An agent as a checkpoint has it.
#[derive(Debug)]
pub(crate) struct SavedAgent {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// The run's plan.
    pub(crate) plan: Plan,
    /// The checkpoint's file.
    pub(crate) path: PathBuf,
    /// Agent steps of the training at which it was saved.
    pub(crate) step: u64,
    /// Everything in the checkpoint.
    state: Vec<(String, Tensor)>,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::Newest),
            "best" => Ok(Self::Best),
            step => parse_count(step)
                .map(Self::Step)
                .map_err(|_| "expected newest, best or a step such as 300k".to_owned()),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("newest"),
            Self::Best => f.write_str("best"),
            Self::Step(step) => step.fmt(f),
        }
    }
}

impl SavedAgent {
    /// Reads a checkpoint of the run in `dir`; damaged ones that are passed over are named on `screen`.
    ///
    /// # Errors
    /// There is no such run, checkpoint or device, or the checkpoint is of another run.
    pub(crate) fn load(
        dir: &Path,
        which: Which,
        device: Option<DeviceChoice>,
        screen: &Screen,
    ) -> Result<Self, RequestError> {
        let plan = plan::of_run(dir, device, &Machine::detect())?;
        let checkpoints = dir.join("checkpoints");
        let loaded = match which {
            Which::Newest => load_newest::<CheckpointMeta>(&checkpoints),
            Which::Best => load_best(&checkpoints),
            Which::Step(step) => load_step(&checkpoints, step),
        };
        let loaded = loaded.map_err(|error: LoadError| RequestError::new(error.to_string()))?;
        for rejected in &loaded.rejected {
            screen.warn(&rejected.to_string());
        }
        let Checkpoint {
            step,
            meta,
            tensors,
        } = loaded.checkpoint;
        expect_identity(&meta.identity, &identity(&plan))
            .map_err(|error| RequestError::new(format!("{}: {error}", loaded.path.display())))?;
        Ok(Self {
            run: dir.to_owned(),
            plan,
            path: loaded.path,
            step,
            state: tensors,
        })
    }

    /// The agent, that plays the games of `seed`.
    ///
    /// # Errors
    /// It has no such policy, or the checkpoint does not fit the plan.
    pub(crate) fn player(&self, asked: AskedRule, seed: u64) -> Result<Player> {
        let rule = Rule::new(&self.plan.agent, asked)?;
        let task = task(&self.envs(1, 1)?);
        Player::new(&self.plan, task, &self.state, rule, seed)
    }

    /// Environments of the run's game under its protocol.
    ///
    /// # Errors
    /// There is no such game.
    pub(crate) fn envs(&self, n_envs: usize, n_threads: usize) -> Result<EnvConfig, RequestError> {
        env_config(&self.plan, n_envs, n_threads)
    }

    /// `step-300000`, or `best-step-280000`.
    pub(crate) fn label(&self) -> String {
        let name = self.path.file_stem().unwrap_or_default();
        let best = if name == "best" { "best-" } else { "" };
        format!("{best}step-{}", self.step)
    }

    /// What names the network's parameters: SHA-256 over them, as in a run's summary.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn weights_sha256(&self) -> Result<String> {
        let of_network = |name: &String| {
            ["network/", "online/"]
                .iter()
                .any(|part| name.starts_with(part))
        };
        let weights = self.state.iter().filter(|(name, _)| of_network(name));
        let weights: Vec<_> = weights
            .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
            .collect();
        Ok(weights_sha256(&weights)?)
    }
}
