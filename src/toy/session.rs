//! One training with its run folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rlrun_toys::plan::ToyPlan;
use rlrun_toys::training::{EpochStats, Training, TrainingProgress};
use serde::{Deserialize, Serialize};

use super::folders::{create_folder, open_folder, summary_of};
use super::gallery;
use super::history::{EpochRow, to_csv};
use super::test_examples::{self, test_examples};
use super::verdict::{ToySummary, milestones};
use crate::cli;
use crate::request::RequestError;
use crate::run::atomic::write_whole;
use crate::run::checkpoint::{Checkpoint, weights_sha256};
use crate::run::checkpoint_store::{LoadError, load_newest, save};
use crate::run::clock::RunClock;
use crate::run::folder::RunFolder;
use crate::run::progress::Progress;
use crate::run::scalars::Scalars;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;

/// Between two checkpoints; one is also written at the end and when a stop is asked for.
const CHECKPOINT_INTERVAL: Duration = Duration::from_mins(1);
/// Checkpoints kept.
const N_CHECKPOINTS: usize = 2;
/// Between two writings of the curves; `epochs.csv` is written with each checkpoint.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// A single training, as the command line asks for it.
#[derive(Debug)]
pub(crate) struct RunRequest {
    /// What is done.
    pub(crate) plan: ToyPlan,
    /// The folder of all runs.
    pub(crate) runs_root: PathBuf,
    /// Threads that share the work of each update.
    pub(crate) threads: usize,
    /// Without a progress bar.
    pub(crate) quiet: bool,
}

/// How a training is done.
#[derive(Clone, Debug)]
pub(crate) struct Conduct {
    /// Threads that share the work of each update.
    pub(crate) threads: usize,
    /// Who hears what.
    pub(crate) verbosity: Verbosity,
    /// Whether it ends as soon as train and test have reached a goal.
    pub(crate) stop_early: Option<Goal>,
    /// Raised by Ctrl-C.
    pub(crate) stop: StopFlag,
}

/// Whether metrics are good enough.
pub(crate) type Goal = fn(train: f64, test: f64) -> bool;

/// What is saved beside the tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    plan: ToyPlan,
    progress: TrainingProgress,
    seconds: f64,
    history: Vec<EpochRow>,
}

/// Trains in a new run folder and prints the verdict.
///
/// # Errors
/// A request that cannot be granted, or a result that cannot be written.
pub(crate) fn run(request: &RunRequest) -> Result<()> {
    let folder = create_folder(&request.plan, &request.runs_root, None)?;
    train_and_tell(folder, &request.plan, request.threads, request.quiet)
}

/// Goes on with the training in `dir` and prints the verdict; if it is done, it only prints it again.
///
/// # Errors
/// As [`run`].
pub(crate) fn resume(dir: &Path, threads: usize, quiet: bool) -> Result<()> {
    let (folder, plan) = open_folder(dir)?;
    if let Some(summary) = summary_of(dir, &plan) {
        cli::print(&summary.verdict());
        return Ok(());
    }
    train_and_tell(folder, &plan, threads, quiet)
}

fn train_and_tell(folder: RunFolder, plan: &ToyPlan, threads: usize, quiet: bool) -> Result<()> {
    let verbosity = if quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let conduct = Conduct {
        threads,
        verbosity,
        stop_early: None,
        stop,
    };
    let dir = folder.path().to_owned();
    let screen = Screen::new(verbosity);
    screen.say(&format!("run folder {}", dir.display()));
    match train(folder, plan, &conduct)? {
        Some(summary) => cli::print(&summary.verdict()),
        None => screen.warn(&format!(
            "stopped; go on with: rlrun toy resume {}",
            dir.display()
        )),
    }
    Ok(())
}

/// Trains to the end, from the newest checkpoint of the folder if there is one. `None` if a stop was asked for.
///
/// # Errors
/// A plan that cannot be carried out, or a result that cannot be written.
pub(crate) fn train(
    folder: RunFolder,
    plan: &ToyPlan,
    conduct: &Conduct,
) -> Result<Option<ToySummary>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(conduct.threads);
    let pool = pool.build().context("starting the threads of a training")?;
    pool.install(move || {
        tch::set_num_threads(i32::try_from(conduct.threads).unwrap_or(1));
        let mut session = Session::begin(folder, plan, conduct)?;
        session.train()
    })
}

