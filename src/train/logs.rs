//! What a run writes down while it goes on: the tables of its games, the scalars for TensorBoard, and the flight recorder.

use anyhow::{Context, Result};

use super::evaluation::Evaluation;
use super::games::FinishedGame;
use super::hparams;
use super::restore::Restored;
use super::training::Training;
use crate::plan::Plan;
use crate::run::folder::RunFolder;
use crate::run::recorder::Recorder;
use crate::run::rows::{EpisodeRow, EvaluationRow};
use crate::run::scalars::Scalars;
use crate::run::screen::Screen;
use crate::run::table::Table;

/// The logs of a run. None of them ever ends it.
pub(super) struct Logs {
    /// For TensorBoard.
    pub(super) scalars: Scalars,
    /// For whoever wants to watch a game again.
    recorder: Recorder,
    episodes: Table<EpisodeRow>,
    evaluations: Table<EvaluationRow>,
}

impl Logs {
    /// Those of a new run.
    pub(super) fn create(folder: &RunFolder, plan: &Plan) -> Self {
        let mut scalars = Scalars::create(folder.path());
        scalars.add_text("plan", &format!("```toml\n{}```", plan.to_toml()), 0);
        scalars.add_hparams(
            &hparams::columns(),
            &hparams::METRICS,
            &hparams::values(plan),
        );
        Self {
            scalars,
            recorder: Recorder::create(folder.recorder(), plan.env.n_envs),
            episodes: Table::create(folder.episodes_csv()),
            evaluations: Table::create(folder.evaluations_csv()),
        }
    }

    /// Those of a run that goes on from what was restored: what they say of later steps is cut off, and of evaluations what
    /// the restored players play anew.
    ///
    /// # Errors
    /// If it cannot be cut off.
    pub(super) fn resume(restored: &Restored, screen: &Screen) -> Result<Self> {
        let Restored {
            folder,
            players,
            resumption,
            ..
        } = restored;
        let step = restored.meta.steps;
        let last_evaluation = players
            .first()
            .map_or(step, |player| player.step.saturating_sub(1));
        let recorder = Recorder::resume(
            folder.recorder(),
            step,
            resumption.recorder_tail.as_deref(),
            &resumption.recordings,
            screen,
        )
        .context("cutting the flight recorder back to the checkpoint")?;
        Ok(Self {
            scalars: Scalars::resume(folder.path(), step, Some(("eval/", last_evaluation)))
                .context("cutting the TensorBoard events back to the checkpoint")?,
            recorder,
            episodes: Table::resume(folder.episodes_csv(), step)?,
            evaluations: Table::resume(folder.evaluations_csv(), last_evaluation)?,
        })
    }

    /// A game of the training; `episode` is its number.
    pub(super) fn add_game(
        &mut self,
        game: &FinishedGame,
        episode: u64,
        frame_skip: u32,
        wall_seconds: f64,
    ) {
        self.episodes.push(&EpisodeRow {
            episode,
            step: game.step,
            env: game.env,
            score: game.score,
            length_steps: game.length_steps,
            length_frames: game.length_steps * u64::from(frame_skip),
            wall_seconds,
        });
        self.scalars
            .add_scalar("charts/episodic_return", game.score, game.step);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a game is far shorter than 2^52 steps"
        )]
        let length = game.length_steps as f64;
        self.scalars
            .add_scalar("charts/episodic_length", length, game.step);
    }

    /// The games of an evaluation.
    pub(super) fn add_evaluation(&mut self, evaluation: &Evaluation) {
        let step = evaluation.step;
        for (game, result) in (1..).zip(&evaluation.games) {
            self.evaluations.push(&EvaluationRow {
                game,
                step,
                score: result.score,
                length_steps: result.length_steps,
            });
        }
        for (tag, value) in evaluation.named() {
            self.scalars.add_scalar(tag, value, step);
        }
    }

    /// Lets the flight recorder write a block if one is due.
    pub(super) fn record_when_due(&mut self, training: &dyn Training, screen: &Screen) {
        if self.recorder.is_due(training.step()) {
            self.recorder.add(training.take_new(), training.step());
            self.recorder.write_block(screen);
        }
    }

    /// What a checkpoint of now holds of the flight recorder.
    pub(super) fn recorder_tail(&mut self, training: &dyn Training) -> Option<Vec<u8>> {
        self.recorder.add(training.take_new(), training.step());
        self.recorder.tail()
    }

    /// Lets the flight recorder write what waits, once the last checkpoint is saved.
    pub(super) fn close_recorder(&mut self, screen: &Screen) {
        self.recorder.close(screen);
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, screen: &Screen) {
        self.scalars.flush(screen);
        self.episodes.flush(screen);
        self.evaluations.flush(screen);
    }
}
