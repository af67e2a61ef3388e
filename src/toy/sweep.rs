//! `rlrun toy sweep`: all trainings of a grid, a few at a time, each on one thread.
//!
//! ```text
//! DIR/<task>/<split>-<net>/<settings>/   a run folder each; its summary.json says that it is done
//! DIR/results.csv                        one row per finished training, in the order of the grid
//! DIR/curves.csv                         the test metric after each epoch of each of them
//! DIR/pictures/                          the paper's Figs 4 and 6
//! ```
//!
//! The folders are the only memory: given again, a sweep passes over what is done and goes on with what was begun.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};

use super::grid::{self, GridRun};
use super::results::Results;
use super::session::{Conduct, create_folder, open_folder, train};
use super::verdict::ToySummary;
use crate::cli;
use crate::request::RequestError;
use crate::run::lock::RunLock;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;

/// What `rlrun toy sweep` is asked.
#[derive(Debug)]
pub(crate) struct SweepRequest {
    /// Name or file of the grid.
    pub(crate) grid: String,
    /// The sweep's folder.
    pub(crate) dir: PathBuf,
    /// Trainings at a time.
    pub(crate) workers: usize,
    /// Warnings only.
    pub(crate) quiet: bool,
}

/// Trains what is not done yet and writes the tables and pictures.
///
/// # Errors
/// A wrong grid, a folder in use, or trainings that failed; the others are done all the same.
pub(crate) fn sweep(request: &SweepRequest) -> Result<()> {
    let runs = grid::read(&request.grid)?;
    let refused = |error: io::Error| {
        RequestError::new(format!("cannot write {}: {error}", request.dir.display()))
    };
    fs::create_dir_all(&request.dir).map_err(refused)?;
    let _lock =
        RunLock::acquire(&request.dir).map_err(|error| RequestError::new(error.to_string()))?;
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let screen = Screen::new(verbosity);
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let todo: Vec<&GridRun> = runs
        .iter()
        .filter(|run| done(&request.dir, run).is_none())
        .collect();
    screen.say(&format!(
        "{} of {} trainings are done; the rest goes to {}",
        runs.len() - todo.len(),
        runs.len(),
        request.dir.display()
    ));
    let conduct = Conduct {
        threads: 1,
        verbosity: Verbosity::Quiet,
        stop_early: None,
        stop: stop.clone(),
    };
    let failures = work_off(&todo, request, &conduct, &screen)?;
    let n_done = write_results(&request.dir, &runs)?;
    if failures > 0 {
        bail!("{failures} trainings failed (see above); given again, the sweep tries them again");
    }
    let dir = request.dir.display();
    if stop.is_requested() {
        screen.warn(&format!(
            "stopped with {n_done} of {} trainings done; the same command goes on",
            runs.len()
        ));
    } else {
        cli::print(&format!(
            "{n_done} trainings done: {dir}/results.csv, {dir}/pictures"
        ));
    }
    Ok(())
}

/// Trains all of `todo` on the workers. Returns how many failed.
fn work_off(
    todo: &[&GridRun],
    request: &SweepRequest,
    conduct: &Conduct,
    screen: &Screen,
) -> Result<usize> {
    let (next, n_failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(run) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
            if conduct.stop.is_requested() {
                return;
            }
            match train_one(run, &request.dir, conduct) {
                Ok(Some(summary)) => screen.say(&summary.verdict()),
                Ok(None) => return,
                Err(error) => {
                    n_failed.fetch_add(1, Ordering::Relaxed);
                    let ToyName(name) = ToyName::of(run);
                    screen.warn(&format!("{name} failed: {error:#}"));
                }
            }
        }
    };
    thread::scope(|scope| -> Result<()> {
        let workers = (0..request.workers).map(|worker_idx| {
            let builder = thread::Builder::new().name(format!("sweep-{worker_idx}"));
            builder
                .spawn_scoped(scope, work)
                .context("starting a worker")
        });
        let workers = workers.collect::<Result<Vec<_>>>()?;
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow!("a worker of the sweep panicked"))?;
        }
        Ok(())
    })?;
    Ok(n_failed.into_inner())
}

fn train_one(run: &GridRun, dir: &Path, conduct: &Conduct) -> Result<Option<ToySummary>> {
    let path = folder_of(dir, run);
    let folder = if path.join("plan.toml").exists() {
        let (folder, plan) = open_folder(&path)?;
        if plan != run.plan {
            bail!("{} is of another plan; move it away", path.display());
        }
        folder
    } else {
        if path.exists() {
            // A kill between the making of the folder and its plan; nothing was trained.
            fs::remove_dir_all(&path).with_context(|| format!("clearing {}", path.display()))?;
        }
        create_folder(&run.plan, dir, Some(&run.name))?
    };
    train(folder, &run.plan, conduct)
}

/// The summary of a run that is done.
fn done(dir: &Path, run: &GridRun) -> Option<ToySummary> {
    let text = fs::read_to_string(folder_of(dir, run).join("summary.json")).ok()?;
    let summary: ToySummary = serde_json::from_str(&text).ok()?;
    (summary.plan == run.plan).then_some(summary)
}

fn folder_of(dir: &Path, run: &GridRun) -> PathBuf {
    let plan = &run.plan;
    dir.join(plan.task.to_string())
        .join(format!("{}-{}", plan.split, plan.net))
        .join(&run.name)
}

/// Writes the tables and pictures of all that is done; returns how many runs that is.
fn write_results(dir: &Path, runs: &[GridRun]) -> Result<usize> {
    let mut results = Results::default();
    for run in runs {
        if let Some(summary) = done(dir, run) {
            results.add(run, summary, &folder_of(dir, run).join("epochs.csv"))?;
        }
    }
    results.write(dir)?;
    Ok(results.len())
}

/// A run's full name, for messages.
struct ToyName(String);

impl ToyName {
    fn of(run: &GridRun) -> Self {
        let plan = &run.plan;
        Self(format!(
            "{} {} {} {}",
            plan.task, plan.split, plan.net, run.name
        ))
    }
}
