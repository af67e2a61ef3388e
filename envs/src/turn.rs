//! The order of calls on a batch, and the checks of what it is sent.
//!
//! ALE's vector interface blocks for ever when it is sent an action that the game does not have, or asked for a step
//! that nobody sent. Both are refused here, before anything reaches it.

use crate::{EnvError, EnvSpec};

/// Where a batch stands in `reset (send recv | reset_some)*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Neither `send` nor `recv` may come.
    NeedsReset,
    /// `send` may come.
    Ready,
    /// `recv` may come.
    Stepping,
}

impl Turn {
    /// Checks a call of `send`; changes nothing.
    pub(crate) fn check_send(self, actions: &[u8], spec: &EnvSpec) -> Result<(), EnvError> {
        match self {
            Self::Ready => {}
            Self::NeedsReset => return Err(out_of_turn("send", "reset has to come first")),
            Self::Stepping => return Err(out_of_turn("send", "the last step was not received")),
        }
        if actions.len() != spec.n_envs {
            return Err(EnvError::WrongLength {
                what: "actions",
                expected: spec.n_envs,
                got: actions.len(),
            });
        }
        match actions
            .iter()
            .position(|&action| usize::from(action) >= spec.n_actions)
        {
            None => Ok(()),
            Some(env_idx) => Err(EnvError::InvalidAction {
                env_idx,
                action: actions[env_idx],
                n_actions: spec.n_actions,
            }),
        }
    }

    /// Checks a call of `reset_some`; changes nothing.
    pub(crate) fn check_reset_some(
        self,
        env_idxs: &[usize],
        seeds: &[u32],
        spec: &EnvSpec,
    ) -> Result<(), EnvError> {
        if self != Self::Ready {
            return Err(out_of_turn("reset_some", "it may come between two steps"));
        }
        if let Some(env_idx) = env_idxs.iter().find(|&&env_idx| env_idx >= spec.n_envs) {
            return Err(EnvError::OutOfRange {
                what: "index of an environment",
                expected: format!("below {}", spec.n_envs),
                got: env_idx.to_string(),
            });
        }
        check_seeds_of(env_idxs.len(), seeds)
    }

    /// Checks a call of `recv`; changes nothing.
    pub(crate) fn check_recv(self) -> Result<(), EnvError> {
        match self {
            Self::Stepping => Ok(()),
            Self::NeedsReset => Err(out_of_turn("recv", "reset has to come first")),
            Self::Ready => Err(out_of_turn("recv", "no step was sent")),
        }
    }
}

/// Checks the seeds of a `reset`: one per environment, each within ALE's signed 32 bits.
pub(crate) fn check_seeds(seeds: &[u32], spec: &EnvSpec) -> Result<(), EnvError> {
    check_seeds_of(spec.n_envs, seeds)
}

fn check_seeds_of(n_envs: usize, seeds: &[u32]) -> Result<(), EnvError> {
    if seeds.len() != n_envs {
        return Err(EnvError::WrongLength {
            what: "seeds",
            expected: n_envs,
            got: seeds.len(),
        });
    }
    match seeds.iter().find(|&&seed| i32::try_from(seed).is_err()) {
        None => Ok(()),
        Some(seed) => Err(EnvError::OutOfRange {
            what: "seed of an environment",
            expected: format!("at most {}", i32::MAX),
            got: seed.to_string(),
        }),
    }
}

fn out_of_turn(call: &'static str, why: &'static str) -> EnvError {
    EnvError::OutOfTurn { call, why }
}
