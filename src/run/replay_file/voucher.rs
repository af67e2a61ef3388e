//! What a checkpoint says of a replay memory's file: where the memory stood, and a checksum of each block of its slots.
//!
//! ```text
//! slots of a lane      kept.start          multiples of 256                 head (open)
//!                      |------|----------------|----------------|-----------|
//! checksums               0           1                2              3
//! ```
//!
//! A checksum is the CRC-32 of the numbers of the block's first slot and of the one after its last (u64, little-endian), of
//! the frames of its slots and, behind them, of their records. The record of the open slot is still to come and is not part
//! of it. A full block never changes any more: its checksum is taken over from one voucher to the next, so that a
//! checkpoint costs what is new.

use std::ops::Range;
use std::path::Path;

use crc32fast::Hasher;
use rlrun_agents::replay::{LaneState, Open, Replay, ReplayShape, ReplayState};
use serde::{Deserialize, Serialize};

use super::error::ReplayFileError;

/// Slots of a full block.
const BLOCK: usize = 256;

/// What a checkpoint vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Voucher {
    /// Where the memory stood.
    pub(crate) state: ReplayState,
    /// For each lane, of each block of the slots it keeps.
    checksums: Vec<Vec<u32>>,
}

impl Voucher {
    /// A voucher for `memory` as it is now. `older` is one for the same memory at some time before.
    pub(super) fn of(memory: &Replay, older: Option<&Self>) -> Self {
        let (state, shape) = (memory.state(), memory.shape());
        let lanes = state.lanes.iter().enumerate();
        let checksums = lanes.map(|(lane, &stand)| {
            let of_block = |slots: Range<usize>| {
                older
                    .and_then(|older| older.of_full_block(shape, lane, &slots))
                    .unwrap_or_else(|| checksum(memory.bytes(), shape, (lane, stand), slots))
            };
            blocks(shape, stand).map(of_block).collect()
        });
        let checksums = checksums.collect();
        Self { state, checksums }
    }

    /// Whether the voucher is one for a memory of this shape.
    ///
    /// # Errors
    /// What is not.
    pub(super) fn check_shape(
        &self,
        path: &Path,
        shape: &ReplayShape,
    ) -> Result<(), ReplayFileError> {
        let expect = |what, expected, got| {
            if expected == got {
                return Ok(());
            }
            Err(ReplayFileError::OtherVoucher {
                path: path.to_owned(),
                what,
                got,
                expected,
            })
        };
        expect(
            "the number of environments",
            shape.n_envs,
            self.state.lanes.len(),
        )?;
        expect("the number of lanes", shape.n_envs, self.checksums.len())?;
        for (stand, checksums) in self.state.lanes.iter().zip(&self.checksums) {
            let n_blocks = blocks(shape, *stand).count();
            expect("the number of blocks", n_blocks, checksums.len())?;
        }
        Ok(())
    }

    /// Whether all that is vouched for is as it was.
    ///
    /// # Errors
    /// The first block that is not.
    pub(super) fn verify(
        &self,
        path: &Path,
        shape: &ReplayShape,
        bytes: &[u8],
    ) -> Result<(), ReplayFileError> {
        let lanes = self.state.lanes.iter().zip(&self.checksums).enumerate();
        for (lane, (&stand, checksums)) in lanes {
            for (slots, &expected) in blocks(shape, stand).zip(checksums) {
                if checksum(bytes, shape, (lane, stand), slots.clone()) != expected {
                    return Err(ReplayFileError::Damaged {
                        path: path.to_owned(),
                        lane,
                        slots,
                    });
                }
            }
        }
        Ok(())
    }

    /// Where in the region everything lies that is vouched for.
    pub(super) fn bytes(&self, shape: &ReplayShape) -> impl Iterator<Item = Range<usize>> {
        let lanes = self.state.lanes.iter().enumerate();
        lanes.flat_map(|(lane, stand)| bytes_from(shape, lane, *stand, 0))
    }

    /// The checksum of a block, if it was full already.
    fn of_full_block(&self, shape: &ReplayShape, lane: usize, slots: &Range<usize>) -> Option<u32> {
        let stand = self.state.lanes[lane];
        let is_full = slots.len() == BLOCK && slots.end <= stand.head;
        // What a lane keeps never reaches further back than it did before.
        is_full.then(|| {
            let first_block = kept(shape, stand).start / BLOCK;
            self.checksums[lane][slots.start / BLOCK - first_block]
        })
    }
}

/// Where in the region everything of `memory` lies that it did not hold yet when `older` was given for it.
pub(super) fn new_bytes(
    memory: &Replay,
    older: Option<&Voucher>,
) -> impl Iterator<Item = Range<usize>> {
    let lanes = memory.state().lanes.into_iter().enumerate();
    lanes.flat_map(move |(lane, stand)| {
        // The slot that was open has become complete, or will be.
        let first_new = older.map_or(0, |older| older.state.lanes[lane].head);
        bytes_from(memory.shape(), lane, stand, first_new)
    })
}

/// Where the kept slots of a lane lie, from slot `first` on: frames, and the records of those that are complete.
fn bytes_from(
    shape: &ReplayShape,
    lane: usize,
    stand: LaneState,
    first: usize,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let kept = kept(shape, stand);
    ranges(shape, (lane, stand), kept.start.max(first)..kept.end)
}

/// Where neighbouring slots of a lane lie, frames before records.
fn ranges(
    shape: &ReplayShape,
    (lane, stand): (usize, LaneState),
    slots: Range<usize>,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let complete = slots.start..slots.end.min(stand.head);
    let frames = shape.frame_bytes(lane, slots);
    let records = shape.record_bytes(lane, complete);
    let all = frames.into_iter().chain(records);
    all.filter(|range| !range.is_empty())
}

fn checksum(
    bytes: &[u8],
    shape: &ReplayShape,
    lane: (usize, LaneState),
    slots: Range<usize>,
) -> u32 {
    let mut hasher = Hasher::new();
    for number in [slots.start, slots.end] {
        hasher.update(&(number as u64).to_le_bytes());
    }
    ranges(shape, lane, slots).for_each(|range| hasher.update(&bytes[range]));
    hasher.finalize()
}

/// The slots that are vouched for; none before the first game.
fn kept(shape: &ReplayShape, stand: LaneState) -> Range<usize> {
    if stand.open == Open::Nothing {
        0..0
    } else {
        shape.kept(stand.head)
    }
}

/// The kept slots of a lane, cut at the multiples of a block's length.
fn blocks(shape: &ReplayShape, stand: LaneState) -> impl Iterator<Item = Range<usize>> + use<> {
    let kept = kept(shape, stand);
    let numbers = kept.start / BLOCK..kept.end.div_ceil(BLOCK);
    numbers.map(move |block| kept.start.max(block * BLOCK)..kept.end.min((block + 1) * BLOCK))
}
