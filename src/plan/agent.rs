//! Which algorithm learns, with its hyper-parameters.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use rlrun_agents::a2c::A2cConfig;
use rlrun_agents::dqn::DqnConfig;

/// The algorithms there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentKind {
    /// Advantage actor-critic.
    A2c,
    /// Deep Q-learning.
    Dqn,
}

/// An algorithm with its hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AgentPlan {
    /// Advantage actor-critic.
    A2c(A2cConfig),
    /// Deep Q-learning, and where its memory lies.
    Dqn(DqnConfig, ReplayPlan),
}

/// The `[replay]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayPlan {
    /// Folder of the memory-mapped replay memory; empty for one in RAM.
    pub(crate) dir: PathBuf,
}

impl ReplayPlan {
    /// Whether the memory is mapped from a file instead of lying in RAM.
    pub(crate) fn is_mapped(&self) -> bool {
        !self.dir.as_os_str().is_empty()
    }
}

/// What each environment's part of a replay memory has beyond its share of the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplaySlack {
    /// Slots in all: as much can be stored after a checkpoint before anything is overwritten that it vouches for. A tenth of the
    /// capacity, so that checkpoints are rarely early; at most what keeps a million transitions of Atari below 7.4 GB, and never
    /// less than some rounds store.
    pub(crate) slots: usize,
    /// Those that a round stores between the draw of its batches and their updates.
    pub(crate) late: usize,
}

impl ReplaySlack {
    /// That of a run of `dqn` in so many environments.
    pub(crate) fn of(dqn: &DqnConfig, n_envs: usize) -> Self {
        let steps = least_common_multiple(n_envs as u64, dqn.steps_per_update) / n_envs as u64;
        // A step at which a game is cut off takes two slots.
        let late = usize::try_from(steps.saturating_mul(2)).unwrap_or(usize::MAX);
        let share = (dqn.replay_capacity / 10)
            .clamp(10_000, 40_000)
            .div_ceil(n_envs);
        Self {
            // The batches of a round, that round, and the next one before its checkpoint.
            slots: share.max(late.saturating_mul(4)),
            late,
        }
    }
}

/// Neither is 0; too large to multiply gives the largest count.
pub(super) fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b)
}

impl AgentKind {
    /// All, in the order in which they are listed.
    pub(crate) const ALL: [Self; 2] = [Self::A2c, Self::Dqn];

    /// The name as it is written in files and on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::A2c => "a2c",
            Self::Dqn => "dqn",
        }
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AgentPlan {
    /// The agent of this kind with its tables; none if one is missing or one too many is there.
    pub(crate) fn new(
        kind: AgentKind,
        a2c: Option<A2cConfig>,
        dqn: Option<DqnConfig>,
        replay: Option<ReplayPlan>,
    ) -> Option<Self> {
        match (kind, a2c, dqn, replay) {
            (AgentKind::A2c, Some(a2c), None, None) => Some(Self::A2c(a2c)),
            (AgentKind::Dqn, None, Some(dqn), Some(replay)) => Some(Self::Dqn(dqn, replay)),
            _ => None,
        }
    }

    /// Which algorithm it is.
    pub(crate) fn kind(&self) -> AgentKind {
        match self {
            Self::A2c(_) => AgentKind::A2c,
            Self::Dqn(..) => AgentKind::Dqn,
        }
    }
}
