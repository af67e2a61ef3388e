//! Reads the table of finished games, also of a run that is still training.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::rows::EpisodeRow;

/// Why a table of games cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EpisodesError {
    /// It is not there, or may not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The table.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// A row or the header is not as it was written.
    #[error("{path}: {source}")]
    Damaged {
        /// The table.
        path: PathBuf,
        /// What is wrong, and where.
        source: csv::Error,
    },
}

/// The finished games of a run in the order in which they ended; none if there is no table yet.
///
/// A last row without its end is left out: it is just being written, or was when the run was killed.
///
/// # Errors
/// See [`EpisodesError`].
pub(crate) fn read_episodes(path: &Path) -> Result<Vec<EpisodeRow>, EpisodesError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            let path = path.to_owned();
            return Err(EpisodesError::Io { path, source });
        }
    };
    let n_whole = { bytes.iter() }
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    let rows = csv::Reader::from_reader(&bytes[..n_whole]).into_deserialize();
    rows.collect::<Result<_, _>>()
        .map_err(|source| EpisodesError::Damaged {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::table::Row as _;

    fn row(episode: u64) -> EpisodeRow {
        EpisodeRow {
            episode,
            step: episode * 80,
            env: 3,
            score: -20.5,
            length_steps: 600,
            length_frames: 2_397,
            wall_seconds: 1.5,
        }
    }

    #[test]
    fn whole_rows_are_read_and_a_row_cut_off_anywhere_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        assert!(read_episodes(&path).unwrap().is_empty());
        let text: String = [1, 2].map(|episode| row(episode).line()).concat();
        let text = format!("{}{text}", EpisodeRow::HEADER);
        for length in 0..=text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let n_rows = text[..length].matches('\n').count().saturating_sub(1);
            let expected: Vec<_> = (1..=2).map(row).take(n_rows).collect();
            assert_eq!(
                read_episodes(&path).unwrap(),
                expected,
                "cut off at {length}"
            );
        }
    }

    #[test]
    fn another_table_is_refused_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.csv");
        for text in [
            "r,l,t\n1,2,3\n",
            &format!("{}1,many,3,1,2,3,4\n", EpisodeRow::HEADER),
        ] {
            fs::write(&path, text).unwrap();
            let error = read_episodes(&path).unwrap_err().to_string();
            assert!(error.contains("episodes.csv: "), "{error}");
        }
        assert!(read_episodes(dir.path()).is_err());
    }
}
