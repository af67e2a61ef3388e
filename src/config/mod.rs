//! What may be configured: the keys of `configs/a2c.toml`, laid over by a preset, a file, `--set` and options.

mod layers;
mod number;
mod text;

use serde::{Deserialize, Serialize};

use rlrun_agents::a2c::A2cConfig;
use rlrun_envs::{ClassicGame, ProtocolName};
use rlrun_nn::TorsoConfig;

use crate::plan::{AgentKind, DeviceChoice, EnvPlan, RunPlan};

pub(crate) use layers::{Layers, Origin};
pub(crate) use number::{grouped, parse_count};
pub(crate) use text::line_of;

/// The complete default configuration, built into the binary so that it runs anywhere.
pub(crate) const DEFAULTS: &str = include_str!("../../configs/a2c.toml");

/// The named presets: what `--preset` takes, and the text of its file.
pub(crate) const PRESETS: [(&str, &str); 2] = [
    ("zoo", include_str!("../../configs/presets/a2c-zoo.toml")),
    (
        "baselines",
        include_str!("../../configs/presets/a2c-baselines.toml"),
    ),
];

/// The values that a game of gym-rs has of its own, laid under everything but the defaults: a name and the text of a file.
pub(crate) fn classic_preset(game: ClassicGame) -> (&'static str, &'static str) {
    match game {
        ClassicGame::CartPole => (
            "a2c-cartpole",
            include_str!("../../configs/presets/a2c-cartpole.toml"),
        ),
        ClassicGame::MountainCar => (
            "a2c-mountaincar",
            include_str!("../../configs/presets/a2c-mountaincar.toml"),
        ),
    }
}

/// A configuration with every layer in place; what it leaves open (the game's spelling, `auto`, 0 for automatic) is
/// settled by [`crate::plan::resolve`]. Units and sources stand in `configs/a2c.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Which algorithm learns.
    pub(crate) agent: AgentKind,
    /// The game as the user spelled it; nothing names one by default.
    pub(crate) game: Option<String>,
    /// How the game is presented.
    pub(crate) protocol: ProtocolName,
    /// The master seed.
    pub(crate) seed: u64,
    /// Agent steps of the whole training.
    pub(crate) total_steps: u64,
    /// Environments and who steps them; `env_threads` 0 is automatic.
    pub(crate) env: EnvPlan,
    /// Where the network lives, before `auto` is settled.
    pub(crate) learner: LearnerConfig,
    /// The torso.
    pub(crate) torso: TorsoConfig,
    /// The hyper-parameters of A2C.
    pub(crate) a2c: A2cConfig,
    /// Checkpoints and logs.
    pub(crate) run: RunPlan,
}

/// The `[learner]` table before it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LearnerConfig {
    /// `auto`, `cpu` or `cuda:N`.
    pub(crate) device: DeviceChoice,
    /// libtorch's CPU threads; 0 is automatic.
    pub(crate) threads: usize,
}
