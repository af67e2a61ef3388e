//! One writer per run folder.
//!
//! The lock is an advisory lock of the operating system (`flock`) on the file `lock`. It falls with its process, however
//! that dies, so that no leftover file has to be removed by hand. The file itself stays; the pid inside is for people.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// The lock on a run folder, held until it is dropped.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another process writes to this run.
    #[error("the run {dir} is in use by the process {pid}; wait for it or stop it: kill {pid}")]
    Held {
        /// The run folder.
        dir: PathBuf,
        /// The pid as it stands in the file.
        pid: String,
    },
    /// The file cannot be written.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
}

impl RunLock {
    /// Takes the lock on the run folder `dir`.
    ///
    /// # Errors
    /// When another process holds it, or the folder is not writable.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let io_error = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = open.map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path)
                    .unwrap_or_default()
                    .trim()
                    .to_owned();
                return Err(LockError::Held {
                    dir: dir.to_owned(),
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(source)),
        }
        file.set_len(0).map_err(io_error)?;
        writeln!(file, "{}", process::id()).map_err(io_error)?;
        Ok(Self { _file: file })
    }

    /// Whether a process writes to the run in `dir`. Changes nothing in the folder.
    pub(crate) fn is_held(dir: &Path) -> bool {
        Self::holder(dir).is_some()
    }

    /// The pid of the process that holds the lock on `dir`, if one does. Nothing is written.
    pub(crate) fn holder(dir: &Path) -> Option<String> {
        let path = dir.join("lock");
        let file = File::open(&path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).unwrap_or_default();
                Some(pid.trim().to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_and_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let _first = RunLock::acquire(dir.path()).unwrap();
        assert!(RunLock::is_held(dir.path()));
        let error = RunLock::acquire(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("in use by the process {}", process::id())),
            "{error}"
        );
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }

    #[test]
    fn the_lock_is_free_again_when_its_holder_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        // A pid longer than ours, of a process that died, must not shine through.
        fs::write(dir.path().join("lock"), "12345678901234567890\n").unwrap();
        drop(RunLock::acquire(dir.path()).unwrap());
        assert!(!RunLock::is_held(dir.path()));
        let _second = RunLock::acquire(dir.path()).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("lock")).unwrap(),
            format!("{}\n", process::id())
        );
    }

    #[test]
    fn of_many_that_start_at_once_exactly_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| RunLock::acquire(dir.path())))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    }
}
