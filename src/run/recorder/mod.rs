//! The flight recorder: what every environment did in a training, so that any of its games can be watched again.
//!
//! ```text
//! recorder.bin   | preamble | block: steps 0 to 4,160 | block: steps 4,160 to 8,240 | ...
//! ```
//!
//! An environment that is reset with a seed and given the same actions plays the same games, so the seeds of the resets
//! and one byte a step are all that is kept, compressed. The session hands in what is new when a block is due and
//! before each checkpoint; no actor ever writes.
//!
//! A block ends where [`BLOCK_STEPS`] say, never where a checkpoint happens to be saved. What waits for its block stands in
//! the checkpoint (its *tail*); a run that goes on cuts the file back to where the tail begins. So the file of a run that
//! was killed is that of the run that was never interrupted, byte for byte. Where file and tail do not meet (a
//! run of a version without a recorder, a deleted file, a run that failed in the middle of a rollout), the recorder begins
//! anew with all that the checkpoint knows: every environment's steps since its last seeded reset.

pub(crate) mod block;
mod file;
pub(crate) mod tape;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use rlrun_envs::{Recording, Stretch};

use self::block::{Block, Piece};
use super::append::AppendLog;
use super::screen::Screen;

/// A block ends with the first round that passes a multiple of so many steps of the run. Seconds of training, kilobytes.
const BLOCK_STEPS: u64 = 4_096;

/// Said where a run goes on whose file does not reach to its checkpoint.
const BEGINS_ANEW: &str =
    "the flight recorder begins anew, with the steps since every environment's last seeded reset";

/// Writes what happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    log: AppendLog,
    /// What waits for its block, one of each environment.
    lanes: Vec<Lane>,
    /// Steps of the run when it began to wait.
    first_step: u64,
    /// Steps of the run when it was last added to.
    step: u64,
}

/// What an environment did, in order.
#[derive(Debug, Default)]
struct Lane {
    /// Its steps before. Below zero where a run goes on that failed in its first rollout.
    first: i64,
    stretches: Vec<Stretch>,
}

impl Recorder {
    /// That of a new run.
    pub(crate) fn create(path: PathBuf, n_envs: usize) -> Self {
        let lanes = std::iter::repeat_with(Lane::default).take(n_envs);
        Self {
            log: AppendLog::new(path, file::PREAMBLE.to_vec()),
            lanes: lanes.collect(),
            first_step: 0,
            step: 0,
        }
    }

    /// That of a run that goes on from `step`, with the tail and the recordings of its checkpoint. What the file says of later
    /// steps is cut off.
    ///
    /// # Errors
    /// If it cannot be cut off; the file is untouched then.
    pub(crate) fn resume(
        path: PathBuf,
        step: u64,
        tail: Option<&[u8]>,
        recordings: &[Recording],
        screen: &Screen,
    ) -> io::Result<Self> {
        let n_envs = recordings.len();
        let tail = tail.and_then(block::only_block);
        let tail = tail.filter(|tail| tail.last_step == step);
        let first_step = tail.as_ref().map_or(step, |tail| tail.first_step);
        let kept = file::cut_after(&path, first_step)?;
        for at in &kept.damage {
            screen.warn(&format!(
                "{}: bytes {} to {} are damaged; games that led through them cannot be replayed",
                path.display(),
                at.start,
                at.end
            ));
        }
        let lanes = tail
            .filter(|tail| kept.end == tail.first_step)
            .and_then(|tail| lanes_of(tail, n_envs));
        let (first_step, lanes) = lanes.map_or_else(
            || {
                screen.say(BEGINS_ANEW);
                (step, lanes_anew(step, recordings))
            },
            |lanes| (first_step, lanes),
        );
        Ok(Self {
            log: AppendLog::new(path, file::PREAMBLE.to_vec()),
            lanes,
            first_step,
            step,
        })
    }

    /// Whether a block is due in a run that has come to `step`.
    pub(crate) fn is_due(&self, step: u64) -> bool {
        step >= (self.first_step / BLOCK_STEPS + 1) * BLOCK_STEPS
    }

    /// Takes in what is new of each environment, in a run that has come to `step`.
    pub(crate) fn add(&mut self, news: Vec<Vec<Stretch>>, step: u64) {
        debug_assert_eq!(news.len(), self.lanes.len());
        for (lane, stretches) in self.lanes.iter_mut().zip(news) {
            for stretch in stretches {
                lane.push(stretch);
            }
        }
        self.step = step;
    }

