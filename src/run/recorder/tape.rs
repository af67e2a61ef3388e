//! What can be played again: the recorder's file, put together for each environment.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::block::{Part, Piece};
use super::file::{PREAMBLE, parts_of};
use super::own_steps;
use crate::run::rows::EpisodeRow;

/// All that was recorded of a run.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// Of each environment, in the order in which they were written.
    lanes: Vec<Vec<Take>>,
    damage: Vec<Range<usize>>,
    last_step: u64,
}

/// What an environment did since a seeded reset.
#[derive(Debug)]
struct Take {
    /// Its steps before.
    first: i64,
    seed: u32,
    actions: Vec<u8>,
}

/// How a game came to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Past<'a> {
    /// Seed of the reset that began it all.
    pub(crate) seed: u32,
    /// What was done since, up to the game.
    pub(crate) before: &'a [u8],
    /// What was done in the game.
    pub(crate) game: &'a [u8],
}

/// Why a game cannot be played again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It ended after the last block.
    NotYetWritten,
    /// A part of what led to it is not in the file.
    NotRecorded,
}

impl Tape {
    /// Reads the file at `path`, of a run with so many environments; `None` if there is no file.
    ///
    /// # Errors
    /// If it cannot be read. What is damaged is left out, and stands in [`Self::damage`].
    pub(crate) fn read(path: &Path, n_envs: usize) -> io::Result<Option<Self>> {
        let contents = match fs::read(path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut tape = Self::default();
        tape.lanes.resize_with(n_envs, Vec::new);
        if !contents.starts_with(PREAMBLE) {
            tape.damage.push(0..PREAMBLE.len().min(contents.len()));
        }
        for part in parts_of(&contents) {
            match part {
                Part::Whole(_, block) => {
                    tape.last_step = block.last_step;
                    block.pieces.into_iter().for_each(|piece| tape.add(piece));
                }
                Part::Damaged(at) => tape.damage.push(at),
            }
        }
        Ok(Some(tape))
    }

    /// Bytes of the file that are no block, or not any longer. The last may be of a block that is just being written.
    pub(crate) fn damage(&self) -> &[Range<usize>] {
        &self.damage
    }

    /// Steps of the run up to which it reaches.
    pub(crate) fn last_step(&self) -> u64 {
        self.last_step
    }

    /// How `game` came to be.
    ///
    /// # Errors
    /// If not all that led to it was recorded.
    pub(crate) fn past_of(&self, game: &EpisodeRow) -> Result<Past<'_>, Missing> {
        let end = own_steps(game.step, self.lanes.len());
        let length = i64::try_from(game.length_steps).map_err(|_| Missing::NotRecorded)?;
        let takes = self.lanes.get(game.env).ok_or(Missing::NotRecorded)?;
        // Where a recorder began anew, what it wrote last is what the run went on from.
        let past = takes
            .iter()
            .rev()
            .find_map(|take| take.past_of(end.checked_sub(length)?, end));
        past.ok_or(if game.step > self.last_step {
            Missing::NotYetWritten
        } else {
            Missing::NotRecorded
        })
    }

    fn add(&mut self, piece: Piece) {
        let Some(takes) = { usize::try_from(piece.env) }
            .ok()
            .and_then(|env| self.lanes.get_mut(env))
        else {
            return;
        };
        let Piece { first, stretch, .. } = piece;
        match (stretch.seed, takes.last_mut()) {
            (Some(seed), _) => takes.push(Take {
                first,
                seed,
                actions: stretch.actions,
            }),
            (None, Some(last)) if last.end() == Some(first) => last.actions.extend(stretch.actions),
            // The block before it is lost.
            (None, _) => {}
        }
    }
}

impl Take {
    fn end(&self) -> Option<i64> {
        self.first
            .checked_add(i64::try_from(self.actions.len()).ok()?)
    }

    /// How it came to the game between these steps of its environment.
    fn past_of(&self, first: i64, end: i64) -> Option<Past<'_>> {
        let at = |step: i64| usize::try_from(step.checked_sub(self.first)?).ok();
        let (before, actions) = self.actions.get(..at(end)?)?.split_at_checked(at(first)?)?;
        Some(Past {
            seed: self.seed,
            before,
            game: actions,
        })
    }
}
