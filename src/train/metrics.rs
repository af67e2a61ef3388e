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
//! | `time/inference_fraction` | share of the learner's thread choosing actions and bootstrapping |
//! | `time/env_wait_fraction` | ... waiting for environments |
//! | `time/copy_fraction` | ... moving observations into the rollout |
//! | `time/gradient_fraction` | ... computing returns and its share of the gradient |
//! | `time/worker_wait_fraction` | ... waiting for other workers |
//! | `time/apply_fraction` | ... summing, clipping and applying gradients |
//! | `train/policy_loss` | - mean of log pi(a\|s) (R - V(s)); train/* are means over the updates since the last row |
//! | `train/value_loss` | mean of (R - V(s))^2 |
//! | `train/entropy` | mean entropy of the policy, nats |
//! | `train/explained_variance` | 1 - Var(R - V) / Var(R) |
//! | `train/grad_norm` | global norm of the gradient before clipping |
//! | `train/learning_rate` | step size of the last update |
//! | `train/n_updates` | updates so far |

use rlrun_agents::a2c::UpdateStats;

use super::learner::LearnerTime;
use crate::run::episode_stats::EpisodeStats;
use crate::run::scalars::Scalars;

/// Means over the updates since the last row.
#[derive(Debug, Default)]
pub(crate) struct UpdateMeans {
    n_updates: u32,
    policy_loss: f64,
    value_loss: f64,
    entropy: f64,
    grad_norm: f64,
    n_explained: f64,
    explained_variance: f64,
    learning_rate: f64,
}

impl UpdateMeans {
    /// Whether there was no update.
    pub(crate) fn is_empty(&self) -> bool {
        self.n_updates == 0
    }

    /// Takes in an update.
    pub(crate) fn add(&mut self, stats: &UpdateStats) {
        self.n_updates += 1;
        self.policy_loss += stats.policy_loss;
        self.value_loss += stats.value_loss;
        self.entropy += stats.entropy;
        self.grad_norm += stats.grad_norm;
        // It has no value where all returns are equal, as before the first reward.
        if stats.explained_variance.is_finite() {
            self.n_explained += 1.0;
            self.explained_variance += stats.explained_variance;
        }
        self.learning_rate = stats.learning_rate;
    }
}

/// A row of scalars.
pub(crate) struct Row<'a> {
    /// Agent steps.
    pub(crate) step: u64,
    /// Updates so far.
    pub(crate) updates: u64,
    /// The last games.
    pub(crate) stats: &'a EpisodeStats,
    /// Since the last row.
    pub(crate) means: &'a UpdateMeans,
    /// Since the last row.
    pub(crate) time: &'a LearnerTime,
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
        let parts = self.time.parts();
        let total: f64 = parts.iter().map(|(_, part)| part.as_secs_f64()).sum();
        for (name, part) in parts {
            add(&format!("time/{name}_fraction"), part.as_secs_f64() / total);
        }
        let means = self.means;
        if !means.is_empty() {
            let n = f64::from(means.n_updates);
            add("train/policy_loss", means.policy_loss / n);
            add("train/value_loss", means.value_loss / n);
            add("train/entropy", means.entropy / n);
            add("train/grad_norm", means.grad_norm / n);
            add("train/learning_rate", means.learning_rate);
        }
        if means.n_explained > 0.0 {
            add(
                "train/explained_variance",
                means.explained_variance / means.n_explained,
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 updates")]
        add("train/n_updates", self.updates as f64);
    }
}