    /// Writes what waits as a block.
    pub(crate) fn write_block(&mut self, screen: &Screen) {
        // Where it has begun anew, there may be something to write without a step.
        if self.lanes.iter().any(|lane| !lane.stretches.is_empty()) {
            self.log.push(&self.block().encode());
            for lane in &mut self.lanes {
                lane.first = lane.end();
                lane.stretches.clear();
            }
            self.first_step = self.step;
        }
        self.log.flush(screen);
    }

    /// Writes what waits at the end of a run, whose environments may have come further than its steps if it failed.
    pub(crate) fn close(&mut self, screen: &Screen) {
        let end = own_steps(self.step, self.lanes.len());
        for lane in &mut self.lanes {
            lane.cut_after(end);
        }
        self.write_block(screen);
    }

    /// What a checkpoint holds of what waits; nothing if the environments are not where the run is, since it failed.
    pub(crate) fn tail(&self) -> Option<Vec<u8>> {
        let end = own_steps(self.step, self.lanes.len());
        let are_in_step = self.lanes.iter().all(|lane| lane.end() == end);
        are_in_step.then(|| self.block().encode())
    }

    fn block(&self) -> Block {
        let pieces = self.lanes.iter().enumerate();
        Block {
            first_step: self.first_step,
            last_step: self.step,
            pieces: pieces.flat_map(|(env, lane)| lane.pieces(env)).collect(),
        }
    }
}

impl Lane {
    fn push(&mut self, stretch: Stretch) {
        match self.stretches.last_mut() {
            Some(last) if stretch.seed.is_none() => last.actions.extend(stretch.actions),
            _ => self.stretches.push(stretch),
        }
    }

    /// Its environment's steps at the end.
    fn end(&self) -> i64 {
        self.first
            + length(
                self.stretches
                    .iter()
                    .map(|stretch| stretch.actions.len())
                    .sum(),
            )
    }

    /// Leaves out what came after so many steps of the environment.
    fn cut_after(&mut self, end: i64) {
        let mut rest = usize::try_from(end - self.first).unwrap_or(0);
        for stretch in &mut self.stretches {
            stretch.actions.truncate(rest);
            rest -= stretch.actions.len();
        }
        self.stretches.retain(|stretch| !stretch.actions.is_empty());
    }

    fn pieces(&self, env: usize) -> Vec<Piece> {
        let mut first = self.first;
        let piece = |stretch: &Stretch| {
            let piece = Piece {
                env: u32::try_from(env).expect("at most 1048576 environments"),
                first,
                stretch: stretch.clone(),
            };
            first += length(stretch.actions.len());
            piece
        };
        self.stretches.iter().map(piece).collect()
    }
}

/// Steps of one environment in a run of so many steps.
pub(crate) fn own_steps(step: u64, n_envs: usize) -> i64 {
    i64::try_from(step / n_envs.max(1) as u64).expect("plans keep below 2^63 steps")
}

fn length(n_actions: usize) -> i64 {
    i64::try_from(n_actions).expect("counted in memory")
}

/// The lanes that a tail was made of, if it is one of so many environments.
fn lanes_of(tail: Block, n_envs: usize) -> Option<Vec<Lane>> {
    let (first, end) = (
        own_steps(tail.first_step, n_envs),
        own_steps(tail.last_step, n_envs),
    );
    let mut lanes: Vec<Lane> = Vec::new();
    lanes.resize_with(n_envs, || Lane {
        first,
        stretches: Vec::new(),
    });
    for piece in tail.pieces {
        let lane = lanes.get_mut(usize::try_from(piece.env).ok()?)?;
        if lane.stretches.is_empty() {
            lane.first = piece.first;
        }
        lane.push(piece.stretch);
    }
    lanes.iter().all(|lane| lane.end() == end).then_some(lanes)
}

/// Every environment's steps since its last seeded reset, in a run that has come to `step`.
fn lanes_anew(step: u64, recordings: &[Recording]) -> Vec<Lane> {
    let end = own_steps(step, recordings.len());
    let lane = |recording: &Recording| Lane {
        first: end - length(recording.actions.len()),
        stretches: vec![Stretch {
            seed: Some(recording.seed),
            actions: recording.actions.clone(),
        }],
    };
    recordings.iter().map(lane).collect()
}
