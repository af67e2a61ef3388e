//! Works the grid off: starts runs while there are jobs free, watches them, and passes signals on.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::board::{Board, Row, State};
use super::child::{Child, Place, in_words};
use super::cores::Shares;
use super::grid::GridRun;
use super::standing::{Standing, mean_score};
use super::watch::{Reading, Watch};
use crate::cli;
use crate::run::progress::human_time;
use crate::run::screen::Screen;

/// Between two looks at processes and signals.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Between two looks at how far the runs are.
const READ_INTERVAL: Duration = Duration::from_millis(500);
/// How much of its log is shown of a run that failed.
const N_LAST_LINES: usize = 5;

/// A run of the grid and how it stands.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) run: GridRun,
    pub(super) progress: Progress,
}

/// How a run stands during a sweep.
#[derive(Debug)]
pub(super) enum Progress {
    /// Its turn has not come.
    Waiting(Standing),
    /// A process is at it, as the job of this number.
    Running {
        child: Child,
        watch: Watch,
        job: usize,
    },
    /// It has reached its end, with this mean score of its last 100 games.
    Finished(Option<f64>),
    /// Its process ended before.
    Failed { reading: Reading, reason: String },
    /// It was stopped with the sweep.
    Stopped(Reading),
}

/// The runs, and what works them off.
pub(super) struct Pool<'a> {
    pub(super) items: Vec<Item>,
    pub(super) place: &'a Place,
    pub(super) shares: Shares,
    pub(super) n_jobs: usize,
    pub(super) board: Board,
    /// The first signal that asked for a stop.
    stopped_by: Option<i32>,
}

impl Item {
    pub(super) fn new(run: GridRun, standing: Standing) -> Self {
        let progress = match standing {
            Standing::Finished(mean) => Progress::Finished(mean),
            other => Progress::Waiting(other),
        };
        Self { run, progress }
    }

    /// Its line in the table.
    pub(super) fn row(&self) -> Row {
        let total_steps = self.run.plan.total_steps;
        let at = |step| Reading {
            step,
            ..Reading::default()
        };
        let (state, reading) = match &self.progress {
            Progress::Waiting(Standing::Resumed(step)) => (State::Waiting, at(*step)),
            Progress::Waiting(_) => (State::Waiting, at(0)),
            Progress::Running { watch, .. } => (State::Running, watch.reading()),
            Progress::Failed { reading, .. } => (State::Failed, *reading),
            Progress::Stopped(reading) => (State::Stopped, *reading),
            Progress::Finished(mean_score) => {
                let mean_score = *mean_score;
                (
                    State::Finished,
                    Reading {
                        mean_score,
                        ..at(total_steps)
                    },
                )
            }
        };
        Row {
            label: self.run.label(),
            state,
            reading,
            total_steps,
        }
    }
}

impl<'a> Pool<'a> {
    pub(super) fn new(
        items: Vec<Item>,
        place: &'a Place,
        (n_jobs, shares): (usize, Shares),
        board: Board,
    ) -> Self {
        Self {
            items,
            place,
            shares,
            n_jobs,
            board,
            stopped_by: None,
        }
    }

    /// Works until all runs have ended. Returns the signal that ended it before, if one did.
    ///
    /// # Errors
    /// If signals cannot be heard, or the system does not know a process of ours any more; all others are stopped then.
    pub(super) fn work(&mut self) -> Result<Option<i32>> {
        let mut signals = signals().context("taking over Ctrl-C")?;
        let mut last_read: Option<Instant> = None;
        loop {
            for signal in signals.pending() {
                self.hear(signal);
            }
            let settled = self.settle();
            if settled.is_err() {
                self.signal_all(Signal::TERM);
                self.board.finish();
                settled?;
            }
            if self.stopped_by.is_none() {
                self.start();
            }
            if last_read.is_none_or(|last| last.elapsed() >= READ_INTERVAL) {
                last_read = Some(Instant::now());
                self.read();
            }
            if self.n_running() == 0 {
                break;
            }
            thread::park_timeout(LOOK_INTERVAL);
        }
        self.board.finish();
        Ok(self.stopped_by)
    }

    fn screen(&self) -> &Screen {
        self.board.screen()
    }

    fn running(&self) -> impl Iterator<Item = (&Child, usize)> {
        self.items.iter().filter_map(|item| match &item.progress {
            Progress::Running { child, job, .. } => Some((child, *job)),
            _ => None,
        })
    }

    fn n_running(&self) -> usize {
        self.running().count()
    }

    fn signal_all(&self, signal: Signal) {
        for (child, _) in self.running() {
            child.signal(signal);
        }
    }

