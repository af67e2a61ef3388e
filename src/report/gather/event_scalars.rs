//! Reads the scores of a run from TensorBoard's event files, as CleanRL, SB3 and rlrun write them.
//!
//! ```text
//! first start   |--.--.--.--.--.--x        . a score, x a kill: the file may be cut off
//! second start           |--.--.--.--|     what it plays again counts, and the first one up to where it begins
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use tensorboard_proto::event::Event;
use tensorboard_proto::summary::{Summary_Value, Summary_Value_oneof_value};

use super::History;
use crate::run::event_records::{Records, event_files};

/// The score of each game; CleanRL and rlrun.
const RETURN: &str = "charts/episodic_return";
/// The mean score of the last 100 games; SB3 and rlrun.
const MEAN: &str = "rollout/ep_rew_mean";
/// Beginnings of the tags whose steps are those of the training; evaluations at its end count games instead.
const OF_TRAINING: [&str; 5] = ["charts/", "losses/", "rollout/", "train/", "time/"];

/// What event files tell.
#[derive(Debug)]
pub(super) struct Scalars {
    /// Games where they are logged, else means.
    pub(super) history: History,
    /// Agent steps as far as any scalar of the training tells them: the last game of a run ends before its last step.
    pub(super) steps: u64,
    /// Wall seconds from the making of each file to its last scalar of the training.
    pub(super) wall_seconds: f64,
    /// What was wrong with the files.
    pub(super) notes: Vec<String>,
}

/// The event files of a folder, or the one that is named itself.
pub(super) fn files_of(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    event_files(path).unwrap_or_default()
}

/// Reads the event files of one run. A file is used up to the first record that is cut off or damaged.
///
/// # Errors
/// Why there is nothing to read.
pub(super) fn read(files: &[PathBuf]) -> Result<Scalars, String> {
    let (mut so_far, mut notes) = (Start::default(), Vec::new());
    for file in files {
        let contents = fs::read(file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let mut records = Records::new(&contents);
        let mut start = Start::default();
        for (_, event) in &mut records {
            start.add(&event);
        }
        if records.n_bytes_left() > 0 {
            notes.push(format!(
                "Its event file is cut off or damaged {} bytes before its end; what comes before is used.",
                records.n_bytes_left()
            ));
        }
        let n_again = so_far.go_on(start);
        if n_again > 0 {
            notes.push(format!(
                "{n_again} of its scores are left out: a later start took the same steps again."
            ));
        }
    }
    let Start {
        returns,
        means,
        last_step,
        wall_seconds,
        ..
    } = so_far;
    let (mut scores, kind): (Vec<(u64, f64)>, fn(_) -> _) = if returns.is_empty() {
        (means, History::Means)
    } else {
        (returns, History::Games)
    };
    if scores.is_empty() {
        return Err(format!("its event files have neither {RETURN} nor {MEAN}"));
    }
    scores.sort_by_key(|&(step, _)| step);
    Ok(Scalars {
        history: kind(scores),
        steps: last_step,
        wall_seconds,
        notes,
    })
}

/// What one start of a run logged, or several of them joined.
#[derive(Debug, Default)]
struct Start {
    returns: Vec<(u64, f64)>,
    means: Vec<(u64, f64)>,
    last_step: u64,
    /// Wall time at which the file was made.
    began: Option<f64>,
    /// Wall seconds from then to its last scalar.
    wall_seconds: f64,
}

impl Start {
    fn add(&mut self, event: &Event) {
        let values = event.get_summary().get_value();
        let is_of_training = |value: &Summary_Value| {
            let tag = value.get_tag();
            OF_TRAINING.iter().any(|family| tag.starts_with(family))
        };
        // A file that was copied by another writer may say that it is younger than what it tells of.
        let began = event.wall_time.min(self.began.unwrap_or(f64::INFINITY));
        self.began = Some(began);
        let step = u64::try_from(event.step).ok();
        let Some(step) = step.filter(|_| values.iter().any(is_of_training)) else {
            return;
        };
        self.last_step = self.last_step.max(step);
        self.wall_seconds = self.wall_seconds.max(event.wall_time - began);
        for value in values {
            let scores = match value.get_tag() {
                RETURN => &mut self.returns,
                MEAN => &mut self.means,
                _ => continue,
            };
            if let Some(score) = scalar(value).filter(|score| score.is_finite()) {
                scores.push((step, score));
            }
        }
    }

    /// Joins what the next start logged, which may have gone back some steps. Returns how many scores that leaves out.
    fn go_on(&mut self, next: Self) -> usize {
        let first = |scores: &[(u64, f64)]| scores.iter().map(|&(step, _)| step).min();
        let Some(from) = first(&next.returns)
            .into_iter()
            .chain(first(&next.means))
            .min()
        else {
            // It has no score, as a file of evaluations.
            return 0;
        };
        let is_again = |score: &mut (u64, f64)| score.0 >= from;
        let n_again = self.returns.extract_if(.., is_again).count()
            + self.means.extract_if(.., is_again).count();
        self.returns.extend(next.returns);
        self.means.extend(next.means);
        self.last_step = next.last_step;
        self.wall_seconds += next.wall_seconds;
        n_again
    }
}

/// The value of a scalar: a plain number, or a tensor of one number as TensorFlow 2 writes it.
fn scalar(value: &Summary_Value) -> Option<f64> {
    match value.value.as_ref()? {
        Summary_Value_oneof_value::simple_value(number) => Some(f64::from(*number)),
        Summary_Value_oneof_value::tensor(tensor) => {
            let content = <[u8; 4]>::try_from(tensor.get_tensor_content()).map(f32::from_le_bytes);
            let number = tensor.get_float_val().first().copied().or(content.ok())?;
            Some(f64::from(number))
        }
        _ => None,
    }
}
