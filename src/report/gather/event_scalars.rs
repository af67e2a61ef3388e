//! Reads one scalar from TensorBoard's event files, as CleanRL, SB3 and rlrun write them.

use std::fs;
use std::path::{Path, PathBuf};

use tensorboard_proto::summary::{Summary_Value, Summary_Value_oneof_value};

use super::History;
use crate::run::event_records::{Records, event_files};

/// The score of each game; CleanRL and rlrun.
const RETURN: &str = "charts/episodic_return";
/// The mean score of the last 100 games; SB3 and rlrun.
const MEAN: &str = "rollout/ep_rew_mean";

/// What event files tell.
#[derive(Debug)]
pub(super) struct Scalars {
    /// Games where they are logged, else means.
    pub(super) history: History,
    /// Wall seconds from the first point to the last.
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
    let (mut returns, mut means, mut notes) = (Points::default(), Points::default(), Vec::new());
    for file in files {
        let contents = fs::read(file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let mut records = Records::new(&contents);
        for (_, event) in &mut records {
            for value in event.get_summary().get_value() {
                match value.get_tag() {
                    RETURN => returns.add(&event, value),
                    MEAN => means.add(&event, value),
                    _ => {}
                }
            }
        }
        if records.n_bytes_left() > 0 {
            notes.push(format!(
                "Its event file is cut off or damaged {} bytes before its end; what comes before is used.",
                records.n_bytes_left()
            ));
        }
    }
    let (points, kind): (Points, fn(_) -> _) = if returns.scores.is_empty() {
        (means, History::Means)
    } else {
        (returns, History::Games)
    };
    let wall_seconds = points.seconds.1 - points.seconds.0;
    let mut scores = points.scores;
    if scores.is_empty() {
        return Err(format!("its event files have neither {RETURN} nor {MEAN}"));
    }
    scores.sort_by_key(|&(step, _)| step);
    Ok(Scalars {
        history: kind(scores),
        wall_seconds,
        notes,
    })
}

#[derive(Default)]
struct Points {
    scores: Vec<(u64, f64)>,
    /// Wall time of the first and the last point.
    seconds: (f64, f64),
}

impl Points {
    fn add(&mut self, event: &tensorboard_proto::event::Event, value: &Summary_Value) {
        let (Ok(step), Some(score)) = (u64::try_from(event.step), scalar(value)) else {
            return;
        };
        if self.scores.is_empty() {
            self.seconds.0 = event.wall_time;
        }
        self.seconds.1 = event.wall_time;
        if score.is_finite() {
            self.scores.push((step, score));
        }
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
