//! One training with its run folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rlrun_toys::plan::ToyPlan;
use rlrun_toys::training::{EpochStats, Training, TrainingProgress};
use serde::{Deserialize, Serialize};

use super::gallery;
use super::history::{EpochRow, to_csv};
use super::verdict::{ToySummary, milestones};
use crate::cli;
use crate::doctor;
use crate::request::RequestError;
use crate::run::atomic::write_whole;
use crate::run::checkpoint::{Checkpoint, weights_sha256};
use crate::run::checkpoint_store::{LoadError, load_newest, save};
use crate::run::clock::RunClock;
use crate::run::folder::{NewRun, RunFolder};
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

/// Goes on with the training in `dir` and prints the verdict.
///
/// # Errors
/// As [`run`].
pub(crate) fn resume(dir: &Path, threads: usize, quiet: bool) -> Result<()> {
    let (folder, plan) = open_folder(dir)?;
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

/// The folder of a new training: `<runs_root>/<task>/<split>-<net>/<name or seed and time>`.
///
/// # Errors
/// A [`RequestError`] if it cannot be made.
pub(crate) fn create_folder(
    plan: &ToyPlan,
    runs_root: &Path,
    name: Option<&str>,
) -> Result<RunFolder> {
    let libtorch = doctor::libtorch_version().unwrap_or_else(|| "unknown".to_owned());
    let versions = BTreeMap::from([
        ("libtorch".to_owned(), libtorch),
        ("rlrun".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    let new = NewRun {
        runs_root,
        game: &plan.task.to_string(),
        agent: &plan.split.to_string(),
        torso: &plan.net.to_string(),
        seed: plan.seed,
        name,
        plan_toml: &toml::to_string(plan).context("writing the plan as TOML")?,
        versions: &versions,
    };
    RunFolder::create(&new).map_err(|error| RequestError::new(error.to_string()).into())
}

/// The folder of a training that was begun, and its plan.
///
/// # Errors
/// A [`RequestError`] if it is none.
pub(crate) fn open_folder(dir: &Path) -> Result<(RunFolder, ToyPlan)> {
    let folder = RunFolder::open(dir).map_err(|error| RequestError::new(error.to_string()))?;
    let path = dir.join("plan.toml");
    let plan = fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str(&text).map_err(|error| error.message().to_owned()))
        .map_err(|reason| {
            RequestError::new(format!(
                "{} is no plan of a toy task: {reason}",
                path.display()
            ))
        })?;
    Ok((folder, plan))
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
            Err(error) => return Err(RequestError::new(error.to_string()).into()),
        };
        let (mut history, mut seconds) = (Vec::new(), 0.0);
        let scalars = if let Some(Checkpoint {
            step,
            meta,
            tensors,
        }) = saved
        {
            if meta.plan != *plan {
                let dir = folder.path().display();
                let message = format!("the checkpoint in {dir} is of another plan");
                return Err(RequestError::new(message).into());
            }
            training.restore(tensors, meta.progress)?;
            (history, seconds) = (meta.history, meta.seconds);
            Scalars::resume(folder.path(), step)
                .context("cutting the TensorBoard events back to the checkpoint")?
        } else {
            let mut scalars = Scalars::create(folder.path());
            let plan = toml::to_string(plan).context("writing the plan as TOML")?;
            scalars.add_text("plan", &format!("```toml\n{plan}```"), 0);
            scalars
        };
        let updates = training.progress().updates;
        Ok(Self {
            progress: Progress::of_updates(training.total_updates(), updates, conduct.verbosity),
            clock: RunClock::start(seconds),
            last_checkpoint: Instant::now(),
            last_log: Instant::now(),
            training,
            folder,
            conduct,
            history,
            scalars,
        })
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
                    .warn(&format!("{error:#}; training goes on"));
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
        let row = EpochRow {
            epoch: stats.epoch,
            updates: self.training.progress().updates,
            seconds: self.clock.seconds(),
            learning_rate: stats.learning_rate,
            train_loss: stats.loss,
            train_metric: stats.metric,
            test_metric,
        };
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
        if self.last_log.elapsed() >= LOG_INTERVAL {
            self.last_log = Instant::now();
            self.scalars.flush(self.progress.screen());
        }
    }

    /// Saves what a resume needs, and the table of epochs.
    fn save(&mut self) -> Result<()> {
        self.last_checkpoint = Instant::now();
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

    /// Saves the result, then draws what can be seen of it.
    fn finish(&mut self) -> Result<ToySummary> {
        let seconds = self.clock.seconds();
        self.save()?;
        let training = &self.training;
        let task = training.plan().task;
        let [to_level, to_best] = milestones(&self.history, task);
        let summary = ToySummary {
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
        };
        gallery::hang(training, self.folder.path(), &mut self.scalars)?;
        self.scalars.flush(self.progress.screen());
        self.folder.write_summary(&summary)?;
        Ok(summary)
    }
}
