//! The file of a replay memory, and what a checkpoint vouches for in it.
//!
//! ```text
//! header, 4096 bytes | the region of the memory, byte for byte       the same for both residences
//!
//! Mapped      the region is the file, shared with the page cache: every step is in the file at once
//! InMemory    the region is memory; a checkpoint writes the slots that are new to the same places of the file
//!
//! checkpoint    save: new slots -> fsync -> Voucher -> the checkpoint's JSON, written whole -> Replay::vouch
//! resume        newest valid checkpoint -> its Voucher -> open: every byte it vouches for is checked
//! ```
//!
//! The file itself is never trusted. It may have been written to after the last checkpoint, up to a kill at any point;
//! what the last checkpoint vouches for stays untouched as long as its owner saves before
//! [`Replay::slots_left`] is used up. Its bytes are checked block by block against the voucher, which stands in the
//! checkpoint and has its own checksum there.
//!
//! Room on the disk is reserved up front, so that a full disk is refused at the start: in the middle of a run it would
//! kill the process on a write into a mapped page. One process at a time holds the file (`flock`).

mod error;
mod header;
mod region;
mod room;
mod voucher;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rlrun_agents::replay::{Region, Replay, ReplayShape};

pub(crate) use error::ReplayFileError;
pub(crate) use voucher::Voucher;

use super::atomic::sync_folder_of;
use header::HEADER_LEN;
use region::Syncer;

/// Where the region of a memory lies while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residence {
    /// In memory; the file is only written at checkpoints.
    InMemory,
    /// In the file, mapped.
    Mapped,
}

/// What a file has to be of: a name for the run, such as game and protocol, and the sizes of the memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Contents<'a> {
    /// Whatever has to be equal beside the sizes, in a few words.
    pub(crate) identity: &'a str,
    /// Sizes of the memory.
    pub(crate) shape: ReplayShape,
    /// Where its region lies.
    pub(crate) residence: Residence,
}

/// The file of one replay memory, held until it is dropped.
#[derive(Debug)]
pub(crate) struct ReplayFile {
    path: PathBuf,
    file: File,
    shape: ReplayShape,
    /// Of a mapped region.
    syncer: Option<Syncer>,
    is_reserved: bool,
    /// Of the newest checkpoint: what is not new since then is neither written nor summed up again.
    newest: Option<Voucher>,
}

/// Bytes that such a file takes on the disk.
pub(crate) fn file_bytes(shape: &ReplayShape) -> u64 {
    shape.bytes().saturating_add(HEADER_LEN)
}

/// A region in memory for a replay memory that no file keeps.
///
/// # Errors
/// The system does not give that much.
pub(crate) fn in_memory(shape: &ReplayShape) -> Result<Box<dyn Region>, ReplayFileError> {
    region::in_memory(shape)
}

