//! The recorder's file as a whole: where it is cut off when a run goes on.

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;

use super::block::{Part, parts};

/// What the file begins with.
pub(super) const PREAMBLE: &[u8] = b"rlrun recorder 1\n";

/// The parts of a file with these contents. The preamble is none of them; where it is damaged it is a part of the damage.
pub(super) fn parts_of(contents: &[u8]) -> Vec<Part> {
    let offset = if contents.starts_with(PREAMBLE) {
        PREAMBLE.len()
    } else {
        0
    };
    let moved = |part| match part {
        Part::Whole(at, block) => Part::Whole(at.start + offset..at.end + offset, block),
        Part::Damaged(at) => Part::Damaged(at.start + offset..at.end + offset),
    };
    parts(&contents[offset..]).into_iter().map(moved).collect()
}

/// What is left of a file that was cut off.
#[derive(Debug)]
pub(super) struct Kept {
    /// Step of the run at which it ends; 0 where nothing is left.
    pub(super) end: u64,
    /// Its bytes that are no block any longer.
    pub(super) damage: Vec<Range<usize>>,
}

/// Cuts off the blocks that end after `step`, and one that a kill left unfinished.
///
/// # Errors
/// If the file cannot be read or cut.
pub(super) fn cut_after(path: &Path, step: u64) -> io::Result<Kept> {
    let (mut end, mut n_kept, mut damage) = (0, 0, Vec::new());
    let contents = match fs::read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept { end, damage }),
        Err(error) => return Err(error),
    };
    for part in parts_of(&contents) {
        match part {
            Part::Whole(at, block) if block.last_step <= step => {
                (end, n_kept) = (block.last_step, at.end);
            }
            Part::Whole(..) => break,
            Part::Damaged(at) => damage.push(at),
        }
    }
    if n_kept == 0 && contents.starts_with(PREAMBLE) {
        n_kept = PREAMBLE.len();
    }
    if n_kept < contents.len() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(n_kept as u64)?;
    }
    damage.retain(|at| at.end <= n_kept);
    Ok(Kept { end, damage })
}
