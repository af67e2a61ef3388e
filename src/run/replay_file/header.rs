//! The first bytes of the file: what it is, and of what.
//!
//! ```text
//! 0..8    rlreplay
//! 8..12   format, u32
//! 12..16  bytes of the name, u32
//! 16..    the name: identity of the run and sizes of the memory; zeros after it
//! 4092..  CRC-32 of all before, u32                                             little-endian throughout
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::error::ReplayFileError;
use super::{Contents, at, file_bytes};

/// Bytes of the header.
pub(super) const HEADER_LEN: u64 = LEN as u64;

const LEN: usize = 4096;
const MAGIC: &[u8; 8] = b"rlreplay";
const VERSION: u32 = 1;
const NAME: usize = 16;
const CHECKSUM: usize = LEN - 4;

/// The header of a file of `contents`.
pub(super) fn encode(path: &Path, contents: &Contents<'_>) -> Result<[u8; LEN], ReplayFileError> {
    let name = name(contents);
    let (got, most) = (name.len(), CHECKSUM - NAME);
    let name_len = u32::try_from(got).ok().filter(|_| got <= most);
    let name_len = name_len.ok_or_else(|| ReplayFileError::LongIdentity {
        path: path.to_owned(),
        got,
        most,
    })?;
    let mut header = [0; LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&name_len.to_le_bytes());
    header[NAME..NAME + got].copy_from_slice(name.as_bytes());
    let checksum = crc32fast::hash(&header[..CHECKSUM]);
    header[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    Ok(header)
}

/// Whether a file is one of `contents`, and of full length.
///
/// # Errors
/// What differs.
pub(super) fn check(
    path: &Path,
    file: &File,
    contents: &Contents<'_>,
) -> Result<(), ReplayFileError> {
    let owned = || path.to_owned();
    let got = file.metadata().map_err(at("read", path))?.len();
    let expected = file_bytes(&contents.shape);
    let other_length = || ReplayFileError::Length {
        path: owned(),
        got,
        expected,
    };
    if got < HEADER_LEN {
        return Err(other_length());
    }
    let mut header = [0; LEN];
    let read = file.read_exact_at(&mut header, 0);
    read.map_err(at("read", path))?;
    if header[..8] != *MAGIC {
        return Err(ReplayFileError::Foreign { path: owned() });
    }
    if crc32fast::hash(&header[..CHECKSUM]) != u32_at(&header, CHECKSUM) {
        return Err(ReplayFileError::DamagedHeader { path: owned() });
    }
    let (got_version, expected_version) = (u32_at(&header, 8), VERSION);
    if got_version != expected_version {
        return Err(ReplayFileError::Version {
            path: owned(),
            got: got_version,
            expected: expected_version,
        });
    }
    if header != encode(path, contents)? {
        return Err(ReplayFileError::OtherContents {
            path: owned(),
            got: name_in(&header),
            expected: name(contents),
        });
    }
    if got == expected {
        Ok(())
    } else {
        Err(other_length())
    }
}

fn name(contents: &Contents<'_>) -> String {
    let shape = &contents.shape;
    format!(
        "{}, {} environments, capacity {}, slack {}, frames of {} bytes, stacks of {}",
        contents.identity, shape.n_envs, shape.capacity, shape.slack, shape.frame_len, shape.stack
    )
}

fn name_in(header: &[u8; LEN]) -> String {
    let bytes = &header[NAME..CHECKSUM];
    let len = usize::try_from(u32_at(header, 12)).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len.min(bytes.len())]).into_owned()
}

fn u32_at(header: &[u8; LEN], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[at..at + 4]);
    u32::from_le_bytes(bytes)
}
