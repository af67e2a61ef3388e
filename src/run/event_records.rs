//! The framing of TensorBoard's event files: a sequence of records, each a serialized `Event`.
//!
//! ```text
//! | length u64 | masked CRC of length u32 | length bytes | masked CRC of bytes u32 |    little-endian
//! ```
//!
//! The format is `TFRecord`; framing and checksum come from tensorboard-rs. What it lacks is here: to read records, and to
//! cut a file back to a step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protobuf::Message;
use tensorboard_proto::event::Event;
use tensorboard_rs::masked_crc32c::masked_crc32c;
use tensorboard_rs::record_writer::RecordWriter;

use super::atomic::write_whole;

const N_HEADER_BYTES: usize = 12;
const N_FOOTER_BYTES: usize = 4;

/// How the names of event files begin; TensorBoard looks for `tfevents` in them.
const PREFIX: &str = "events.out.tfevents.";

/// The record that holds `event`.
pub(crate) fn record_of(event: &Event) -> Vec<u8> {
    let message = event
        .write_to_bytes()
        .expect("an event has no required fields that could be missing");
    let mut record = Vec::with_capacity(message.len() + N_HEADER_BYTES + N_FOOTER_BYTES);
    RecordWriter::new(&mut record)
        .write(&message)
        .expect("writing to memory cannot fail");
    record
}

/// The whole records at the beginning of a file: each with its bytes, framing included, and its event.
///
/// Ends at the first record that is cut off or damaged. So does TensorBoard.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records in the contents of an event file.
    pub(crate) fn new(contents: &'a [u8]) -> Self {
        Self { rest: contents }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], Event);

    fn next(&mut self) -> Option<Self::Item> {
        let length = self.rest.get(..8)?;
        if crc_at(self.rest, 8)? != masked_crc32c(length) {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let footer_at = length.checked_add(N_HEADER_BYTES)?;
        let message = self.rest.get(N_HEADER_BYTES..footer_at)?;
        if crc_at(self.rest, footer_at)? != masked_crc32c(message) {
            return None;
        }
        let event = Event::parse_from_bytes(message).ok()?;
        let (record, rest) = self.rest.split_at(footer_at + N_FOOTER_BYTES);
        self.rest = rest;
        Some((record, event))
    }
}

fn crc_at(bytes: &[u8], at: usize) -> Option<u32> {
    let crc = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(crc.try_into().ok()?))
}

/// Cuts all event files of `dir` back to `step`: later events go, and so does a record that a kill cut off.
///
/// What stays keeps its bytes and its order, so that a TensorBoard that has the file open is not confused.
///
/// # Errors
/// When a file cannot be read or written; each file is the old or the new one then.
pub(crate) fn cut_after(dir: &Path, step: u64) -> io::Result<()> {
    for path in event_files(dir)? {
        let contents = fs::read(&path)?;
        let kept: Vec<u8> = Records::new(&contents)
            .filter(|(_, event)| u64::try_from(event.step).is_ok_and(|at| at <= step))
            .flat_map(|(record, _)| record)
            .copied()
            .collect();
        if kept != contents {
            write_whole(&path, &kept)?;
        }
    }
    Ok(())
}

/// The path of a new event file in `dir`, sorted behind those that are there.
///
/// TensorBoard reads the files of a run in the order of their names, and the time in the name is what orders them. So it
/// never stands still, even if the clock does or goes back. `now` is in seconds since 1970.
pub(crate) fn new_event_file(dir: &Path, now: u64) -> PathBuf {
    let times = event_files(dir)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            name.strip_prefix(PREFIX)?
                .split('.')
                .next()?
                .parse::<u64>()
                .ok()
        });
    let time = times.max().map_or(now, |last| now.max(last + 1));
    dir.join(format!("{PREFIX}{time:010}.rlrun"))
}

/// The event files of `dir`, oldest first.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn event_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: i64) -> Event {
        let mut event = Event::new();
        event.set_step(step);
        event.set_wall_time(1.5);
        event
    }

    fn contents(steps: &[i64]) -> Vec<u8> {
        steps
            .iter()
            .flat_map(|&step| record_of(&event(step)))
            .collect()
    }

    fn steps(contents: &[u8]) -> Vec<i64> {
        Records::new(contents)
            .map(|(_, event)| event.step)
            .collect()
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let contents = contents(&[0, 5, i64::MAX]);
        assert_eq!(steps(&contents), [0, 5, i64::MAX]);
        assert_eq!(
            Records::new(&contents)
                .flat_map(|(record, _)| record)
                .count(),
            contents.len()
        );
    }

    #[test]
    fn a_file_cut_off_anywhere_is_read_up_to_its_last_whole_record() {
        let whole = contents(&[1, 2, 3]);
        let n_record_bytes = whole.len() / 3;
        for length in 0..whole.len() {
            assert_eq!(steps(&whole[..length]).len(), length / n_record_bytes);
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_reading_and_is_no_panic() {
        let whole = contents(&[1, 2, 3]);
        for index in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[index] ^= 1 << bit;
                assert_eq!(steps(&flipped).len(), index / (whole.len() / 3));
            }
        }
    }

    #[test]
    fn cutting_drops_later_events_in_every_file_and_keeps_the_rest_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = ["1.a", "2.b"].map(|name| dir.path().join(format!("{PREFIX}{name}")));
        fs::write(&first, contents(&[0, 10, 20, 30])).unwrap();
        fs::write(
            &second,
            [contents(&[25, 40]), contents(&[50])[..9].to_vec()].concat(),
        )
        .unwrap();
        fs::write(dir.path().join("plan.toml"), "untouched").unwrap();
        cut_after(dir.path(), 25).unwrap();
        assert_eq!(fs::read(&first).unwrap(), contents(&[0, 10, 20]));
        assert_eq!(fs::read(&second).unwrap(), contents(&[25]));
        assert_eq!(
            fs::read_to_string(dir.path().join("plan.toml")).unwrap(),
            "untouched"
        );
    }

    #[test]
    fn a_new_file_sorts_behind_the_old_ones_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for now in [1_700_000_000, 1_700_000_000, 5] {
            let path = new_event_file(dir.path(), now);
            fs::write(&path, "").unwrap();
            paths.push(path);
        }
        assert!(paths.is_sorted());
        assert_eq!(event_files(dir.path()).unwrap(), paths);
    }
}
