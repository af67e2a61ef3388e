//! `rlrun toy sweep`: all trainings of a grid, a few at a time, each on one thread.
//!
//! ```text
//! DIR/<task>/<split>-<net>/<settings>/   a run folder each; its summary.json says that it is done
//! DIR/results.csv                        one row per finished training, in the order of the grid
//! DIR/curves.csv                         the test metric before and after each epoch of each of them
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

use super::folders::{begin_or_go_on, folder_of, summary_of};
use super::grid::{self, GridRun};
use super::results::Results;
use super::session::{Conduct, train};
use super::verdict::ToySummary;
use crate::cli;
use crate::request::RequestError;
use crate::run::atomic::remove_stale_temporaries;
use crate::run::lock::RunLock;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;

/// What `rlrun toy sweep` is asked.
#[derive(Debug)]
pub(crate) struct SweepRequest {
    /// Name or file of the grid.
    pub(crate) grid: PathBuf,
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
    remove_stale_temporaries(&request.dir).map_err(refused)?;
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let screen = Screen::new(verbosity);
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let done = |run: &&GridRun| summary_of(&folder_of(&request.dir, run), &run.plan).is_some();
    let todo: Vec<&GridRun> = runs.iter().filter(|run| !done(run)).collect();
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
    let written = write_results(&request.dir, &runs, &screen);
    if failures > 0 {
        if let Err(error) = written {
            screen.warn(&cli::in_one_line(&error));
        }
        bail!(
            "{failures} of {} trainings failed (see above); given again, the sweep tries them again",
            todo.len()
        );
    }
    let n_done = written?;
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
    let n_ended = AtomicUsize::new(0);
    let place = || {
        format!(
            "{}/{}",
            n_ended.fetch_add(1, Ordering::Relaxed) + 1,
            todo.len()
        )
    };
    let work = || {
        while let Some(run) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
            if conduct.stop.is_requested() {
                return;
            }
            match train_one(run, &request.dir, conduct) {
                Ok(Some(summary)) => screen.say(&format!("{} {}", place(), summary.verdict())),
                Ok(None) => return,
                Err(error) => {
                    n_failed.fetch_add(1, Ordering::Relaxed);
                    let ToyName(name) = ToyName::of(run);
                    screen.warn(&format!(
                        "{} {name} failed: {}",
                        place(),
                        cli::in_one_line(&error)
                    ));
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
    train(begin_or_go_on(dir, run)?, &run.plan, conduct)
}

/// Writes the tables and pictures of all that is done; returns how many runs that is.
fn write_results(dir: &Path, runs: &[GridRun], screen: &Screen) -> Result<usize> {
    let mut results = Results::default();
    for run in runs {
        let folder = folder_of(dir, run);
        if let Some(summary) = summary_of(&folder, &run.plan)
            && let Err(error) = results.add(run, summary, &folder.join("epochs.csv"))
        {
            screen.warn(&format!(
                "a curve is left out: {}",
                cli::in_one_line(&error)
            ));
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
