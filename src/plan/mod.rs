//! The plan: everything that decides the numbers of a run, settled before the first frame.
//!
//! ```text
//! what was typed ─┐
//! files, presets ─┴─> config::Layers ─> resolve ─> Plan ─> plan.toml, actors, learner
//! the machine ────────────────────────────┘
//! ```
//!
//! A plan is written into its run folder as `plan.toml`. It has the keys of `configs/a2c.toml`, so that it can be
//! given to `--config`, and it says nothing that leaves the numbers as they are (`--serial`, `--quiet`, folders).

mod agent;
mod checks;
mod cuda;
mod device;
mod file;
mod likeness;
mod machine;
mod resolve;
mod resume;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use rlrun_envs::{Protocol, ProtocolName};
use rlrun_nn::{Compute, Precision, TorsoConfig};

use crate::config::grouped;

pub(crate) use agent::{AgentKind, AgentPlan, ReplayPlan, ReplaySlack};
pub(crate) use checks::{disk_bytes, memory_bytes};
pub(crate) use device::{DeviceChoice, DeviceName};
pub(crate) use machine::Machine;
pub(crate) use resolve::{Asked, ConfigFile, resolve};
pub(crate) use resume::{Changes, of_run, resume};

/// A resolved plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "file::PlanFile", into = "file::PlanFile")]
pub(crate) struct Plan {
    /// Which algorithm learns, with its hyper-parameters.
    pub(crate) agent: AgentPlan,
    /// Canonical name of the game: `MsPacman`, `CartPole`, `probe:position`.
    pub(crate) game: String,
    /// How the game is presented and when a return ends.
    pub(crate) protocol: ProtocolName,
    /// The master seed; every random stream is derived from it.
    pub(crate) seed: u64,
    /// Agent steps of the whole training, all environments together.
    pub(crate) total_steps: u64,
    /// Environments and who steps them.
    pub(crate) env: EnvPlan,
    /// Where the network lives.
    pub(crate) learner: LearnerPlan,
    /// The torso.
    pub(crate) torso: TorsoConfig,
    /// Evaluations beside the training.
    pub(crate) eval: EvalPlan,
    /// Checkpoints and logs.
    pub(crate) run: RunPlan,
}

/// The `[env]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvPlan {
    /// Environments stepped together.
    pub(crate) n_envs: usize,
    /// Groups of environments, each with one actor thread; divides `n_envs`.
    pub(crate) n_groups: usize,
    /// Emulator threads of each group.
    pub(crate) env_threads: usize,
    /// Steps of an environment after which the end of its game is followed by a reset with a new seed.
    pub(crate) reseed_steps: usize,
}

/// The `[learner]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LearnerPlan {
    /// `cpu` or `cuda:N`.
    pub(crate) device: DeviceName,
    /// How exactly hidden layers compute. The plan of an earlier version has none: it knew f32 alone.
    #[serde(default = "before_precision")]
    pub(crate) precision: Precision,
    /// Workers on a CPU, at most one for each group; each has a thread. Their number decides the order, and so the rounding, of sums.
    pub(crate) threads: usize,
    /// Whether each worker has a core of its own, and emulators live on these, where there are as many.
    pub(crate) own_cores: bool,
}

fn before_precision() -> Precision {
    Precision::Float32
}

impl LearnerPlan {
    /// Where and how exactly the network computes.
    pub(crate) fn compute(&self) -> Compute {
        Compute {
            device: self.device.into(),
            precision: self.precision,
        }
    }
}

/// The `[eval]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvalPlan {
    /// Agent steps between two evaluations; 0 for none.
    pub(crate) interval_steps: u64,
    /// Full games of each, all at once.
    pub(crate) games: usize,
}

/// The `[run]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunPlan {
    /// Wall seconds between two checkpoints.
    pub(crate) checkpoint_interval_seconds: u64,
    /// Newest checkpoints kept; the best is kept apart.
    pub(crate) checkpoints_kept: usize,
    /// Agent steps between two rows of scalars.
    pub(crate) log_interval_steps: u64,
    /// Seconds of running time after which an actor that does not answer ends the run; 0 for never. The plan of an earlier
    /// version has none.
    #[serde(default = "crate::config::shipped_watchdog_s")]
    pub(crate) watchdog_s: u64,
}

/// A training that the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct TrainRequest {
    /// What is trained.
    pub(crate) plan: Plan,
    /// Where it is written.
    pub(crate) folder: FolderRequest,
    /// Whether actors have threads of their own; the numbers are the same.
    pub(crate) threading: Threading,
    /// No progress bar.
    pub(crate) quiet: bool,
}

