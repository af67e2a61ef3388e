//! `rlrun sweep`: a grid of games, torsos and seeds, a few runs at a time, each a process of its own.
//!
//! ```text
//! DIR/<game>/<agent>-<torso>/[<tag>-]seed<k>/   the run folders
//! DIR/.sweep/<run>.toml                         the plan that a run was started with
//! DIR/.sweep/<run>.log                          what its process printed
//! DIR/.sweep/lock                               held by the sweep that writes here
//! ```
//!
//! The run folders are the only memory, and the same as those of `scripts/sweep.sh`: given again, a sweep passes over what is finished
//! and goes on with what was begun, by either of them.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`mod@file`] | sweep files |
//! | [`seeds`] | seeds as they are written |
//! | [`grid`] | all runs with their plans |
//! | [`standing`] | how a run stands, by its folder |
//! | [`room`] | how many go on at a time |
//! | [`cores`] | and on which cores |
//! | [`child`] | a run as a process |
//! | [`watch`] | how far it is |
//! | [`pool`] | works all of them off |
//! | [`board`] | the table of all of them |

mod board;
mod child;
mod cores;
mod file;
mod grid;
mod pool;
mod room;
mod seeds;
mod standing;
mod watch;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use signal_hook::consts::SIGINT;

use crate::cli;
use crate::plan::Machine;
use crate::request::RequestError;
use crate::run::lock::{LockError, RunLock};
use crate::run::screen::{Screen, Verbosity};
use board::{Board, table};
use child::Place;
use cores::Shares;
use file::SweepFile;
use grid::{GridRun, expand};
use pool::{Item, Pool, Progress};
use standing::Standing;

pub(crate) use grid::GridOptions;
pub(crate) use seeds::{Seeds, parse_seeds};

/// Where runs go if nothing says where.
const RUNS: &str = "runs";
/// Exit status of a program that Ctrl-C stopped, and that SIGTERM stopped.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// What `rlrun sweep` is asked.
#[derive(Clone, Debug)]
pub(crate) struct SweepRequest {
    /// Names or files of sweeps.
    pub(crate) files: Vec<PathBuf>,
    /// What wins over them.
    pub(crate) options: GridOptions,
    /// Runs at a time.
    pub(crate) jobs: Option<usize>,
    /// The folder of all runs.
    pub(crate) runs: Option<PathBuf>,
    /// Whether to say what would be done, and do nothing.
    pub(crate) is_dry: bool,
    /// Warnings and the last table only.
    pub(crate) quiet: bool,
}

/// All runs of a sweep, and what it takes to work them off.
struct Sweep {
    runs: Vec<(GridRun, Standing)>,
    place: Place,
    n_jobs: usize,
    /// Cores that the widest run keeps busy.
    width: usize,
}

