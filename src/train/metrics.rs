//! The scalars of a run, under the names that TensorBoard users know.
//!
//! | tag | meaning |
//! | --- | --- |
//! | `rollout/ep_rew_mean` | mean raw score of the last 100 games |
//! | `rollout/ep_len_mean` | their mean length, agent steps |
//! | `charts/episodic_return` | raw score of each game, at the step where it ended |
//! | `charts/episodic_length` | length of each game, agent steps |
//! | `time/steps_per_s` | agent steps per second over the last 10 s |
//! | `time/frames_per_s` | the same in emulator frames |
//! | `time/<part>_fraction` | share of the learner's thread; the parts stand where the algorithm is driven |
//! | `train/...` | means over the updates since the last row; they, too, stand there |
//! | `train/n_updates` | updates so far |

use std::time::Duration;

use crate::run::episode_stats::EpisodeStats;
use crate::run::scalars::Scalars;

/// A row of scalars.
pub(crate) struct Row<'a> {
    /// Agent steps.
    pub(crate) step: u64,
    /// Updates so far.
    pub(crate) updates: u64,
    /// The last games.
    pub(crate) stats: &'a EpisodeStats,
    /// Since the last row.
    pub(crate) means: &'a [(&'static str, f64)],
    /// Since the last row.
    pub(crate) time: &'a [(&'static str, Duration)],
    /// Over the last 10 s.
    pub(crate) steps_per_s: Option<f64>,
    /// Frames in a step.
    pub(crate) frame_skip: u32,
}

impl Row<'_> {
    /// Adds the row to the event file.
    pub(crate) fn write(&self, scalars: &mut Scalars) {
        let mut add = |tag: &str, value: f64| scalars.add_scalar(tag, value, self.step);
        if let (Some(score), Some(length)) =
            (self.stats.mean_score(), self.stats.mean_length_steps())
        {
            add("rollout/ep_rew_mean", score);
            add("rollout/ep_len_mean", length);
        }
        if let Some(rate) = self.steps_per_s {
            add("time/steps_per_s", rate);
            add("time/frames_per_s", rate * f64::from(self.frame_skip));
        }
        let total: f64 = self.time.iter().map(|(_, part)| part.as_secs_f64()).sum();
        for (name, part) in self.time {
            add(&format!("time/{name}_fraction"), part.as_secs_f64() / total);
        }
        for (tag, mean) in self.means {
            add(tag, *mean);
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 updates")]
        add("train/n_updates", self.updates as f64);
    }
}
