//! The end of a run: what is saved, and what is said.

use anyhow::{Context, Result};

use super::{Ending, Session};
use crate::cli;
use crate::config::grouped;
use crate::run::checkpoint::weights_sha256;
use crate::train::summary::Summary;
use crate::train::training::Training;

impl Session<'_> {
    /// Saves what there is, and says how the run ended.
    ///
    /// # Errors
    /// Those of the training.
    pub(super) fn close(
        mut self,
        training: &mut dyn Training,
        ending: Result<Ending>,
    ) -> Result<()> {
        self.progress.finish();
        // A run that goes on writes its next row where it would have been without the stop, so this comes before the last row.
        let saved = if training.is_whole() {
            self.save_checkpoint(training)
        } else {
            Ok(())
        };
        self.logs.close_recorder(self.progress.screen());
        if matches!(ending, Ok(Ending::Finished)) && training.step() > self.last_row {
            self.write_row(training);
        }
        let dir = self.folder.path().display().to_string();
        let how_to_resume = format!("go on with: rlrun --resume {dir}");
        let step = grouped(training.step());
        match ending {
            Ok(Ending::Finished) => {
                saved.with_context(|| {
                    format!(
                        "training reached its end, but the result is not saved; make room, then {how_to_resume}"
                    )
                })?;
                let summary = self.summary(training)?;
                if let Err(error) = self.folder.write_summary(&summary) {
                    self.progress.screen().warn(&error.to_string());
                }
                let rate = self.steps_per_second(training.step());
                cli::print(&summary.in_words(rate, self.folder.path()));
                Ok(())
            }
            Ok(Ending::Stopped) => {
                if let Err(error) = saved {
                    self.progress.screen().warn(&format!("{error:#}"));
                }
                self.progress.screen().warn(&format!(
                    "stopped at step {step}, saved up to {}; {how_to_resume}",
                    self.saved_up_to()
                ));
                Ok(())
            }
            Err(error) => Err(error.context(format!(
                "the run failed at step {step}, saved up to {}; mend the cause, then {how_to_resume}",
                self.saved_up_to()
            ))),
        }
    }

    /// The step of the newest checkpoint, for a message.
    fn saved_up_to(&self) -> String {
        self.saved_step.map_or_else(
            || "nothing".to_owned(),
            |step| format!("step {}", grouped(step)),
        )
    }

    /// # Errors
    /// If the weights could not be copied from their device.
    fn summary(&self, training: &dyn Training) -> Result<Summary<'_>> {
        Ok(Summary {
            game: &self.plan.game,
            agent: self.plan.agent.kind().to_string(),
            torso: self.plan.torso.kind.to_string(),
            protocol: self.plan.protocol.to_string(),
            seed: self.plan.seed,
            steps: training.step(),
            updates: training.updates(),
            games: self.stats.n_games(),
            mean_score_last_100: self.stats.mean_score(),
            best_mean_score: self.stats.best_mean_score(),
            best_evaluation: self.best_evaluation,
            wall_seconds: self.clock.seconds(),
            weights_sha256: weights_sha256(&training.weights())?,
        })
    }

    /// Agent steps a second, since this process started or resumed the run.
    fn steps_per_second(&self, step: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
        let steps = (step - self.first_step) as f64;
        steps / self.clock.seconds_of_this_process()
    }
}
