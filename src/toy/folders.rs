//! The run folders of trainings: new ones, those to go on in, and what a kill can leave of one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rlrun_toys::plan::ToyPlan;

use super::grid::GridRun;
use super::verdict::ToySummary;
use crate::doctor;
use crate::request::RequestError;
use crate::run::atomic::write_whole;
use crate::run::folder::{NewRun, RunFolder};
use crate::run::lock::RunLock;

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
        plan_toml: &plan_toml(plan)?,
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

/// The folder of a training of a grid, within that of its sweep.
pub(crate) fn folder_of(sweep: &Path, run: &GridRun) -> PathBuf {
    let plan = &run.plan;
    sweep
        .join(plan.task.to_string())
        .join(format!("{}-{}", plan.split, plan.net))
        .join(&run.name)
}

/// The folder of a training of a grid: the one it was begun in, or a new one. A lost plan is written anew, for the
/// checkpoint knows its own; what a kill left before the first checkpoint is cleared away.
///
/// # Errors
/// Another plan's folder, one with something in it that would be lost, one in use, or what the file system answered.
pub(crate) fn begin_or_go_on(sweep: &Path, run: &GridRun) -> Result<RunFolder> {
    let path = folder_of(sweep, run);
    if !path.exists() {
        return create_folder(&run.plan, sweep, Some(&run.name));
    }
    let has_plan = path.join("plan.toml").exists();
    if !has_checkpoint(&path) {
        clear(&path)?;
        return create_folder(&run.plan, sweep, Some(&run.name));
    }
    if !has_plan {
        let plan = plan_toml(&run.plan)?;
        write_whole(&path.join("plan.toml"), plan.as_bytes())
            .with_context(|| format!("writing the plan of {} anew", path.display()))?;
    }
    let (folder, plan) = open_folder(&path)?;
    if plan != run.plan {
        bail!(
            "{} has the plan of another training; move it away",
            path.display()
        );
    }
    Ok(folder)
}

/// The summary of a training that is done by this plan.
pub(crate) fn summary_of(dir: &Path, plan: &ToyPlan) -> Option<ToySummary> {
    let text = fs::read_to_string(dir.join("summary.json")).ok()?;
    let summary: ToySummary = serde_json::from_str(&text).ok()?;
    (summary.plan == *plan).then_some(summary)
}

fn plan_toml(plan: &ToyPlan) -> Result<String> {
    toml::to_string(plan).context("writing the plan as TOML")
}

fn has_checkpoint(dir: &Path) -> bool {
    let files = fs::read_dir(dir.join("checkpoints")).into_iter().flatten();
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("step-"))
}

/// Removes a folder in which no training left anything.
///
/// # Errors
/// If it holds anything else, if it is in use, or if it cannot be removed.
fn clear(dir: &Path) -> Result<()> {
    let made = ["lock", "plan.toml", "versions.json", "checkpoints"];
    let entries = fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_of_a_start = made.contains(&name.as_str())
            || name.starts_with(".rlrun-tmp-")
            || name.starts_with("events.out.tfevents.");
        if !is_of_a_start {
            bail!(
                "{} has no checkpoint to go on from, but {name}; move it away",
                dir.display()
            );
        }
    }
    let _lock = RunLock::acquire(dir)?;
    fs::remove_dir_all(dir).with_context(|| format!("clearing {}", dir.display()))
}
