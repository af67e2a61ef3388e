//! Tables that grow while a run goes on: CSV files with one row per finished game, say.
//!
//! The second column of every table is `step`, the agent steps of the whole run at which the row belongs: by it a run that
//! goes on from a checkpoint knows which rows are to come anew.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::append::AppendLog;
use super::atomic::write_whole;
use super::screen::Screen;

/// A row of a table.
pub(crate) trait Row {
    /// The names of the columns, as the first line of the file.
    const HEADER: &'static str;

    /// The row as a line, with its end.
    fn line(&self) -> String;
}

/// A table, as a log that never ends a run.
#[derive(Debug)]
pub(crate) struct Table<R> {
    log: AppendLog,
    rows: PhantomData<R>,
}

/// Why an existing table cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// It cannot be read or rewritten.
    #[error("cannot cut {path} back to the checkpoint: {source}")]
    Io {
        /// The table.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// Someone else's table; cutting it would lose it.
    #[error("{path} begins with {found:?}, expected {expected:?}; move it away to resume")]
    OtherHeader {
        /// The table.
        path: PathBuf,
        /// Its first line.
        found: String,
        /// What that should be.
        expected: &'static str,
    },
}

impl<R: Row> Table<R> {
    /// The table of a new run.
    pub(crate) fn create(path: PathBuf) -> Self {
        Self {
            log: AppendLog::new(path, R::HEADER.as_bytes().to_vec()),
            rows: PhantomData,
        }
    }

    /// The table of a run that goes on from `step`. Rows of later steps are cut off: what they tell of happens anew.
    ///
    /// # Errors
    /// When the rows cannot be cut off; the table is untouched then.
    pub(crate) fn resume(path: PathBuf, step: u64) -> Result<Self, TableError> {
        cut_after(&path, R::HEADER, step)?;
        Ok(Self::create(path))
    }

    /// Adds a row, which is written at the next flush.
    pub(crate) fn push(&mut self, row: &R) {
        self.log.push(row.line().as_bytes());
    }

    /// Writes the rows that wait; to be called at every log interval, so that a kill costs no more than that.
    pub(crate) fn flush(&mut self, screen: &Screen) {
        self.log.flush(screen);
    }
}

/// Keeps the rows up to and including `step`, and drops a last line that a kill cut off.
fn cut_after(path: &Path, header: &'static str, step: u64) -> Result<(), TableError> {
    let io_error = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    // The header, too, may have been cut off by a kill.
    if !header.starts_with(first) {
        return Err(TableError::OtherHeader {
            path: path.to_owned(),
            found: first.trim_end().to_owned(),
            expected: header.trim_end(),
        });
    }
    let rows =
        lines.filter(|line| line.ends_with('\n') && step_of(line).is_some_and(|row| row <= step));
    let kept: String = if first == header {
        [first].into_iter().chain(rows).collect()
    } else {
        String::new()
    };
    if kept.as_bytes() == bytes {
        return Ok(());
    }
    write_whole(path, kept.as_bytes()).map_err(io_error)
}

fn step_of(line: &str) -> Option<u64> {
    line.split(',').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::rows::EpisodeRow;

    fn row(episode: u64, step: u64) -> EpisodeRow {
        EpisodeRow {
            episode,
            step,
            env: 3,
            score: 210.0,
            length_steps: 600,
            length_frames: 2_397,
            wall_seconds: 1.23456,
        }
    }

    fn write_rows(path: &Path, steps: &[u64]) {
        let mut log = Table::<EpisodeRow>::create(path.to_owned());
        for (index, &step) in steps.iter().enumerate() {
            log.push(&row(index as u64 + 1, step));
        }
        log.flush(&Screen::quiet());
    }

    fn steps_in(path: &Path) -> Vec<u64> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        reader
            .records()
            .map(|record| record.unwrap()[1].parse().unwrap())
            .collect()
    }

    #[test]
    fn a_row_holds_the_columns_of_the_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        write_rows(&path, &[1_600]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}1,1600,3,210,600,2397,1.235\n", EpisodeRow::HEADER)
        );
    }

    #[test]
    fn a_resumed_run_cuts_off_what_it_plays_anew_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        write_rows(&path, &[100, 200, 200, 300, 400]);
        let mut log = Table::<EpisodeRow>::resume(path.clone(), 200).unwrap();
        assert_eq!(steps_in(&path), [100, 200, 200]);
        log.push(&row(4, 250));
        log.flush(&Screen::quiet());
        assert_eq!(steps_in(&path), [100, 200, 200, 250]);
    }

    #[test]
    fn a_table_cut_off_anywhere_is_read_up_to_its_last_whole_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        write_rows(&path, &[100, 200, 300]);
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut log = Table::<EpisodeRow>::resume(path.clone(), 1_000).unwrap();
            let text = str::from_utf8(&whole[..length]).unwrap();
            let n_rows = text.matches('\n').count().saturating_sub(1);
            log.push(&row(9, 900));
            log.flush(&Screen::quiet());
            let mut expected = [100, 200, 300][..n_rows].to_vec();
            expected.push(900);
            assert_eq!(steps_in(&path), expected, "cut off at {length}");
        }
    }

    #[test]
    fn a_run_without_a_table_yet_resumes_with_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        let mut log = Table::<EpisodeRow>::resume(path.clone(), 500).unwrap();
        log.push(&row(1, 600));
        log.flush(&Screen::quiet());
        assert_eq!(steps_in(&path), [600]);
    }

    #[test]
    fn a_table_with_other_columns_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        fs::write(&path, "r,l,t\n1,2,3\n").unwrap();
        let error = Table::<EpisodeRow>::resume(path.clone(), 0)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"r,l,t\"") && error.contains("episode,step"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "r,l,t\n1,2,3\n");
    }
}