struct Session<'a> {
    training: Training,
    folder: RunFolder,
    conduct: &'a Conduct,
    history: Vec<EpochRow>,
    scalars: Scalars,
    progress: Progress,
    clock: RunClock,
    last_checkpoint: Instant,
    last_log: Instant,
    /// The update whose predictions of single examples are in TensorBoard last.
    shown_at: Option<u64>,
}

impl<'a> Session<'a> {
    fn begin(folder: RunFolder, plan: &ToyPlan, conduct: &'a Conduct) -> Result<Self> {
        let mut training =
            Training::new(plan).map_err(|error| RequestError::new(error.to_string()))?;
        let screen = Screen::new(conduct.verbosity);
        let saved = match load_newest::<Meta>(&folder.checkpoints()) {
            Ok(loaded) => {
                for rejected in &loaded.rejected {
                    screen.warn(&rejected.to_string());
                }
                Some(loaded.checkpoint)
            }
            Err(LoadError::NoCheckpoint { .. }) => None,
            Err(error) => {
                let dir = folder.path().display();
                let message = format!("{error}\nmove {dir} away to begin this training anew");
                return Err(RequestError::new(message).into());
            }
        };
        let Some(saved) = saved else {
            return Self::from_the_start(training, folder, conduct);
        };
        let (history, seconds) = restore(&mut training, saved, &folder)?;
        let updates = training.progress().updates;
        let scalars = Scalars::resume(folder.path(), updates, None)
            .context("cutting the TensorBoard events back to the checkpoint")?;
        let mut session = Self::new(training, folder, conduct, scalars);
        session.history = history;
        session.shown_at = Some(updates);
        session.clock = RunClock::start(seconds);
        Ok(session)
    }

    /// Measures the network before it learns, and saves that: its time is not that of the training.
    fn from_the_start(training: Training, folder: RunFolder, conduct: &'a Conduct) -> Result<Self> {
        let mut scalars = Scalars::create(folder.path());
        let plan = toml::to_string(training.plan()).context("writing the plan as TOML")?;
        scalars.add_text("plan", &format!("```toml\n{plan}```"), 0);
        let mut session = Self::new(training, folder, conduct, scalars);
        let training = &session.training;
        let (train, test) = (&training.parts().train, &training.parts().test);
        let (train_loss, train_metric) = training.measure(train);
        session.note(EpochRow {
            epoch: 0,
            updates: 0,
            seconds: 0.0,
            learning_rate: training.plan().settings.learning_rate_at(0),
            train_loss,
            train_metric,
            test_metric: training.evaluate(test),
        });
        session.clock = RunClock::start(0.0);
        session.save()?;
        session.clock = RunClock::start(0.0);
        Ok(session)
    }

    fn new(training: Training, folder: RunFolder, conduct: &'a Conduct, scalars: Scalars) -> Self {
        let (total, updates) = (training.total_updates(), training.progress().updates);
        Self {
            progress: Progress::of_updates(total, updates, conduct.verbosity),
            clock: RunClock::start(0.0),
            last_checkpoint: Instant::now(),
            last_log: Instant::now(),
            history: Vec::new(),
            shown_at: None,
            training,
            folder,
            conduct,
            scalars,
        }
    }

    fn train(&mut self) -> Result<Option<ToySummary>> {
        while !self.training.is_finished() && !self.is_good_enough() {
            if self.conduct.stop.is_requested() {
                self.progress.finish();
                self.save()?;
                return Ok(None);
            }
            let ended = self.training.update();
            let test = self.history.last().map(|row| row.test_metric);
            self.progress.update(self.training.progress().updates, test);
            if let Some(stats) = ended {
                self.end_epoch(&stats);
            }
            if self.last_checkpoint.elapsed() >= CHECKPOINT_INTERVAL
                && let Err(error) = self.save()
            {
                self.progress
                    .screen()
                    .warn(&format!("{}; training goes on", cli::in_one_line(&error)));
            }
        }
        self.progress.finish();
        self.finish().map(Some)
    }

    fn is_good_enough(&self) -> bool {
        match (self.conduct.stop_early, self.history.last()) {
            (Some(goal), Some(row)) if goal(row.train_metric, row.test_metric) => goal(
                self.training.evaluate(&self.training.parts().train),
                row.test_metric,
            ),
            _ => false,
        }
    }

