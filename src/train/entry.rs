//! How a run is entered: a new folder, or one to go on in.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rlrun_envs::EnvError;

use super::restore::Restored;
use super::session::Session;
use super::setup::{Start, with_training};
use crate::config::grouped;
use crate::doctor;
use crate::plan::{FolderRequest, Plan, TrainRequest};
use crate::request::RequestError;
use crate::run::folder::{NewRun, RunFolder};
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;

/// Trains as `request` asks.
///
/// # Errors
/// A [`RequestError`] before anything is written, or what ended the run; a checkpoint is saved first.
pub(crate) fn run(request: &TrainRequest) -> Result<()> {
    let plan = &request.plan;
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let restored = match &request.folder {
        FolderRequest::Create { .. } => None,
        FolderRequest::Open { dir, lost } => {
            Some(Restored::load(dir, plan, *lost, &Screen::new(verbosity))?)
        }
    };
    let start = restored.as_ref().map_or_else(Start::default, |restored| {
        restored.start(plan, stop.clone(), verbosity)
    });
    let recordings = start.retracing.recordings().iter();
    if let Some(n_steps) = recordings.map(|past| past.actions.len()).max() {
        Screen::new(verbosity).say(&format!(
            "playing up to {} steps again to bring {} environments where they were",
            grouped(n_steps as u64),
            start.retracing.recordings().len()
        ));
    }
    let outcome = with_training(plan, &start, request.threading, |training, spec| {
        start.retracing.finish();
        if stop.is_requested() {
            Screen::new(verbosity).warn("stopped before the first frame; nothing was written");
            return Ok(());
        }
        let (spec, screen) = (*spec, Screen::new(verbosity));
        let session = match (restored, &request.folder) {
            (Some(mut restored), _) => {
                // Whatever is refused is refused before the folder is changed.
                let memory = restored.memory.take();
                training.settle(restored.folder.path(), memory, &screen)?;
                Session::resume(plan, spec, restored, stop, verbosity)?
            }
            (None, FolderRequest::Create { runs_root, name }) => {
                let folder = create_folder(plan, runs_root, name.as_deref())?;
                if let Err(error) = training.settle(folder.path(), None, &screen) {
                    // Nothing has begun.
                    let _ = fs::remove_dir_all(folder.path());
                    return Err(error);
                }
                Session::create(plan, spec, folder, stop, verbosity)
            }
            (None, FolderRequest::Open { .. }) => {
                unreachable!("an opened folder is restored above")
            }
        };
        session.run(training, request.threading)
    });
    match outcome {
        Err(error) if matches!(error.downcast_ref(), Some(EnvError::Stopped)) => {
            start.retracing.finish();
            Screen::new(verbosity).warn(&format!("{error}; nothing was written"));
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes the run folder of `plan` under `runs_root`, with the plan and all versions in it.
///
/// # Errors
/// A [`RequestError`] if it cannot be made, or the versions cannot be had.
fn create_folder(plan: &Plan, runs_root: &Path, name: Option<&str>) -> Result<RunFolder> {
    let versions = doctor::versions()?;
    let run = NewRun {
        runs_root,
        game: &plan.game,
        agent: &plan.agent.kind().to_string(),
        torso: &plan.torso.kind.to_string(),
        seed: plan.seed,
        name,
        plan_toml: &plan.to_toml(),
        versions: &versions,
    };
    RunFolder::create(&run).map_err(|error| RequestError::new(error.to_string()).into())
}
