//! `rlrun eval`: full games of a saved agent, each counted once.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`games`] | plays the games, many side by side |
//! | [`statistics`] | mean, median, interquartile mean and the like |
//! | [`report`] | the table on the screen, the CSV and the JSON |
//! | [`watch`] | the best and the worst game, and how to watch one |
//!
//! Which games are played follows from (seed, number of the game), and all of them are played to their end: a game counts no more and no
//! less for being short.

mod games;
mod report;
mod statistics;
mod watch;

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::cli::print;
use crate::doctor;
use crate::plan::DeviceChoice;
use crate::player::{AskedRule, SavedAgent, Which};
use crate::request::RequestError;
use crate::run::progress::GameProgress;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;
use games::play;
use report::Report;

/// Where the results go in the run folder.
const FOLDER: &str = "eval";

/// What is evaluated, and how.
#[derive(Clone, Debug)]
pub(crate) struct EvalRequest {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// Which checkpoint.
    pub(crate) which: Which,
    /// Games.
    pub(crate) n_games: usize,
    /// Environments at most.
    pub(crate) n_envs: usize,
    /// How actions are chosen.
    pub(crate) rule: AskedRule,
    /// Which games are played.
    pub(crate) seed: u64,
    /// Where the network lives.
    pub(crate) device: Option<DeviceChoice>,
    /// Where the results go, in place of the run folder.
    pub(crate) out: Option<PathBuf>,
    /// Neither progress nor the table.
    pub(crate) quiet: bool,
}

/// Evaluates an agent and writes what came of it.
///
/// # Errors
/// A [`RequestError`] before anything is played; an emulator failed, Ctrl-C came first, or the results cannot be written.
pub(crate) fn run(request: &EvalRequest) -> Result<()> {
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let screen = Screen::new(verbosity);
    let saved = SavedAgent::load(&request.run, request.which, request.device, &screen)?;
    let out = request.out.clone();
    let out = out.unwrap_or_else(|| request.run.join(FOLDER));
    let mut player = saved.player(request.rule, request.seed)?;
    let n_envs = request.n_envs.min(request.n_games);
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let config = saved.envs(n_envs, n_threads.min(n_envs))?;
    let refused = |error: rlrun_envs::EnvError| RequestError::new(error.to_string());
    let versions = doctor::versions().map_err(refused)?;
    let env = rlrun_envs::make(&config).map_err(refused)?;
    make_folder(&out)?;
    let mut progress = GameProgress::new(request.n_games, n_envs, verbosity);
    let outcome = play(env, &mut player, request.n_games, &stop, &mut progress);
    progress.finish();
    let Some(games) = outcome? else {
        bail!("stopped before all games were over; nothing was written");
    };
    let report = Report::new(&saved, request, player.rule(), &games, versions)?;
    let files = report.write(&out, &games)?;
    if !request.quiet {
        print(&(report.table(&files) + &watch::in_words(&saved, request, &games)));
    }
    Ok(())
}

/// Results that cannot be written are refused before hours of play.
fn make_folder(dir: &Path) -> Result<(), RequestError> {
    let refused = |error: std::io::Error| {
        let dir = dir.display();
        RequestError::new(format!(
            "cannot write to {dir}: {error}; choose another place by --out DIR"
        ))
    };
    std::fs::create_dir_all(dir).map_err(refused)?;
    tempfile_in(dir).map_err(refused)
}

/// Whether a file can be made in `dir`: a temporary one, which is gone at once.
fn tempfile_in(dir: &Path) -> std::io::Result<()> {
    crate::run::atomic::WholeFile::create(&dir.join("probe")).map(drop)
}
