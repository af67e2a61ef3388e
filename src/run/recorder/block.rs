//! The blocks of a recorder file.
//!
//! ```text
//! | "rlrunblk" | first step u64 | last step u64 | n bytes u32 | n packed u32 | CRC-32 u32 | packed bytes |   little-endian
//!
//! bytes, before compression by deflate:
//! | n pieces u32 | n times: environment u32, its steps before i64, seed u32, n actions u32 | the actions of all pieces, a byte each |
//! ```
//!
//! The steps are those of the run. A seed of 2^32 - 1, which no environment takes, says that a piece goes on from the one before.
//! The checksum is over all that stands before it and the packed bytes. A reader that finds damage looks for the next block.

use std::io::{Read as _, Write as _};
use std::ops::Range;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rlrun_envs::Stretch;

const MAGIC: &[u8; 8] = b"rlrunblk";
const N_CHECKED_BYTES: usize = 32;
const N_HEADER_BYTES: usize = N_CHECKED_BYTES + 4;
const N_PIECE_BYTES: usize = 20;
/// Stands for no seed.
const GOES_ON: u32 = u32::MAX;

/// What all environments did for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Steps of the run at its beginning.
    pub(crate) first_step: u64,
    /// Steps of the run at its end.
    pub(crate) last_step: u64,
    /// In the order of environments and steps.
    pub(crate) pieces: Vec<Piece>,
}

/// What one environment did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its number in the run.
    pub(crate) env: u32,
    /// Its steps before.
    pub(crate) first: i64,
    /// Its steps.
    pub(crate) stretch: Stretch,
}

/// A part of the contents of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A whole block and where it is.
    Whole(Range<usize>, Block),
    /// Bytes that are none.
    Damaged(Range<usize>),
}

impl Block {
    /// The block as it stands in the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let bytes = self.plain_bytes();
        let mut block = Vec::from(*MAGIC);
        block.extend(self.first_step.to_le_bytes());
        block.extend(self.last_step.to_le_bytes());
        block.extend(count(bytes.len()).to_le_bytes());
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        let packed = packed.expect("writing to memory cannot fail");
        block.extend(count(packed.len()).to_le_bytes());
        let checksum = checksum(&block, &packed);
        block.extend(checksum.to_le_bytes());
        block.extend(packed);
        block
    }

    fn plain_bytes(&self) -> Vec<u8> {
        let mut bytes = count(self.pieces.len()).to_le_bytes().to_vec();
        for Piece {
            env,
            first,
            stretch,
        } in &self.pieces
        {
            bytes.extend(env.to_le_bytes());
            bytes.extend(first.to_le_bytes());
            bytes.extend(stretch.seed.unwrap_or(GOES_ON).to_le_bytes());
            bytes.extend(count(stretch.actions.len()).to_le_bytes());
        }
        for piece in &self.pieces {
            bytes.extend(&piece.stretch.actions);
        }
        bytes
    }

    /// The block at the beginning of `bytes` and its length there, if it is whole.
    fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut header = Bytes(bytes);
        if header.take(8)? != MAGIC {
            return None;
        }
        let (first_step, last_step) = (header.u64()?, header.u64()?);
        let (n_bytes, n_packed) = (header.u32()?, header.u32()?);
        let written = header.u32()?;
        let packed = header.take(usize::try_from(n_packed).ok()?)?;
        if written != checksum(&bytes[..N_CHECKED_BYTES], packed) {
            return None;
        }
        let mut plain = Vec::new();
        let mut decoder = DeflateDecoder::new(packed).take(u64::from(n_bytes));
        decoder.read_to_end(&mut plain).ok()?;
        let block = Self {
            first_step,
            last_step,
            pieces: pieces(&plain)?,
        };
        Some((block, N_HEADER_BYTES + packed.len()))
    }
}

/// The blocks in `contents` and the damage between them, in order.
pub(crate) fn parts(contents: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut at, mut damaged_from) = (0, None);
    while at < contents.len() {
        let Some((block, n_bytes)) = Block::decode(&contents[at..]) else {
            damaged_from.get_or_insert(at);
            let magics = contents[at + 1..].windows(MAGIC.len());
            let next = { magics }.position(|bytes| bytes == MAGIC);
            at = next.map_or(contents.len(), |next| at + 1 + next);
            continue;
        };
        if let Some(from) = damaged_from.take() {
            parts.push(Part::Damaged(from..at));
        }
        parts.push(Part::Whole(at..at + n_bytes, block));
        at += n_bytes;
    }
    parts.extend(damaged_from.map(|from| Part::Damaged(from..contents.len())));
    parts
}

