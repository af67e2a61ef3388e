//! A run with its folder: trains until the plan is fulfilled, a stop is asked for, or an actor fails.

mod closing;

use std::collections::VecDeque;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlrun_envs::EnvSpec;

use super::best::best_is_due;
use super::evaluation::{Evaluation, Evaluator, Player};
use super::games::FinishedGame;
use super::logs::Logs;
use super::metrics::Row;
use super::restore::{Restored, identity};
use super::resumption;
use super::training::Training;
use crate::config::grouped;
use crate::plan::{Plan, Threading};
use crate::run::checkpoint::Checkpoint;
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
    /// Of the evaluations that are not over.
    players: VecDeque<Rc<Player>>,
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
    /// Whether a kill in the first interval would cost more than that.
    saves_at_once: bool,
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
            players: VecDeque::new(),
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
            saves_at_once: true,
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
        let step = restored.meta.steps;
        if step < plan.total_steps {
            restored.folder.reopen(&plan.to_toml())?;
        }
        let progress = Progress::new(plan.total_steps, step, verbosity);
        progress.screen().say(&format!(
            "going on with {} at step {}",
            restored.folder.path().display(),
            grouped(step)
        ));
        let logs = Logs::resume(&restored, progress.screen())?;
        let Restored {
            folder,
            meta,
            players,
            has_lost_memory,
            ..
        } = restored;
        let best_is_due = best_is_due(&folder, &meta);
        Ok(Self {
            stats: meta.episode_stats,
            best_evaluation: meta.best_evaluation,
            logs,
            players: players.into_iter().map(Rc::new).collect(),
            progress,
            clock: RunClock::start(meta.wall_seconds),
            stop,
            first_step: meta.steps,
            last_row: meta.last_row,
            next_row: meta.last_row + plan.run.log_interval_steps,
            last_checkpoint: Instant::now(),
            last_save_failed: false,
            best_is_due,
            saves_at_once: best_is_due || has_lost_memory,
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
        if self.saves_at_once {
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
        for player in &self.players {
            evaluator.line_up(Rc::clone(player), training)?;
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
            evaluator.line_up_if_due(training)?;
            self.look_at_games(training, evaluator)?;
            while evaluator.is_behind() && !self.stop.is_requested() {
                thread::park_timeout(STOP_INTERVAL);
                self.look_at_games(training, evaluator)?;
            }
            self.logs.record_when_due(training, self.progress.screen());
            if step >= self.next_row {
                self.write_row(training);
            }
            if self.last_checkpoint.elapsed() >= checkpoint_interval
                || (training.wants_checkpoint() && self.may_save_early())
            {
                self.save_or_warn(training);
            }
        }
        if !self.players.is_empty() {
            // Full games take a while, in which a kill should cost nothing.
            self.save_or_warn(training);
        }
        while !self.players.is_empty() {
            if self.stop.is_requested() {
                return Ok(Ending::Stopped);
            }
            self.look_at_games(training, evaluator)?;
            thread::park_timeout(STOP_INTERVAL);
        }
        Ok(Ending::Finished)
    }

    /// Takes in what an evaluation came to, if one is over. Of those that are not, a checkpoint tells.
    fn look_at_games(
        &mut self,
        training: &dyn Training,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<()> {
        let evaluation = evaluator.look_in(training);
        self.players.clone_from(evaluator.players());
        self.count_evaluation(evaluation?);
        Ok(())
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
        let players: Vec<&Player> = self.players.iter().map(Rc::as_ref).collect();
        let tail = self.logs.recorder_tail(training);
        let beside = resumption::tensors(&state, tail.as_deref(), &players);
        state.tensors.extend(beside);
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
                learns_from: state.learns_from,
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
}
