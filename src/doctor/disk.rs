//! What the system says about a folder, without writing to it.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The folder itself, or the nearest one above it that is there: where it would be made.
pub(super) fn nearest_existing(dir: &Path) -> PathBuf {
    let full = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    full.ancestors()
        .find(|dir| dir.exists())
        .map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// Whether this process may make files in a folder.
pub(super) fn is_writable(dir: &Path) -> bool {
    let Ok(path) = CString::new(dir.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: `path` is a C string that outlives the call, which only reads it.
    #[expect(unsafe_code, reason = "access has no safe form in std")]
    let status = unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) };
    dir.is_dir() && status == 0
}

/// Bytes that this user may still write to the disk of a folder; `None` where the system does not say.
pub(super) fn free_bytes(dir: &Path) -> Option<u64> {
    let path = CString::new(dir.as_os_str().as_bytes()).ok()?;
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` is a C string that outlives the call, and `stat` has room for what the call writes.
    #[expect(unsafe_code, reason = "statvfs has no safe form in std")]
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    // The widths of these fields differ between systems.
    #[expect(clippy::useless_conversion, reason = "they are not u64 on macOS")]
    u64::from(stat.f_bavail).checked_mul(u64::from(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_would_be_made_in_one_that_is() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(nearest_existing(&dir.path().join("a/b")), dir.path());
        assert_eq!(nearest_existing(dir.path()), dir.path());
    }

    #[test]
    fn a_folder_of_ours_is_writable_and_a_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_writable(dir.path()));
        assert!(free_bytes(dir.path()).is_some_and(|bytes| bytes > 0));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!is_writable(&file));
        assert_eq!(free_bytes(&dir.path().join("none")), None);
    }
}