/// Trains what is not finished yet.
///
/// # Errors
/// A [`RequestError`] before anything is started; runs that failed, when the others are done all the same.
pub(crate) fn run(request: &SweepRequest, machine: &Machine) -> Result<ExitCode> {
    let sweep = Sweep::prepare(request, machine)?;
    if request.is_dry {
        cli::print(&sweep.describe());
    }
    sweep.check()?;
    if request.is_dry {
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = lock(&sweep.place)?;
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let items = sweep.runs.into_iter();
    let items = items.map(|(run, standing)| Item::new(run, standing));
    let jobs = (sweep.n_jobs, Shares::new(sweep.n_jobs, sweep.width));
    let mut pool = Pool::new(items.collect(), &sweep.place, jobs, Board::new(verbosity));
    let stopped_by = pool.work()?;
    conclude(&pool.items, stopped_by)
}

impl Sweep {
    /// Plans all runs and looks at how they stand.
    fn prepare(request: &SweepRequest, machine: &Machine) -> Result<Self, RequestError> {
        let files = request.files.iter().map(|path| SweepFile::read(path));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let runs = expand(&files, &request.options, machine)?;
        let runs_root = agreed("runs", request.runs.clone(), &files, |file| {
            file.keys.runs.clone()
        })?;
        let jobs = agreed("jobs", request.jobs, &files, |file| file.keys.jobs)?;
        let place = Place::new(&runs_root.unwrap_or_else(|| PathBuf::from(RUNS)));
        let look = |run: GridRun| {
            let standing = Standing::of(&run, &place.runs_root);
            (run, standing)
        };
        let runs: Vec<(GridRun, Standing)> = runs.into_iter().map(look).collect();
        let is_todo = |standing: &Standing| !matches!(standing, Standing::Finished(_));
        let todo: Vec<&GridRun> = those(&runs, is_todo).collect();
        let widest = todo.iter().map(|run| room::width(&run.plan)).max();
        Ok(Self {
            n_jobs: room::jobs(jobs, &todo, machine)?,
            width: widest.unwrap_or(1),
            runs,
            place,
        })
    }

    /// That every run can be had, and that there is room for all of them.
    fn check(&self) -> Result<(), RequestError> {
        let refused = self
            .runs
            .iter()
            .filter_map(|(run, standing)| match standing {
                Standing::Refused(reason) => Some(format!("{}: {reason}", run.label())),
                _ => None,
            });
        match refused.collect::<Vec<_>>().as_slice() {
            [] => {}
            [only] => return Err(RequestError::new(only.clone())),
            several => {
                return Err(RequestError::new(format!(
                    "{} runs cannot be had; nothing was started:\n  {}",
                    several.len(),
                    several.join("\n  ")
                )));
            }
        }
        let is_new = |standing: &Standing| matches!(standing, Standing::New | Standing::Anew);
        let new: Vec<&GridRun> = those(&self.runs, is_new).collect();
        room::check_disk(&new, &self.place.runs_root)
    }

    /// What would happen to each run.
    fn describe(&self) -> String {
        let labels = self.runs.iter().map(|(run, _)| run.label().len());
        let width = labels.max().unwrap_or(0);
        let mut text = String::new();
        for (run, standing) in &self.runs {
            let _ = writeln!(text, "{:width$}  {}", run.label(), standing.in_words());
        }
        let dir = self.place.runs_root.display();
        text + &format!(
            "{} runs in {dir}, {} at a time",
            self.runs.len(),
            self.n_jobs
        )
    }
}

/// The runs that stand in some way.
fn those<'a>(
    runs: &'a [(GridRun, Standing)],
    stands: impl Fn(&Standing) -> bool + 'a,
) -> impl Iterator<Item = &'a GridRun> {
    let standing = runs.iter().filter(move |(_, standing)| stands(standing));
    standing.map(|(run, _)| run)
}

/// What the option says, else what the files say, which must be of one mind.
fn agreed<T: PartialEq>(
    key: &str,
    option: Option<T>,
    files: &[SweepFile],
    said: impl Fn(&SweepFile) -> Option<T>,
) -> Result<Option<T>, RequestError> {
    if option.is_some() {
        return Ok(option);
    }
    let mut sayings = files.iter().filter_map(|file| Some((file, said(file)?)));
    let Some((first, value)) = sayings.next() else {
        return Ok(None);
    };
    if let Some((other, _)) = sayings.find(|(_, other)| *other != value) {
        return Err(RequestError::new(format!(
            "{} and {} differ; --{key} decides",
            first.cite(key),
            other.cite(key)
        )));
    }
    Ok(Some(value))
}

/// Makes the sweep's own folder and holds it.
fn lock(place: &Place) -> Result<RunLock, RequestError> {
    fs::create_dir_all(&place.notes).map_err(|error| {
        let dir = place.notes.display();
        RequestError::new(format!(
            "cannot make {dir}: {error}; choose another place by --runs DIR"
        ))
    })?;
    RunLock::acquire(&place.notes).map_err(|error| match error {
        LockError::Held { pid, .. } => RequestError::new(format!(
            "a sweep into {} is going on, the process {pid}; wait for it, or stop it: kill {pid}",
            place.runs_root.display()
        )),
        error @ LockError::Io { .. } => RequestError::new(error.to_string()),
    })
}

/// Prints the table of all runs and says how it ended.
fn conclude(items: &[Item], stopped_by: Option<i32>) -> Result<ExitCode> {
    let rows: Vec<_> = items.iter().map(Item::row).collect();
    cli::print(&table(&rows, usize::MAX));
    if let Some(signal) = stopped_by {
        let status = if signal == SIGINT {
            INTERRUPTED
        } else {
            TERMINATED
        };
        Screen::new(Verbosity::Normal).warn("stopped; the same command goes on");
        return Ok(ExitCode::from(status));
    }
    let failed: Vec<String> = items
        .iter()
        .filter_map(|item| match &item.progress {
            Progress::Failed { reason, .. } => Some(format!("{}: {reason}", item.run.label())),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        "{} of {} runs failed; the same command tries them again:\n  {}",
        failed.len(),
        items.len(),
        failed.join("\n  ")
    )
}
