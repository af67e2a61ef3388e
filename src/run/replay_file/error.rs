//! Why there is no file, or why it is not used.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Why the file of a replay memory was not made, not saved, or is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayFileError {
    /// The system refused.
    #[error("cannot {what} the replay memory {path}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The disk is too small.
    #[error(
        "the replay memory {path} takes {needed} bytes, and its disk has {free} left; free some, lower the capacity, or \
         choose another folder"
    )]
    NoRoom {
        /// The file that was to be.
        path: PathBuf,
        /// Its size.
        needed: u64,
        /// Bytes that this user may still write there.
        free: u64,
    },
    /// The machine has too little memory.
    #[error(
        "cannot have {bytes} bytes of memory for the replay memory: {source}; lower its capacity or map it from a file"
    )]
    NoMemory {
        /// Its size.
        bytes: u64,
        /// What the system answered.
        source: io::Error,
    },
    /// Another process works with it.
    #[error("the replay memory {path} is in use by another process")]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// The name of the run is too long to be written down.
    #[error("the replay memory {path} cannot be named in {got} bytes, {most} at most")]
    LongIdentity {
        /// The file that was to be.
        path: PathBuf,
        /// Bytes of the name.
        got: usize,
        /// Bytes there are.
        most: usize,
    },
    /// It is some other file, or damaged at its very beginning.
    #[error("{path} is no replay memory of rlrun, or its first bytes are damaged")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another rlrun made it.
    #[error("the replay memory {path} is of format {got}, this rlrun reads format {expected}")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        got: u32,
        /// What we write.
        expected: u32,
    },
    /// The header does not have its checksum.
    #[error("the header of the replay memory {path} is damaged")]
    DamagedHeader {
        /// The file.
        path: PathBuf,
    },
    /// It is of another run.
    #[error("the replay memory {path} is of {got:?}, expected {expected:?}")]
    OtherContents {
        /// The file.
        path: PathBuf,
        /// What it is of.
        got: String,
        /// What it should be of.
        expected: String,
    },
    /// It is not as long as it was made.
    #[error("the replay memory {path} has {got} bytes, expected {expected}")]
    Length {
        /// The file.
        path: PathBuf,
        /// What it has.
        got: u64,
        /// What it should have.
        expected: u64,
    },
    /// The checkpoint speaks of another memory.
    #[error(
        "the checkpoint does not describe the replay memory {path}: {what} is {got}, expected {expected}"
    )]
    OtherVoucher {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: &'static str,
        /// What the checkpoint says.
        got: usize,
        /// What the memory needs.
        expected: usize,
    },
    /// Nothing had been stored yet.
    #[error("it is of the very beginning: to go on from it would be to begin anew")]
    Beginning,
    /// Some byte is not as the checkpoint says.
    #[error(
        "the replay memory {path} is damaged, or was written to since the checkpoint: slots {} to {} of environment {lane}",
        .slots.start, .slots.end - 1
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Environment.
        lane: usize,
        /// The block whose checksum differs.
        slots: Range<usize>,
    },
}

impl ReplayFileError {
    /// Whether what a checkpoint vouches for is gone, and not only out of reach.
    pub(crate) fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Beginning
                | Self::DamagedHeader { .. }
                | Self::Foreign { .. }
                | Self::Length { .. }
        ) || self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    /// What the system answered, if it refused.
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