    fn end_epoch(&mut self, stats: &EpochStats) {
        let test_metric = self.training.evaluate(&self.training.parts().test);
        self.note(EpochRow {
            epoch: stats.epoch,
            updates: self.training.progress().updates,
            seconds: self.clock.seconds(),
            learning_rate: stats.learning_rate,
            train_loss: stats.loss,
            train_metric: stats.metric,
            test_metric,
        });
        if self.last_log.elapsed() >= LOG_INTERVAL {
            self.last_log = Instant::now();
            self.scalars.flush(self.progress.screen());
        }
    }

    /// Adds a row to the history and to TensorBoard.
    fn note(&mut self, row: EpochRow) {
        self.history.push(row);
        let metric = self.training.plan().task.metric_name();
        for (tag, value) in [
            ("train/loss".to_owned(), row.train_loss),
            (format!("train/{metric}"), row.train_metric),
            (format!("test/{metric}"), row.test_metric),
            ("train/learning_rate".to_owned(), row.learning_rate),
            ("time/seconds".to_owned(), row.seconds),
        ] {
            self.scalars.add_scalar(&tag, value, row.updates);
        }
    }

    /// Saves what a resume needs, and the table of epochs; TensorBoard gets the predictions of single examples.
    fn save(&mut self) -> Result<()> {
        self.last_checkpoint = Instant::now();
        self.show_test_examples()?;
        self.scalars.flush(self.progress.screen());
        let progress = self.training.progress();
        let checkpoint = Checkpoint {
            step: progress.updates,
            meta: Meta {
                plan: self.training.plan().clone(),
                progress,
                seconds: self.clock.seconds(),
                history: self.history.clone(),
            },
            tensors: self.training.state(),
        };
        save(&self.folder.checkpoints(), &checkpoint, N_CHECKPOINTS)?;
        let path = self.folder.path().join("epochs.csv");
        write_whole(&path, to_csv(&self.history).as_bytes())
            .with_context(|| format!("writing {}", path.display()))
    }

    fn show_test_examples(&mut self) -> Result<()> {
        let step = self.training.progress().updates;
        if self.shown_at != Some(step)
            && let Some(picture) = test_examples(&self.training)?
        {
            self.shown_at = Some(step);
            self.scalars
                .add_png(test_examples::NAME, &picture.png, step);
        }
        Ok(())
    }

    /// What the training came to, saved; it is told also if it cannot be saved.
    fn finish(&mut self) -> Result<ToySummary> {
        let summary = self.summary()?;
        let saved = self.save_result(&summary);
        saved.with_context(|| {
            let verdict = summary.verdict();
            self.progress.screen().warn(&format!("not saved: {verdict}"));
            format!(
                "the training reached its end, but the result is not saved; make room, then go on from its last \
                 checkpoint with: rlrun toy resume {}",
                self.folder.path().display()
            )
        })?;
        Ok(summary)
    }

    fn summary(&self) -> Result<ToySummary> {
        let seconds = self.clock.seconds();
        let training = &self.training;
        let [to_level, to_best] = milestones(&self.history, training.plan().task);
        Ok(ToySummary {
            plan: training.plan().clone(),
            n_params: training.n_params(),
            epochs: self.history.last().map_or(0, |row| row.epoch),
            updates: training.progress().updates,
            seconds,
            threads: self.conduct.threads,
            train_metric: training.evaluate(&training.parts().train),
            test_metric: training.evaluate(&training.parts().test),
            to_level,
            to_best,
            weights_sha256: weights_sha256(&training.weights())?,
        })
    }

    /// Saves the last checkpoint first, then draws what can be seen of it; the summary comes last and says that all is there.
    fn save_result(&mut self, summary: &ToySummary) -> Result<()> {
        self.save()?;
        gallery::hang(&self.training, self.folder.path(), &mut self.scalars)?;
        self.scalars.flush(self.progress.screen());
        self.folder.write_summary(summary)?;
        Ok(())
    }
}

/// Puts a checkpoint into a training; returns the history and the seconds until then.
///
/// # Errors
/// If it is of another plan.
fn restore(
    training: &mut Training,
    saved: Checkpoint<Meta>,
    folder: &RunFolder,
) -> Result<(Vec<EpochRow>, f64)> {
    let Checkpoint { meta, tensors, .. } = saved;
    if meta.plan != *training.plan() {
        let dir = folder.path().display();
        let message = format!(
            "{dir}/plan.toml is not the plan that its checkpoint was made by; put that one back, or begin a new training"
        );
        return Err(RequestError::new(message).into());
    }
    training.restore(tensors, meta.progress)?;
    Ok((meta.history, meta.seconds))
}

#[cfg(test)]
mod tests;