impl ReplayFile {
    /// Makes the file `path` for an empty memory, which lies in the region that is returned with it.
    ///
    /// # Errors
    /// There is a file already, the disk has no room for it, or the file system or the memory of the machine refuse. No
    /// file is left behind then.
    pub(crate) fn create(
        path: &Path,
        contents: &Contents<'_>,
    ) -> Result<(Self, Box<dyn Region>), ReplayFileError> {
        let header = header::encode(path, contents)?;
        room::check(path, file_bytes(&contents.shape))?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path);
        let file = file.map_err(at("create", path))?;
        let create = || {
            hold(path, &file)?;
            let is_reserved = room::reserve(path, &file, file_bytes(&contents.shape))?;
            let written = file.write_all_at(&header, 0);
            written.map_err(at("write", path))?;
            let synced = file.sync_all().and_then(|()| sync_folder_of(path));
            synced.map_err(at("sync", path))?;
            let (region, syncer) = region::region(path, &file, contents)?;
            Ok((region, syncer, is_reserved))
        };
        let (region, syncer, is_reserved) = create().inspect_err(|_| {
            // It is of no use to anybody; if even this fails, the next attempt says that it is there.
            let _ = fs::remove_file(path);
        })?;
        let file = Self {
            path: path.to_owned(),
            file,
            shape: contents.shape,
            syncer,
            is_reserved,
            newest: None,
        };
        Ok((file, region))
    }

    /// Opens the file `path` as `voucher` knows it. The memory goes on with
    /// `Replay::new(shape, region, ..)?.resumed(&voucher.state, ..)`.
    ///
    /// # Errors
    /// The file is of other contents, cut off, held by another process or cannot be read, or any byte that the voucher
    /// vouches for is not as it was.
    pub(crate) fn open(
        path: &Path,
        contents: &Contents<'_>,
        voucher: &Voucher,
    ) -> Result<(Self, Box<dyn Region>), ReplayFileError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(at("open", path))?;
        hold(path, &file)?;
        header::check(path, &file, contents)?;
        voucher.check_shape(path, &contents.shape)?;
        // A copy may have lost what was reserved.
        let is_reserved = room::reserve(path, &file, file_bytes(&contents.shape))?;
        let (mut region, syncer) = region::region(path, &file, contents)?;
        if contents.residence == Residence::InMemory {
            for range in voucher.bytes(&contents.shape) {
                let bytes = &mut region.as_bytes_mut()[range.clone()];
                let read = file.read_exact_at(bytes, offset(&range));
                read.map_err(at("read", path))?;
            }
        }
        voucher.verify(path, &contents.shape, region.as_bytes())?;
        if let Some(syncer) = &syncer {
            syncer.expect_random_access();
        }
        let file = Self {
            path: path.to_owned(),
            file,
            shape: contents.shape,
            syncer,
            is_reserved,
            newest: Some(voucher.clone()),
        };
        Ok((file, region))
    }

    /// Whether the file system has reserved the room for the file. If not, a full disk can still end the run.
    pub(crate) fn is_reserved(&self) -> bool {
        self.is_reserved
    }

    /// Brings `memory`, which lies in the region of this file, safely to the disk: what is new since the last time.
    /// Once the voucher stands in a checkpoint that is written, [`Replay::vouch`] is due.
    ///
    /// # Errors
    /// The disk refused. The older checkpoints still hold then, as far as the memory has slots left for them.
    pub(crate) fn save(&mut self, memory: &Replay) -> Result<Voucher, ReplayFileError> {
        assert_eq!(*memory.shape(), self.shape, "a memory of another file");
        if let Some(syncer) = &self.syncer {
            syncer.sync().map_err(at("sync", &self.path))?;
        } else {
            for range in voucher::new_bytes(memory, self.newest.as_ref()) {
                let bytes = &memory.bytes()[range.clone()];
                let written = self.file.write_all_at(bytes, offset(&range));
                written.map_err(at("write", &self.path))?;
            }
            self.file.sync_data().map_err(at("sync", &self.path))?;
        }
        let voucher = Voucher::of(memory, self.newest.as_ref());
        self.newest = Some(voucher.clone());
        Ok(voucher)
    }
}

/// How often the lock is tried before the file counts as another process's, and for how long in between.
const N_TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// Takes the lock on a file; it falls when the file is closed. A process that is just being started by this one holds what
/// was open here for a moment longer, and so does one that is just being killed.
fn hold(path: &Path, file: &File) -> Result<(), ReplayFileError> {
    for _ in 0..N_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(BETWEEN_TRIES),
            Err(TryLockError::Error(source)) => return Err(at("lock", path)(source)),
        }
    }
    Err(ReplayFileError::Held { path: path.into() })
}

/// Where in the file some bytes of the region begin.
fn offset(range: &Range<usize>) -> u64 {
    HEADER_LEN + range.start as u64
}

/// Says what was being done to the file when the system refused.
fn at<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ReplayFileError + 'a {
    move |source| ReplayFileError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
