//! What can go wrong with an environment, each with its operands and, where there is one, the command that mends it.

use std::path::PathBuf;

use thiserror::Error;

use crate::CLASSICS_MEND;
use crate::world::UnknownGame;

/// An environment could not be made, reset or stepped.
#[derive(Clone, Debug, Error)]
pub enum EnvError {
    /// The name is no world of ours.
    #[error(transparent)]
    UnknownGame(#[from] UnknownGame),

    /// No virtual environment was found in any of the places that are looked at.
    #[error(
        "no virtual environment with ale-py found (looked at {tried}): run `scripts/bootstrap`, \
         or set RLRUN_VENV to a virtual environment that has ale-py"
    )]
    VenvMissing {
        /// The places, separated by commas.
        tried: String,
    },

    /// The virtual environment belongs to another Python than the one this binary was linked with.
    #[error(
        "the virtual environment {} has no packages for Python {linked}, which this binary was built \
         with: run `scripts/bootstrap`, which makes both anew", .venv.display()
    )]
    PythonMismatch {
        /// The virtual environment.
        venv: PathBuf,
        /// Major and minor version of the linked libpython.
        linked: String,
    },

    /// A recording was played again, and something else came of it.
    #[error(
        "environment {env_idx} does not come back to where it was: the recorded actions led elsewhere; with another \
         version of ale-py than the one that recorded them this can happen"
    )]
    OtherPast {
        /// The environment, counted in its batch.
        env_idx: usize,
    },

    /// Whoever asked for it no longer wants it.
    #[error("stopped while the environments were brought back to where they were")]
    Stopped,

    /// The interpreter did not start.
    #[error("Python of {} did not start ({cause}): run `scripts/bootstrap`", .venv.display())]
    PythonStart {
        /// The virtual environment.
        venv: PathBuf,
        /// What Python said.
        cause: String,
    },

    /// numpy or ale-py could not be imported.
    #[error(
        "cannot import {module} from {} ({cause}): run `scripts/bootstrap`", .venv.display()
    )]
    Import {
        /// The module.
        module: &'static str,
        /// The virtual environment.
        venv: PathBuf,
        /// What Python said.
        cause: String,
    },

    /// The ROM file is not there.
    #[error(
        "no ROM of {game} at {}: run `scripts/bootstrap` (the wheel of ale-py brings the ROMs), or set \
         ALE_ROMS_DIR to a folder that has it", .path.display()
    )]
    RomMissing {
        /// Canonical name of the game.
        game: &'static str,
        /// Where the ROM was expected.
        path: PathBuf,
    },

    /// The ROM file is not the one that ALE knows under this name.
    #[error(
        "{} is not the ROM of {game} that ALE supports (its MD5 differs): run `scripts/bootstrap`, or \
         unset ALE_ROMS_DIR", .path.display()
    )]
    RomUnsupported {
        /// Canonical name of the game.
        game: &'static str,
        /// The file.
        path: PathBuf,
    },

    /// The feature `classic` is off.
    #[error("{game} comes from gym-rs, which this build of rlrun is without: {CLASSICS_MEND}")]
    ClassicsMissing {
        /// Canonical name of the game.
        game: &'static str,
    },

    /// Only Atari games have pictures in colour.
    #[error("{world} has no picture: only Atari games have one")]
    NoPicture {
        /// Canonical name of the world.
        world: &'static str,
    },

    /// A number in the request is out of range.
    #[error("{what} is {got}, expected {expected}")]
    OutOfRange {
        /// The number's name.
        what: &'static str,
        /// What is allowed.
        expected: String,
        /// What was asked for.
        got: String,
    },

    /// An action that the game does not have. Nothing was sent.
    #[error(
        "action {action} of environment {env_idx} does not exist: the game has {n_actions} actions"
    )]
    InvalidAction {
        /// Index of the environment in the batch.
        env_idx: usize,
        /// The action that was asked for.
        action: u8,
        /// Actions `0..n_actions` exist.
        n_actions: usize,
    },

    /// A slice or a batch has the wrong number of elements.
    #[error("{what}: expected {expected} elements, got {got}")]
    WrongLength {
        /// What was passed.
        what: &'static str,
        /// Elements that the environment's spec asks for.
        expected: usize,
        /// Elements that were passed.
        got: usize,
    },

    /// A call that does not fit the state of the batch: send before reset, recv without send, and so on.
    #[error("{call} cannot follow here: {why}")]
    OutOfTurn {
        /// The call.
        call: &'static str,
        /// What is missing.
        why: &'static str,
    },

    /// Python raised while an environment worked.
    #[error("ale-py failed while it {doing}: {cause}")]
    Python {
        /// What was being done, in the third person.
        doing: &'static str,
        /// The exception.
        cause: String,
    },

    /// The world `probe:fails` fails, as its name promises.
    #[error("probe:fails has reached its step {step}")]
    ProbeFails {
        /// Steps since reset.
        step: u64,
    },
}
