//! Classic control from `gym-rs`: `CartPole-v1` and `MountainCar-v0` as Gymnasium defines them.
//!
//! Behind the feature `classic`, because gym-rs builds SDL2 and links the system's `SDL2_gfx`. The names are known without it,
//! so that whoever asks for one is told what is missing.
//!
//! `batch` steps them, `physics` is what gym-rs is asked for, and what is put right there.

#[cfg(feature = "classic")]
mod batch;
#[cfg(feature = "classic")]
mod physics;

use crate::{BatchEnv, EnvConfig, EnvError};

/// Whether this build has them.
pub const HAS_CLASSICS: bool = cfg!(feature = "classic");

/// What gets them into a build that is without.
pub const CLASSICS_MEND: &str =
    "install SDL2_gfx (sudo apt install libsdl2-gfx-dev), then ./rlrun builds them in";

/// A game of gym-rs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClassicGame {
    /// Keep a pole upright on a cart.
    CartPole,
    /// Rock a car out of a valley.
    MountainCar,
}

impl ClassicGame {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::CartPole, Self::MountainCar];

    /// The canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CartPole => "CartPole",
            Self::MountainCar => "MountainCar",
        }
    }

    /// The name in Gymnasium, whose version says what the time limit is.
    pub fn gymnasium_id(self) -> &'static str {
        match self {
            Self::CartPole => "CartPole-v1",
            Self::MountainCar => "MountainCar-v0",
        }
    }

    /// Steps after which a game is cut off (truncated). Source: Gymnasium's registration (`max_episode_steps`).
    pub fn max_steps_per_game(self) -> u32 {
        match self {
            Self::CartPole => 500,
            Self::MountainCar => 200,
        }
    }

    /// The numbers of an observation, in order.
    pub fn feature_names(self) -> &'static [&'static str] {
        match self {
            Self::CartPole => &[
                "cart position, m",
                "cart velocity, m/s",
                "pole angle, rad",
                "pole angular velocity, rad/s",
            ],
            Self::MountainCar => &["position", "velocity"],
        }
    }

    /// Action 0, 1, ...
    pub fn action_names(self) -> &'static [&'static str] {
        match self {
            Self::CartPole => &["LEFT", "RIGHT"],
            Self::MountainCar => &["LEFT", "NOOP", "RIGHT"],
        }
    }
}

/// Builds a batch of `game`.
///
/// # Errors
/// This build is without gym-rs.
#[cfg(feature = "classic")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "without the feature there is an error"
)]
pub(crate) fn make(game: ClassicGame, config: &EnvConfig) -> Result<Box<dyn BatchEnv>, EnvError> {
    Ok(match game {
        ClassicGame::CartPole => Box::new(batch::ClassicBatch::<physics::CartPole>::new(config)),
        ClassicGame::MountainCar => {
            Box::new(batch::ClassicBatch::<physics::MountainCar>::new(config))
        }
    })
}

/// Without the feature there is nothing to build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "classic"))]
pub(crate) fn make(game: ClassicGame, _: &EnvConfig) -> Result<Box<dyn BatchEnv>, EnvError> {
    Err(EnvError::ClassicsMissing { game: game.name() })
}
