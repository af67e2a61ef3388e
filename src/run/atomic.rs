//! Files that are written whole or not at all.
//!
//! ```text
//! temporary file in the same folder -> write -> fsync -> rename over the target -> fsync of the folder
//! ```
//!
//! A kill at any point leaves either the old file or the new one under the target's name, and at worst a temporary file,
//! which [`remove_stale_temporaries`] clears away when the folder is opened the next time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// How the name of each temporary file begins.
///
/// The target's own name is no part of it: TensorBoard reads every file whose name contains `tfevents`.
const TEMPORARY_PREFIX: &str = ".rlrun-tmp-";

/// Writes `bytes` to `path` so that the file there is the old one or the new one, never a part.
///
/// # Errors
/// Whatever the file system answered (a full disk, a folder that is gone or may not be written). The temporary file is
/// removed then, and the old file is untouched.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = folder_of(path);
    let temporary = Temporary::create(dir)?;
    (&temporary.file).write_all(bytes)?;
    temporary.file.sync_all()?;
    temporary.rename_to(path)?;
    sync_folder(dir)
}

/// A file that grows under another name until it is whole.
#[derive(Debug)]
pub(crate) struct WholeFile {
    temporary: Temporary,
    path: PathBuf,
}

impl WholeFile {
    /// Begins what is to be the file at `path`.
    ///
    /// # Errors
    /// As [`write_whole`].
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            temporary: Temporary::create(folder_of(path))?,
            path: path.to_owned(),
        })
    }

    /// Puts it in its place. Dropped without this it is removed.
    ///
    /// # Errors
    /// As [`write_whole`].
    pub(crate) fn finish(self) -> io::Result<()> {
        self.temporary.file.sync_all()?;
        self.temporary.rename_to(&self.path)?;
        sync_folder_of(&self.path)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.file.flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.temporary.file.seek(to)
    }
}

/// Removes temporary files that a killed process left in `dir`. Returns how many.
///
/// Only the holder of the run's lock may call this, for it cannot tell a dead process's file from a living one's.
///
/// # Errors
/// When the folder cannot be listed or a file not be removed.
pub(crate) fn remove_stale_temporaries(dir: &Path) -> io::Result<usize> {
    let mut n_removed = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPORARY_PREFIX)
        {
            fs::remove_file(entry.path())?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

/// A temporary file that is removed when dropped, unless it was renamed to its target.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    fn create(dir: &Path) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{TEMPORARY_PREFIX}{}-{number}", process::id()));
        // Truncating: a file of this name can only be the leftover of a dead process with our pid.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            renamed: false,
        })
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing more can be done about a failure here; the next opening of the folder tries again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the name of a new file survive a power cut.
///
/// # Errors
/// Whatever the file system answered.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    sync_folder(folder_of(path))
}

/// Makes a rename in `dir` survive a power cut.
fn sync_folder(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        // Some network file systems cannot sync a folder; the rename itself has happened.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_contents_replace_the_old_and_nothing_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.toml");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names_in(dir.path()), ["plan.toml"]);
    }

    #[test]
    fn a_file_that_grows_is_there_once_it_is_whole_and_never_if_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("game.gif");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert!(names_in(dir.path()).is_empty());
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"????whole").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(b"the ").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the whole");
        assert_eq!(names_in(dir.path()), ["game.gif"]);
    }

    #[test]
    fn a_failed_write_leaves_the_target_as_it_was_and_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        // A folder that is not empty cannot be renamed over.
        let target = dir.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), b"x").unwrap();
        write_whole(&target, b"bytes").unwrap_err();
        assert_eq!(names_in(dir.path()), ["target"]);
        assert!(target.join("kept").exists());
    }

    #[test]
    fn a_missing_folder_is_an_error_and_is_not_created() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let error = write_whole(&gone.join("file"), b"bytes").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!gone.exists());
    }

    #[test]
    fn only_temporaries_are_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{TEMPORARY_PREFIX}1-0")), b"half").unwrap();
        fs::write(dir.path().join("plan.toml"), b"plan").unwrap();
        assert_eq!(remove_stale_temporaries(dir.path()).unwrap(), 1);
        assert_eq!(names_in(dir.path()), ["plan.toml"]);
    }
}
