//! What may be configured: the keys of `configs/<agent>.toml`, laid over by a preset, a file, `--set` and options.

mod layers;
mod number;
mod text;

use serde::{Deserialize, Serialize};

use rlrun_agents::a2c::A2cConfig;
use rlrun_agents::dqn::DqnConfig;
use rlrun_envs::{ClassicGame, ProtocolName};
use rlrun_nn::{Precision, TorsoConfig};

use crate::plan::{AgentKind, AgentPlan, DeviceChoice, EnvPlan, EvalPlan, ReplayPlan, RunPlan};

pub(crate) use layers::{Layers, Origin};
pub(crate) use number::{grouped, parse_count};
pub(crate) use text::{Entry, entries, line_of};

/// The complete default configuration of an agent, built into the binary so that it runs anywhere.
pub(crate) fn defaults(agent: AgentKind) -> &'static str {
    match agent {
        AgentKind::A2c => include_str!("../../configs/a2c.toml"),
        AgentKind::Dqn => include_str!("../../configs/dqn.toml"),
    }
}

/// The `run.watchdog_s` of the complete default configuration. It does not change the numbers.
///
/// # Panics
/// Never: the configuration is built in, and is held to its keys by the tests.
pub(crate) fn shipped_watchdog_s() -> u64 {
    let shipped: Config = toml::from_str(defaults(AgentKind::A2c)).expect("it is complete");
    shipped.run.watchdog_s
}

/// A named preset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preset {
    /// Whose it is.
    pub(crate) agent: AgentKind,
    /// What `--preset` takes.
    pub(crate) name: &'static str,
    /// The text of its file.
    pub(crate) text: &'static str,
}

macro_rules! preset {
    ($agent:ident, $name:literal, $file:literal) => {
        Preset {
            agent: AgentKind::$agent,
            name: $name,
            text: include_str!(concat!("../../configs/presets/", $file, ".toml")),
        }
    };
}

/// All presets.
pub(crate) const PRESETS: [Preset; 7] = [
    preset!(A2c, "zoo", "a2c-zoo"),
    preset!(A2c, "baselines", "a2c-baselines"),
    preset!(Dqn, "zoo", "dqn-zoo"),
    preset!(Dqn, "cleanrl", "dqn-cleanrl"),
    preset!(Dqn, "dopamine", "dqn-dopamine"),
    preset!(Dqn, "nature", "dqn-nature"),
    preset!(Dqn, "rainbow-lite", "dqn-rainbow-lite"),
];

/// The values that a game of gym-rs has of its own, laid under everything but the defaults: a name and the text of a file.
pub(crate) fn classic_preset(agent: AgentKind, game: ClassicGame) -> (&'static str, &'static str) {
    macro_rules! shipped {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../configs/presets/", $name, ".toml")),
            )
        };
    }
    match (agent, game) {
        (AgentKind::A2c, ClassicGame::CartPole) => shipped!("a2c-cartpole"),
        (AgentKind::A2c, ClassicGame::MountainCar) => shipped!("a2c-mountaincar"),
        (AgentKind::Dqn, ClassicGame::CartPole) => shipped!("dqn-cartpole"),
        (AgentKind::Dqn, ClassicGame::MountainCar) => shipped!("dqn-mountaincar"),
    }
}

/// A configuration with every layer in place; what it leaves open (the game's spelling, `auto`, 0 for automatic) is
/// settled by [`crate::plan::resolve`]. Units and sources stand in `configs/<agent>.toml`.
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
    /// The hyper-parameters of A2C, if that is the agent.
    pub(crate) a2c: Option<A2cConfig>,
    /// The hyper-parameters of DQN, if that is the agent.
    pub(crate) dqn: Option<DqnConfig>,
    /// Where DQN's memory lies.
    pub(crate) replay: Option<ReplayPlan>,
    /// Evaluations beside the training.
    pub(crate) eval: EvalPlan,
    /// Checkpoints and logs.
    pub(crate) run: RunPlan,
}

impl Config {
    /// The agent with its hyper-parameters.
    ///
    /// # Panics
    /// Never: the layers begin with all tables of their agent.
    pub(crate) fn agent(&self) -> AgentPlan {
        AgentPlan::new(
            self.agent,
            self.a2c.clone(),
            self.dqn.clone(),
            self.replay.clone(),
        )
        .expect("the defaults have the tables of their agent")
    }
}

/// The `[learner]` table before it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LearnerConfig {
    /// `auto`, `cpu` or `cuda:N`.
    pub(crate) device: DeviceChoice,
    /// How exactly hidden layers compute.
    pub(crate) precision: Precision,
    /// libtorch's CPU threads; 0 is automatic.
    pub(crate) threads: usize,
    /// Whether each worker has a core of its own.
    pub(crate) own_cores: bool,
}