/// The run folder that a training writes to.
#[derive(Clone, Debug)]
pub(crate) enum FolderRequest {
    /// A new one.
    Create {
        /// The folder of all runs.
        runs_root: PathBuf,
        /// The run's own name, in place of `seed<k>-<time>`.
        name: Option<String>,
    },
    /// The one of an earlier run, to go on in. The plan may have more steps or another device than its `plan.toml`.
    Open {
        /// The run folder.
        dir: PathBuf,
        /// If no checkpoint finds its replay memory.
        lost: LostMemory,
    },
}

/// What is done when no checkpoint finds its replay memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LostMemory {
    /// The run does not go on.
    Refused,
    /// The newest checkpoint goes on with an empty one.
    Forgotten,
}

/// Who steps the environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threading {
    /// An actor thread for each group of environments.
    Actors,
    /// The same beside other runs: no thread has a core of its own.
    ActorsOnSharedCores,
    /// Everything on the learner's thread, for debugging.
    Serial,
}

impl Plan {
    /// Agent steps between two points at which a checkpoint can be saved: of A2C one rollout of every environment, of DQN the
    /// least number in which every environment takes as many steps as the others and whole updates follow.
    pub(crate) fn steps_per_round(&self) -> u64 {
        let n_envs = self.env.n_envs;
        match &self.agent {
            AgentPlan::A2c(a2c) => n_envs.saturating_mul(a2c.rollout_steps) as u64,
            AgentPlan::Dqn(dqn, _) => {
                agent::least_common_multiple(n_envs as u64, dqn.steps_per_update)
            }
        }
    }

    /// Workers that share out each update, each with a thread of its own; those of A2C act for their environments, too. A GPU
    /// has one. DQN's on a perceptron are idle: there is nothing to share out.
    pub(crate) fn n_workers(&self) -> usize {
        let shares = match &self.agent {
            AgentPlan::A2c(_) => self.env.n_groups,
            AgentPlan::Dqn(dqn, _) => dqn.batch_size,
        };
        match self.learner.device {
            DeviceName::Cpu => self.learner.threads.min(shares),
            DeviceName::Cuda(_) => 1,
        }
    }

    /// Emulator frames in a step; 1 where there is no emulator.
    pub(crate) fn frame_skip(&self) -> u32 {
        Protocol::named(self.protocol).frame_skip
    }

    /// Updates of the whole training; the last round is finished, so that it may pass `total_steps`.
    pub(crate) fn updates(&self) -> u64 {
        let rounds = self.total_steps.div_ceil(self.steps_per_round());
        match &self.agent {
            AgentPlan::A2c(_) => rounds,
            AgentPlan::Dqn(dqn, _) => {
                let steps = rounds * self.steps_per_round();
                steps.saturating_sub(dqn.learning_starts_steps) / dqn.steps_per_update
            }
        }
    }

    /// The plan as TOML, as it stands in `plan.toml`.
    ///
    /// # Panics
    /// Never: every field has a form in TOML, and counts are checked to fit.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).expect("a plan has a form in TOML")
    }

    /// The plan as TOML under one comment for each value that follows from it: what `--dry-run` prints.
    pub(crate) fn describe(&self) -> String {
        let updates = match &self.agent {
            AgentPlan::A2c(_) => format!(
                "# updates = {} (total_steps / steps_per_update, rounded up)\n\
                 # steps_per_update = {} (env.n_envs * a2c.rollout_steps)",
                grouped(self.updates()),
                grouped(self.steps_per_round()),
            ),
            AgentPlan::Dqn(dqn, _) => format!(
                "# updates = {} ((total_steps - dqn.learning_starts_steps) / dqn.steps_per_update)\n\
                 # updates that the acting network lags behind = at most {}",
                grouped(self.updates()),
                self.steps_per_round() / dqn.steps_per_update,
            ),
        };
        let memory = memory_bytes(&self.agent, self.env.n_envs);
        let group = self.env.n_envs / self.env.n_groups;
        let frame_skip = u64::from(self.frame_skip());
        format!(
            "{updates}\n\
             # frames = {} ({frame_skip} * total_steps)\n\
             # environments of each actor = {group} (env.n_envs / env.n_groups)\n\
             # memory = about {} MB\n\
             \n{}",
            grouped(self.total_steps.saturating_mul(frame_skip)),
            grouped(memory / 1_000_000),
            self.to_toml()
        )
    }
}
