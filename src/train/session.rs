//! A run with its folder: trains until the plan is fulfilled, a stop is asked for, or an actor fails.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rlrun_envs::EnvSpec;

use super::evaluation::{Evaluation, Evaluator, Player};
use super::games::FinishedGame;
use super::logs::Logs;
use super::metrics::Row;
use super::restore::{Restored, identity};
use super::resumption;
use super::summary::Summary;
use super::training::Training;
use crate::cli;
use crate::config::grouped;
use crate::plan::{Plan, Threading};
use crate::run::checkpoint::{Checkpoint, weights_sha256};
use crate::run::checkpoint_meta::{BestEvaluation, CheckpointMeta};
use crate::run::checkpoint_store::{save, save_best};
use crate::run::clock::RunClock;
use crate::run::episode_stats::{BestMean, EpisodeStats, GameResult};
use crate::run::folder::RunFolder;
use crate::run::progress::Progress;
use crate::run::screen::Verbosity;
use crate::run::stop::StopFlag;

/// Between two looks at whether a stop is asked for, while only games are waited for.
const STOP_INTERVAL: Duration = Duration::from_millis(20);
/// Between two attempts to save before its time.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Why the training loop was left, when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The plan is fulfilled.
    Finished,
    /// Ctrl-C or SIGTERM.
    Stopped,
}

/// A run under way.
pub(super) struct Session<'a> {
    plan: &'a Plan,
    spec: EnvSpec,
    folder: RunFolder,
    stats: EpisodeStats,
    best_evaluation: Option<BestEvaluation>,
    /// Of the evaluation that is not over.
    player: Option<Rc<Player>>,
    logs: Logs,
    progress: Progress,
    clock: RunClock,
    stop: StopFlag,
    first_step: u64,
    /// Steps of the last and the next row of scalars.
    last_row: u64,
    next_row: u64,
    last_checkpoint: Instant,
    last_save_failed: bool,
    best_is_due: bool,
    /// Step of the newest checkpoint.
    saved_step: Option<u64>,
}

impl<'a> Session<'a> {
    /// A new run in `folder`.
    pub(super) fn create(
        plan: &'a Plan,
        spec: EnvSpec,
        folder: RunFolder,
        stop: StopFlag,
        verbosity: Verbosity,
    ) -> Self {
        let progress = Progress::new(plan.total_steps, 0, verbosity);
        progress
            .screen()
            .say(&format!("run folder {}", folder.path().display()));
        Self {
            stats: EpisodeStats::default(),
            best_evaluation: None,
            player: None,
            logs: Logs::create(&folder, plan),
            progress,
            clock: RunClock::start(0.0),
            stop,
            first_step: 0,
            last_row: 0,
            next_row: plan.run.log_interval_steps,
            last_checkpoint: Instant::now(),
            last_save_failed: false,
            best_is_due: false,
            saved_step: None,
            plan,
            spec,
            folder,
        }
    }

    /// A run that goes on from what was restored.
    ///
    /// # Errors
    /// When the logs cannot be cut back to the checkpoint.
    pub(super) fn resume(
        plan: &'a Plan,
        spec: EnvSpec,
        restored: Restored,
        stop: StopFlag,
        verbosity: Verbosity,
    ) -> Result<Self> {
        let Restored {
            folder,
            meta,
            player,
            ..
        } = restored;
        if meta.steps < plan.total_steps {
            folder.reopen(&plan.to_toml())?;
        }
        let progress = Progress::new(plan.total_steps, meta.steps, verbosity);
        progress.screen().say(&format!(
            "going on with {} at step {}",
            folder.path().display(),
            grouped(meta.steps)
        ));
        Ok(Self {
            stats: meta.episode_stats,
            best_evaluation: meta.best_evaluation,
            logs: Logs::resume(&folder, meta.steps, player.as_ref())?,
            player: player.map(Rc::new),
            progress,
            clock: RunClock::start(meta.wall_seconds),
            stop,
            first_step: meta.steps,
            last_row: meta.last_row,
            next_row: meta.last_row + plan.run.log_interval_steps,
            last_checkpoint: Instant::now(),
            last_save_failed: false,
            best_is_due: false,
            saved_step: Some(meta.steps),
            plan,
            spec,
            folder,
        })
    }

    /// Trains to whatever end, and closes the run.
    ///
    /// # Errors
    /// What ended the training before its time; a checkpoint is saved first.
    pub(super) fn run(mut self, training: &mut dyn Training, threading: Threading) -> Result<()> {
        if self.saved_step.is_none() {
            // A run that is killed before its first interval is over can be resumed too.
            self.save_or_warn(training);
        }
        let ending = thread::scope(|scope| {
            let (plan, step) = (self.plan, training.step());
            let mut evaluator = Evaluator::start(scope, plan, step, threading)?;
            self.train(training, &mut evaluator)
        });
        self.close(training, ending)
    }

