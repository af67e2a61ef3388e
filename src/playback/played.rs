//! What a run folder knows of the games that were played in it. The run may still be training.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use rlrun_envs::World;

use crate::config::grouped;
use crate::plan::{self, DeviceChoice, DeviceName, Machine, Plan};
use crate::request::RequestError;
use crate::run::episodes::read_episodes;
use crate::run::folder::{EPISODES, RECORDER};
use crate::run::recorder::tape::{Missing, Past, Tape};
use crate::run::rows::EpisodeRow;

/// The games of a run.
#[derive(Debug)]
pub(super) struct PlayedRun {
    /// What was trained; the network is on the CPU.
    pub(super) plan: Plan,
    /// What was played.
    pub(super) world: World,
    /// In the order in which they ended.
    pub(super) games: Vec<EpisodeRow>,
    tape: Option<Tape>,
}

/// Why a game cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Its world has no picture.
    NoPicture,
    /// The run has no recorder.
    NoRecorder,
    /// The recorder has not come to it.
    NotYetWritten,
    /// A part of what led to it is lost.
    NotRecorded,
}

impl PlayedRun {
    /// The games of the run in the folder `dir`.
    ///
    /// # Errors
    /// A [`RequestError`] if it is no run folder; what cannot be read of it.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let cpu = DeviceChoice::Named(DeviceName::Cpu);
        let plan = plan::of_run(dir, Some(cpu), &Machine::detect())?;
        let world =
            World::resolve(&plan.game).map_err(|error| RequestError::new(error.to_string()))?;
        let games = read_episodes(&dir.join(EPISODES))?;
        let path = dir.join(RECORDER);
        let tape = Tape::read(&path, plan.env.n_envs);
        let tape = tape.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            plan,
            world,
            games,
            tape,
        })
    }

    /// How a game came to be.
    ///
    /// # Errors
    /// Why it cannot be replayed.
    pub(super) fn past_of(&self, game: &EpisodeRow) -> Result<Past<'_>, Unseen> {
        let tape = self.tape.as_ref().ok_or(Unseen::NoRecorder)?;
        if !matches!(self.world, World::Atari(_)) {
            return Err(Unseen::NoPicture);
        }
        tape.past_of(game).map_err(|missing| match missing {
            Missing::NotYetWritten => Unseen::NotYetWritten,
            Missing::NotRecorded => Unseen::NotRecorded,
        })
    }

    /// Why a game cannot be replayed, for a person: what it comes from, or what to do.
    pub(super) fn in_words(&self, unseen: Unseen) -> String {
        match unseen {
            Unseen::NoPicture => {
                format!(
                    "{} has no picture: only Atari games can be replayed",
                    self.world
                )
            }
            Unseen::NoRecorder => format!(
                "the run has no flight recorder ({RECORDER}): it was trained by an earlier version of rlrun"
            ),
            Unseen::NotYetWritten => format!(
                "{RECORDER} reaches step {} so far; it is written every few thousand steps, and when the run stops or goes on",
                grouped(self.tape.as_ref().map_or(0, Tape::last_step))
            ),
            Unseen::NotRecorded => format!(
                "a part of what led to it is not in {RECORDER}: the file is damaged, or the run began without it"
            ),
        }
    }

    /// What is wrong with the recorder's file, a line each.
    pub(super) fn damage(&self) -> Vec<String> {
        let damage = self.tape.iter().flat_map(Tape::damage);
        let line = |at: &std::ops::Range<usize>| {
            format!(
                "{RECORDER}: bytes {} to {} are damaged or unfinished; games that led through them are lost",
                at.start,
                at.end - 1
            )
        };
        damage.map(line).collect()
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoPicture => "no-picture",
            Self::NoRecorder => "no-recorder",
            Self::NotYetWritten => "not-yet-written",
            Self::NotRecorded => "not-recorded",
        })
    }
}
