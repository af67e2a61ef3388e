//! Atari games, played by `ALEVectorInterface` of ale-py 0.12.1.
//!
//! `table` lists the games, `rom` finds and checks their files, `batch` steps them, `arguments` are what ALE is told, `arrays` copies
//! what ALE returns, `colour` shows a game as a person sees it.

mod arguments;
mod arrays;
mod batch;
mod colour;
mod rom;
mod table;

pub(crate) use batch::AtariBatch;
pub use colour::{ColourGame, ColourStep};

use crate::Protocol;
pub(crate) use table::TWO_PLAYER_ROMS;
pub use table::{GameInfo, list_games};

/// Bytes of memory that one more Atari environment takes, rounded up (measured: 1.2 MB with MsPacman: emulator, palette
/// of blended colours, observation buffers). For refusing early a number of environments that does not fit.
pub const ATARI_BYTES_PER_ENV: u64 = 1_500_000;

/// A game of the table. Only [`World::resolve`](crate::World::resolve) makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtariGame(pub(crate) &'static GameInfo);

impl AtariGame {
    /// Canonical name: `MsPacman`.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Number of actions under the rules of `protocol`.
    pub(crate) fn n_actions(self, protocol: &Protocol) -> usize {
        if protocol.full_action_space {
            table::ACTION_NAMES.len()
        } else {
            self.0.n_actions()
        }
    }

    /// Names of the actions under the rules of `protocol`: action 0, 1, ...
    pub fn action_names(&self, protocol: &Protocol) -> Vec<&'static str> {
        if protocol.full_action_space {
            table::ACTION_NAMES.to_vec()
        } else {
            self.0.action_names()
        }
    }

    /// What is known about the game.
    pub fn info(&self) -> &'static GameInfo {
        self.0
    }
}