    /// # Errors
    /// If a thread failed or training diverged.
    fn train(
        &mut self,
        training: &mut dyn Training,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<Ending> {
        if let Some(player) = &self.player {
            evaluator.begin(Rc::clone(player), training)?;
        }
        let checkpoint_interval = Duration::from_secs(self.plan.run.checkpoint_interval_seconds);
        while training.step() < self.plan.total_steps {
            if self.stop.is_requested() {
                return Ok(Ending::Stopped);
            }
            let games = training.advance()?;
            self.count_games(&games);
            let step = training.step();
            self.progress.update(step, self.stats.mean_score());
            self.count_evaluation(evaluator.look_in(training)?);
            self.player = evaluator.player().map(Rc::clone);
            if step >= self.next_row {
                self.write_row(training);
            }
            if self.last_checkpoint.elapsed() >= checkpoint_interval
                || (training.wants_checkpoint() && self.may_save_early())
            {
                self.save_or_warn(training);
            }
        }
        if self.player.is_some() {
            // Full games take a while, in which a kill should cost nothing.
            self.save_or_warn(training);
        }
        while evaluator.player().is_some() {
            if self.stop.is_requested() {
                return Ok(Ending::Stopped);
            }
            self.count_evaluation(evaluator.look_at_games()?);
            thread::park_timeout(STOP_INTERVAL);
        }
        self.player = None;
        Ok(Ending::Finished)
    }

    /// After a failure only now and then: whatever is in its way is not gone the next moment.
    fn may_save_early(&self) -> bool {
        !self.last_save_failed || self.last_checkpoint.elapsed() >= RETRY_INTERVAL
    }

    fn count_games(&mut self, games: &[FinishedGame]) {
        for game in games {
            let best = self.stats.push(GameResult {
                score: game.score,
                length_steps: game.length_steps,
            });
            self.best_is_due |= best == BestMean::Raised;
            let (n_games, frame_skip) = (self.stats.n_games(), self.spec.frame_skip);
            self.logs
                .add_game(game, n_games, frame_skip, self.clock.seconds());
        }
    }

    fn count_evaluation(&mut self, evaluation: Option<Evaluation>) {
        let Some(evaluation) = evaluation else { return };
        self.logs.add_evaluation(&evaluation);
        let (step, mean_score) = (evaluation.step, evaluation.mean_score());
        if self
            .best_evaluation
            .is_none_or(|best| mean_score > best.mean_score)
        {
            self.best_evaluation = Some(BestEvaluation { step, mean_score });
        }
    }

    /// Writes a row of scalars and the games since the last one.
    fn write_row(&mut self, training: &mut dyn Training) {
        let step = training.step();
        Row {
            step,
            updates: training.updates(),
            stats: &self.stats,
            means: &training.take_means(),
            time: &training.take_time(),
            steps_per_s: self.progress.steps_per_second(),
            frame_skip: self.spec.frame_skip,
        }
        .write(&mut self.logs.scalars);
        self.flush();
        self.last_row = step;
        self.next_row = step + self.plan.run.log_interval_steps;
    }

    fn flush(&mut self) {
        self.logs.flush(self.progress.screen());
    }

    /// Saves a checkpoint. A failure is a warning: the older ones are still there, and the next attempt may succeed.
    fn save_or_warn(&mut self, training: &mut dyn Training) {
        let saved = self.save_checkpoint(training);
        self.last_save_failed = saved.is_err();
        if let Err(error) = saved {
            let screen = self.progress.screen();
            screen.warn(&format!("{error:#}; training goes on"));
        }
    }

    /// # Errors
    /// If it could not be written whole.
    fn save_checkpoint(&mut self, training: &mut dyn Training) -> Result<()> {
        self.last_checkpoint = Instant::now();
        self.flush();
        let dir = self.folder.checkpoints();
        let mut state = training.state()?;
        state
            .tensors
            .extend(resumption::tensors(&state, self.player.as_deref()));
        let checkpoint = Checkpoint {
            step: training.step(),
            meta: CheckpointMeta {
                identity: identity(self.plan),
                steps: training.step(),
                updates: training.updates(),
                episode_stats: self.stats.clone(),
                last_row: self.last_row,
                best_evaluation: self.best_evaluation,
                wall_seconds: self.clock.seconds(),
                replay: state.replay,
            },
            tensors: state.tensors,
        };
        save(&dir, &checkpoint, self.plan.run.checkpoints_kept)?;
        training.saved()?;
        self.saved_step = Some(training.step());
        if self.best_is_due {
            save_best(&dir, &checkpoint)?;
            self.best_is_due = false;
        }
        Ok(())
    }

    /// Saves what there is, and says how the run ended.
    ///
    /// # Errors
    /// Those of the training.
    fn close(mut self, training: &mut dyn Training, ending: Result<Ending>) -> Result<()> {
        self.progress.finish();
        // A run that goes on writes its next row where it would have been without the stop, so this comes before the last row.
        let saved = if training.is_whole() {
            self.save_checkpoint(training)
        } else {
            Ok(())
        };
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