/// The block that `bytes` are, if they are one.
pub(crate) fn only_block(bytes: &[u8]) -> Option<Block> {
    let (block, n_bytes) = Block::decode(bytes)?;
    (n_bytes == bytes.len()).then_some(block)
}

fn pieces(plain: &[u8]) -> Option<Vec<Piece>> {
    let mut table = Bytes(plain);
    let n_pieces = usize::try_from(table.u32()?).ok()?;
    let mut table = Bytes(table.take(n_pieces.checked_mul(N_PIECE_BYTES)?)?);
    let mut actions = Bytes(&plain[4 + table.0.len()..]);
    let mut pieces = Vec::new();
    for _ in 0..n_pieces {
        let (env, first) = (table.u32()?, table.u64()?.cast_signed());
        let (seed, n_actions) = (table.u32()?, table.u32()?);
        let actions = actions.take(usize::try_from(n_actions).ok()?)?.to_vec();
        let seed = (seed != GOES_ON).then_some(seed);
        let stretch = Stretch { seed, actions };
        pieces.push(Piece {
            env,
            first,
            stretch,
        });
    }
    actions.0.is_empty().then_some(pieces)
}

fn checksum(header: &[u8], packed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(packed);
    hasher.finalize()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).expect("a block is far below 4 GB")
}

/// Bytes that are read from their beginning.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        self.0.split_off(..n)
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first_step: u64) -> Block {
        let piece = |env, first, seed, n: u8| Piece {
            env,
            first,
            stretch: Stretch {
                seed,
                actions: (0..n).collect(),
            },
        };
        Block {
            first_step,
            last_step: first_step + 100,
            pieces: vec![
                piece(0, -3, Some(0x7fff_ffff), 200),
                piece(0, 197, Some(0), 1),
                piece(7, 10, None, 50),
            ],
        }
    }

    fn wholes(contents: &[u8]) -> Vec<Block> {
        let whole = |part| match part {
            Part::Whole(_, block) => Some(block),
            Part::Damaged(_) => None,
        };
        parts(contents).into_iter().filter_map(whole).collect()
    }

    #[test]
    fn a_block_comes_back_as_it_was() {
        let empty = Block {
            pieces: Vec::new(),
            ..block(5)
        };
        for block in [block(0), block(u64::MAX - 100), empty] {
            assert_eq!(only_block(&block.encode()), Some(block));
        }
        let mut longer = block(0).encode();
        longer.push(0);
        assert_eq!(only_block(&longer), None);
    }

    #[test]
    fn a_file_cut_off_anywhere_is_read_up_to_its_last_whole_block() {
        let one = block(0).encode();
        let whole = [one.clone(), block(100).encode()].concat();
        for length in 0..whole.len() {
            assert_eq!(wholes(&whole[..length]).len(), length / one.len());
        }
    }

    #[test]
    fn any_flipped_bit_costs_its_own_block_only_and_is_named() {
        let blocks = [block(0), block(100), block(200)];
        let contents: Vec<u8> = blocks.iter().flat_map(Block::encode).collect();
        let ends: Vec<usize> = blocks
            .iter()
            .scan(0, |end, block| {
                *end += block.encode().len();
                Some(*end)
            })
            .collect();
        for index in 0..contents.len() {
            let mut flipped = contents.clone();
            flipped[index] ^= 1 << (index % 8);
            let lost = ends.iter().filter(|&&end| end <= index).count();
            let left = blocks
                .iter()
                .enumerate()
                .filter(|&(number, _)| number != lost);
            let left: Vec<Block> = left.map(|(_, block)| block.clone()).collect();
            assert_eq!(wholes(&flipped), left, "byte {index}");
            let from = if lost == 0 { 0 } else { ends[lost - 1] };
            let damage = Part::Damaged(from..ends[lost]);
            assert!(parts(&flipped).contains(&damage), "byte {index}");
        }
    }
}