    /// The first signal goes to all processes, which save a checkpoint; the second kills them.
    fn hear(&mut self, signal: i32) {
        if self.stopped_by.is_some() {
            self.screen()
                .warn("killing the runs; they go on from their last checkpoints");
            self.signal_all(Signal::KILL);
            return;
        }
        self.stopped_by = Some(signal);
        let n_running = self.n_running();
        self.screen().warn(&format!(
            "stopping: {n_running} running save a checkpoint; a second signal kills them"
        ));
        self.signal_all(if signal == SIGINT {
            Signal::INT
        } else {
            Signal::TERM
        });
    }

    /// Starts waiting runs while jobs are free.
    fn start(&mut self) {
        for idx in 0..self.items.len() {
            let Progress::Waiting(standing) = &self.items[idx].progress else {
                continue;
            };
            let taken: Vec<usize> = self.running().map(|(_, job)| job).collect();
            let Some(job) = (0..self.n_jobs).find(|job| !taken.contains(job)) else {
                return;
            };
            let progress = self.begin(&self.items[idx].run, standing, job);
            self.items[idx].progress = progress;
        }
    }

    /// Starts a run. One that cannot be started has failed.
    fn begin(&self, run: &GridRun, standing: &Standing, job: usize) -> Progress {
        let step = match standing {
            Standing::Resumed(step) => *step,
            _ => 0,
        };
        let (label, watch) = (run.label(), Watch::new(self.place.folder(run), step));
        match Child::start(self.place, run, standing, (&self.shares, job)) {
            Ok(child) => {
                let (words, log) = (standing.in_words(), self.place.log(run));
                let line = format!("{label} {words}; log {}", log.display());
                self.screen().say(&line);
                Progress::Running { child, watch, job }
            }
            Err(error) => {
                let reason = cli::in_one_line(&error);
                self.screen().warn(&format!("{label} FAILED: {reason}"));
                let reading = watch.reading();
                Progress::Failed { reading, reason }
            }
        }
    }

    /// Looks at how far the running ones are, and shows it.
    fn read(&mut self) {
        if self.board.is_seen() {
            for item in &mut self.items {
                if let Progress::Running { watch, .. } = &mut item.progress {
                    watch.look();
                }
            }
        }
        self.board
            .draw(|| self.items.iter().map(Item::row).collect());
    }

    /// Notes which processes have ended, and how.
    fn settle(&mut self) -> Result<()> {
        for idx in 0..self.items.len() {
            let item = &mut self.items[idx];
            let Progress::Running { child, watch, .. } = &mut item.progress else {
                continue;
            };
            if let Some(status) = child.ended()? {
                watch.look();
                let progress = self.ending(idx, status);
                self.items[idx].progress = progress;
            }
        }
        Ok(())
    }

    /// What came of the run at `idx`, whose process has ended.
    fn ending(&self, idx: usize, status: ExitStatus) -> Progress {
        let Item { run, progress } = &self.items[idx];
        let Progress::Running { child, watch, .. } = progress else {
            unreachable!("only a running process ends")
        };
        let (label, time) = (run.label(), human_time(child.age()));
        let reading = watch.reading();
        if let Some(mean) = finished(&self.place.folder(run)) {
            let score = mean.map_or_else(|| "no game".to_owned(), |mean| format!("{mean:.1}"));
            self.screen().say(&format!(
                "{label} finished in {time}; mean score of the last 100 games: {score}"
            ));
            return Progress::Finished(mean);
        }
        if self.stopped_by.is_some() {
            self.screen().say(&format!("{label} stopped"));
            return Progress::Stopped(reading);
        }
        let reason = in_words(status);
        let last_words = child.last_words(N_LAST_LINES).join("\n    ");
        self.screen().warn(&format!(
            "{label} FAILED after {time}: {reason}; its last words:\n    {last_words}"
        ));
        Progress::Failed { reading, reason }
    }
}

/// Ctrl-C, SIGTERM, and the end of the terminal where that would end the sweep: its runs, in groups of their own, would go on without it.
fn signals() -> io::Result<Signals> {
    let signals = Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    Ok(signals)
}

/// Whether whoever started us, `nohup` for example, had a signal ignored; so it counts where the system does not say.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The mean score of a run that has reached its end; none if it has not.
#[expect(
    clippy::option_option,
    reason = "a finished run may have finished no game"
)]
fn finished(folder: &Path) -> Option<Option<f64>> {
    let summary = fs::read(folder.join("summary.json")).ok()?;
    Some(mean_score(&summary))
}
