//! A log file that only grows, by whole records, and that never ends a run.
//!
//! Records wait in memory until [`AppendLog::flush`]. If they cannot be written (full disk, deleted folder), the file is
//! cut back to its last whole record, the records stay in memory, and the next flush tries again. So a log goes on when
//! it can, and a record is in the file as a whole or not at all. The first failure is told once, later ones are not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::screen::Screen;

/// How much is kept in memory while nothing can be written; beyond it the waiting records are given up.
///
/// Hours of scalars and games fit; an outage must not eat the memory of a run that takes days.
const MAX_PENDING_BYTES: usize = 8 << 20;

/// An append-only log. See the module.
#[derive(Debug)]
pub(crate) struct AppendLog {
    path: PathBuf,
    preamble: Vec<u8>,
    open: Option<OpenFile>,
    pending: Vec<u8>,
    warned: bool,
}

/// The file as it was after the last whole record.
#[derive(Debug)]
struct OpenFile {
    file: File,
    n_whole_bytes: u64,
}

impl AppendLog {
    /// A log at `path`. The file is opened at the first flush; `preamble` is written first where it is empty.
    pub(crate) fn new(path: PathBuf, preamble: Vec<u8>) -> Self {
        Self {
            path,
            preamble,
            open: None,
            pending: Vec::new(),
            warned: false,
        }
    }

    /// Adds one whole record, which is written at the next flush.
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.pending.extend_from_slice(record);
    }

    /// Writes all records that wait. A failure is told on `screen`, the first time only, and the records stay.
    pub(crate) fn flush(&mut self, screen: &Screen) {
        let Err(error) = self.try_flush() else { return };
        if !self.warned {
            self.warned = true;
            screen.warn(&format!(
                "cannot write {}: {error}; training goes on, and so will the log when it can (said once)",
                self.path.display()
            ));
        }
    }

    /// Like [`Self::flush`], with the error instead of the warning.
    ///
    /// # Errors
    /// What the file system answered. Nothing is lost then, up to [`MAX_PENDING_BYTES`].
    fn try_flush(&mut self) -> io::Result<()> {
        let result = self.write_pending();
        match result {
            Ok(()) => self.pending.clear(),
            Err(_) if self.pending.len() > MAX_PENDING_BYTES => self.pending.clear(),
            Err(_) => {}
        }
        result
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if !self
            .open
            .as_ref()
            .is_some_and(|open| open.is_still_at(&self.path))
        {
            self.open = None;
            self.open = Some(OpenFile::open(&self.path)?);
        }
        let open = self.open.as_mut().expect("opened just above");
        if open.n_whole_bytes == 0 {
            open.append(&self.preamble)?;
        }
        open.append(&self.pending)
    }
}

impl Drop for AppendLog {
    /// A run that ends by an error still leaves its last records.
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            let _ = self.try_flush();
        }
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let n_whole_bytes = file.metadata()?.len();
        Ok(Self {
            file,
            n_whole_bytes,
        })
    }

    /// Whether `path` still leads to this file. Writing to a deleted file succeeds, into nothing.
    fn is_still_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(there)) = (self.file.metadata(), fs::metadata(path)) else {
            return false;
        };
        ours.dev() == there.dev() && ours.ino() == there.ino()
    }

    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(records) {
            // What was written of it would be a torn record with others behind it.
            let _ = self.file.set_len(self.n_whole_bytes);
            return Err(error);
        }
        self.n_whole_bytes += records.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::run::alone::{is_alone, run_alone};

    fn text_of(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn records_follow_one_preamble_over_several_openings() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for record in ["a\n", "b\n"] {
            let mut log = AppendLog::new(path.clone(), b"header\n".to_vec());
            log.push(record.as_bytes());
            log.try_flush().unwrap();
        }
        assert_eq!(text_of(&path), "header\na\nb\n");
    }

    #[test]
    fn a_log_that_is_dropped_writes_what_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = AppendLog::new(path.clone(), Vec::new());
        log.push(b"last\n");
        drop(log);
        assert_eq!(text_of(&path), "last\n");
    }

    #[test]
    fn a_full_disk_keeps_the_records_until_there_is_room() {
        if !Path::new("/dev/full").exists() {
            eprintln!("SKIPPED: this system has no /dev/full");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        symlink("/dev/full", &path).unwrap();
        let mut log = AppendLog::new(path.clone(), b"header\n".to_vec());
        log.push(b"a\n");
        log.try_flush().unwrap_err();
        log.push(b"b\n");
        log.flush(&Screen::quiet());
        assert!(log.warned);

        fs::remove_file(&path).unwrap();
        log.try_flush().unwrap();
        assert_eq!(text_of(&path), "header\na\nb\n");
    }

    #[test]
    fn a_deleted_folder_is_noticed_and_the_log_goes_on_when_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("run");
        let path = folder.join("log");
        fs::create_dir(&folder).unwrap();
        let mut log = AppendLog::new(path.clone(), b"header\n".to_vec());
        log.push(b"a\n");
        log.try_flush().unwrap();

        fs::remove_dir_all(&folder).unwrap();
        log.push(b"b\n");
        log.try_flush().unwrap_err();

        fs::create_dir(&folder).unwrap();
        log.try_flush().unwrap();
        assert_eq!(text_of(&path), "header\nb\n");
    }

    #[test]
    fn a_record_torn_by_a_full_disk_is_cut_off_again() {
        // A limit on the size of files stands in for a full disk; it holds for a whole process, hence a second one.
        let dir = tempfile::tempdir().unwrap();
        let limit = "trap '' XFSZ; ulimit -f 8;";
        let output = run_alone(module_path!(), "append_under_a_limit", dir.path(), limit);
        assert!(output.status.success(), "{output:?}");
        let log = text_of(&dir.path().join("log"));
        assert!(!log.is_empty());
        assert!(log.lines().all(|line| line == "0123456789"));
        assert!(log.ends_with('\n'));
    }

    #[test]
    #[ignore = "the second process of a_record_torn_by_a_full_disk_is_cut_off_again"]
    fn append_under_a_limit() {
        if !is_alone() {
            return;
        }
        let mut log = AppendLog::new(PathBuf::from("log"), Vec::new());
        let mut n_failed = 0;
        for _ in 0..200 {
            log.push(&b"0123456789\n".repeat(10));
            n_failed += usize::from(log.try_flush().is_err());
        }
        assert!(n_failed > 0, "the limit was never reached");
        log.pending.clear();
    }
}
