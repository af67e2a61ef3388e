//! How far a run is, read from the TensorBoard events that its process writes: no other file has step, score and speed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use tensorboard_proto::event::Event;

use crate::run::event_records::{Records, event_files};

/// What was last read of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// Agent steps.
    pub(super) step: u64,
    /// Mean raw score of the last 100 games.
    pub(super) mean_score: Option<f64>,
    /// Agent steps a second over the last 10 s.
    pub(super) steps_per_s: Option<f64>,
}

/// Follows the events of one process.
#[derive(Debug)]
pub(super) struct Watch {
    dir: PathBuf,
    /// The newest file from before the process.
    before: Option<PathBuf>,
    /// The file that is being read, and how far it was.
    current: Option<(PathBuf, u64)>,
    reading: Reading,
}

impl Watch {
    /// Follows a process that is about to start in the run folder `dir`, at `step`.
    pub(super) fn new(dir: PathBuf, step: u64) -> Self {
        Self {
            before: newest(&dir),
            dir,
            current: None,
            reading: Reading {
                step,
                ..Reading::default()
            },
        }
    }

    /// What was last read.
    pub(super) fn reading(&self) -> Reading {
        self.reading
    }

    /// Reads what is new. A file that cannot be read is looked at again the next time.
    pub(super) fn look(&mut self) {
        let newest = newest(&self.dir);
        let Some(path) = newest.filter(|newest| Some(newest) != self.before.as_ref()) else {
            return;
        };
        let offset = match &self.current {
            Some((current, offset)) if *current == path => *offset,
            _ => 0,
        };
        let bytes = read_from(&path, offset).unwrap_or_default();
        let mut n_read = 0;
        for (record, event) in Records::new(&bytes) {
            n_read += record.len() as u64;
            self.note(&event);
        }
        self.current = Some((path, offset + n_read));
    }

    fn note(&mut self, event: &Event) {
        let step = u64::try_from(event.step).unwrap_or(0);
        for value in event.get_summary().get_value() {
            let number = f64::from(value.get_simple_value());
            match value.get_tag() {
                "rollout/ep_rew_mean" => self.reading.mean_score = Some(number),
                "time/steps_per_s" => self.reading.steps_per_s = Some(number),
                // Stands in every row, and an evaluation's values come later than the step they are of.
                "train/n_updates" => self.reading.step = step,
                _ => {}
            }
        }
    }
}

fn newest(dir: &std::path::Path) -> Option<PathBuf> {
    event_files(dir).ok()?.pop()
}

fn read_from(path: &std::path::Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    use super::*;
    use crate::run::scalars::Scalars;
    use crate::run::screen::Screen;

    fn row(scalars: &mut Scalars, step: u64, mean: f64) {
        scalars.add_scalar("rollout/ep_rew_mean", mean, step);
        scalars.add_scalar("time/steps_per_s", 100.0, step);
        scalars.add_scalar("train/n_updates", 1.0, step);
        scalars.flush(&Screen::quiet());
    }

    #[test]
    fn the_last_row_is_read_also_when_a_record_is_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(dir.path().to_owned(), 0);
        watch.look();
        assert_eq!(watch.reading(), Reading::default());
        let mut scalars = Scalars::create(dir.path());
        row(&mut scalars, 80, 1.5);
        watch.look();
        let expected = Reading {
            step: 80,
            mean_score: Some(1.5),
            steps_per_s: Some(100.0),
        };
        assert_eq!(watch.reading(), expected);

        row(&mut scalars, 160, 2.5);
        let path = newest(dir.path()).unwrap();
        let whole = fs::read(&path).unwrap();
        let (early, late) = whole.split_at(whole.len() - 7);
        fs::write(&path, early).unwrap();
        watch.look();
        assert_eq!(
            (watch.reading().step, watch.reading().mean_score),
            (80, Some(2.5))
        );
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(late).unwrap();
        watch.look();
        assert_eq!(watch.reading().step, 160);
    }

    #[test]
    fn a_resumed_run_is_where_its_checkpoint_is_until_its_own_first_row() {
        let dir = tempfile::tempdir().unwrap();
        row(&mut Scalars::create(dir.path()), 160, 1.0);
        let mut watch = Watch::new(dir.path().to_owned(), 120);
        watch.look();
        assert_eq!(watch.reading().step, 120);
        row(
            &mut Scalars::resume(dir.path(), 120, None).unwrap(),
            200,
            3.0,
        );
        watch.look();
        assert_eq!(
            (watch.reading().step, watch.reading().mean_score),
            (200, Some(3.0))
        );
    }
}
