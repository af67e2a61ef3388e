//! The recorder's file as a whole: where it is cut off when a run goes on.

use std::fs::{self, OpenOptions};
use std::io;
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

/// Cuts off the blocks that end after `step`, and one that a kill left unfinished. Returns the step of the run at which the
/// rest ends, 0 where nothing is left.
///
/// # Errors
/// If the file cannot be read or cut.
pub(super) fn cut_after(path: &Path, step: u64) -> io::Result<u64> {
    let contents = match fs::read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let (mut end, mut n_kept) = (0, 0);
    for part in parts_of(&contents) {
        match part {
            Part::Whole(at, block) if block.last_step <= step => {
                (end, n_kept) = (block.last_step, at.end);
            }
            Part::Whole(..) => break,
            Part::Damaged(_) => {}
        }
    }
    if n_kept == 0 && contents.starts_with(PREAMBLE) {
        n_kept = PREAMBLE.len();
    }
    if n_kept < contents.len() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(n_kept as u64)?;
    }
    Ok(end)
}
