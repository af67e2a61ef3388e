//! What a run came to: `summary.json`, and the last words on the screen.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::config::grouped;
use crate::run::checkpoint_meta::BestEvaluation;
use crate::run::progress::human_time;

/// What stands in `summary.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    /// Canonical name.
    pub(crate) game: &'a str,
    /// Name of the algorithm.
    pub(crate) agent: String,
    /// Kind of the torso.
    pub(crate) torso: String,
    /// Name of the protocol.
    pub(crate) protocol: String,
    /// The master seed.
    pub(crate) seed: u64,
    /// Agent steps, all environments together.
    pub(crate) steps: u64,
    /// Optimizer steps.
    pub(crate) updates: u64,
    /// Finished games.
    pub(crate) games: u64,
    /// Mean raw score of the last 100 games, or of all if there were fewer.
    pub(crate) mean_score_last_100: Option<f64>,
    /// The best mean of 100 games in a row.
    pub(crate) best_mean_score: Option<f64>,
    /// The evaluation beside the training with the best mean.
    pub(crate) best_evaluation: Option<BestEvaluation>,
    /// Wall seconds of training, all processes of the run together.
    pub(crate) wall_seconds: f64,
    /// Of the network's parameters, in order.
    pub(crate) weights_sha256: String,
}

impl Summary<'_> {
    /// The summary for a person, with the speed of this process in agent steps a second.
    pub(crate) fn in_words(&self, steps_per_second: f64, folder: &Path) -> String {
        let mean =
            |value: Option<f64>| value.map_or("none".to_owned(), |mean| format!("{mean:.1}"));
        format!(
            "finished {} {}-{} seed {}: {} steps in {} ({steps_per_second:.0} steps/s)\n\
             games {}, mean score of the last 100 {}, best mean of 100 {}{}\n\
             weights sha256 {}\n\
             run folder {}",
            self.game,
            self.agent,
            self.torso,
            self.seed,
            grouped(self.steps),
            human_time(Duration::from_secs_f64(self.wall_seconds)),
            grouped(self.games),
            mean(self.mean_score_last_100),
            mean(self.best_mean_score),
            self.best_evaluation.map_or(String::new(), |best| format!(
                ", best evaluation {:.1} at step {}",
                best.mean_score,
                grouped(best.step)
            )),
            self.weights_sha256,
            folder.display(),
        )
    }
}
