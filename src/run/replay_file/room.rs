//! Room on the disk, asked for before the first frame.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::{Errno, retry_on_intr};

use super::at;
use super::error::ReplayFileError;

/// Whether the disk of `path` has room for `needed` bytes, as far as the system says.
///
/// # Errors
/// It has less, with both numbers.
pub(super) fn check(path: &Path, needed: u64) -> Result<(), ReplayFileError> {
    match free_bytes(path) {
        Some(free) if free < needed => Err(ReplayFileError::NoRoom {
            path: path.to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}

/// Makes `file` `len` bytes long and reserves the room for all of them. False where the file system cannot reserve; the
/// file has its length all the same.
///
/// # Errors
/// There is no room, or the file cannot be that long.
pub(super) fn reserve(path: &Path, file: &File, len: u64) -> Result<bool, ReplayFileError> {
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, len)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            file.set_len(len).map_err(at("make room for", path))?;
            Ok(false)
        }
        Err(Errno::NOSPC | Errno::DQUOT) => Err(ReplayFileError::NoRoom {
            path: path.to_owned(),
            needed: len,
            free: free_bytes(path).unwrap_or(0),
        }),
        Err(errno) => Err(at("make room for", path)(errno.into())),
    }
}

/// Bytes that this user may still write to the disk of a file that is to be.
fn free_bytes(path: &Path) -> Option<u64> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let stat = statvfs(dir.unwrap_or(Path::new("."))).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_disk_holds_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay");
        check(&path, 1).unwrap();
        let refused = check(&path, u64::MAX).unwrap_err().to_string();
        assert!(refused.contains(&u64::MAX.to_string()), "{refused}");
        let free = free_bytes(&path).unwrap().to_string();
        assert!(refused.contains(&free[..1]), "{refused}");
    }

    #[test]
    fn room_is_reserved_and_not_only_promised() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay");
        let file = File::create(&path).unwrap();
        if reserve(&path, &file, 1 << 20).unwrap() {
            assert!(file.metadata().unwrap().blocks() * 512 >= 1 << 20);
        }
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
    }
}
