//! The bytes that a replay memory lies in: memory, or the file mapped into it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw};
use rlrun_agents::replay::{Region, ReplayShape};

use super::header::HEADER_LEN;
use super::{Contents, ReplayFileError, Residence, at};

/// Memory of the machine. Pages are zero, and taken from the system only when they are first written.
#[derive(Debug)]
struct Memory(MmapMut);

impl Region for Memory {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The file after its header, mapped and shared with the page cache.
#[derive(Debug)]
struct Mapped(Arc<MmapRaw>);

#[expect(unsafe_code, reason = "a mapped file is memory only to the processor")]
impl Region for Mapped {
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: The mapping is readable, of this length, and lives as long as `self`. This is the only handle that
        // reads or writes it (a `Syncer` only names pages to the kernel). The file is under our lock, and none of us makes
        // it shorter.
        unsafe { slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: As above; the mapping is writable, and `&mut self` makes this the only slice of it.
        unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr(), self.0.len()) }
    }
}

/// Brings a mapped region to the disk.
#[derive(Debug)]
pub(super) struct Syncer(Arc<MmapRaw>);

impl Syncer {
    /// Waits until all that was written to the region is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.flush()
    }

    /// Tells the kernel that reading ahead is of no use: a sample may lie anywhere.
    pub(super) fn expect_random_access(&self) {
        // Only a hint: nothing is wrong without it.
        let _ = self.0.advise(Advice::Random);
    }
}

/// The region of `contents`, and how to sync it if it lies in `file`, which has its full length already.
pub(super) fn region(
    path: &Path,
    file: &File,
    contents: &Contents<'_>,
) -> Result<(Box<dyn Region>, Option<Syncer>), ReplayFileError> {
    if contents.residence == Residence::InMemory {
        return Ok((in_memory(&contents.shape)?, None));
    }
    let mut options = MmapOptions::new();
    options.offset(HEADER_LEN).len(len(&contents.shape)?);
    let mapping = options.map_raw(file).map_err(at("map", path))?;
    let mapping = Arc::new(mapping);
    let region = Box::new(Mapped(Arc::clone(&mapping)));
    Ok((region, Some(Syncer(mapping))))
}

/// A region in memory, of zeros.
pub(super) fn in_memory(shape: &ReplayShape) -> Result<Box<dyn Region>, ReplayFileError> {
    let memory = MmapMut::map_anon(len(shape)?).map_err(|source| ReplayFileError::NoMemory {
        bytes: shape.bytes(),
        source,
    })?;
    // Large pages spare the processor look-ups. Only a hint, too.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(Advice::HugePage);
    Ok(Box::new(Memory(memory)))
}

fn len(shape: &ReplayShape) -> Result<usize, ReplayFileError> {
    usize::try_from(shape.bytes()).map_err(|_| ReplayFileError::NoMemory {
        bytes: shape.bytes(),
        source: io::ErrorKind::OutOfMemory.into(),
    })
}
