//! The folder of a new run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rlrun_envs::python;

use crate::doctor;
use crate::plan::Plan;
use crate::request::RequestError;
use crate::run::folder::{NewRun, RunFolder};

/// Makes the run folder of `plan` under `runs_root`, with the plan and all versions in it.
///
/// # Errors
/// A [`RequestError`] if it cannot be made, or the versions cannot be had.
pub(super) fn create_folder(
    plan: &Plan,
    runs_root: &Path,
    name: Option<&str>,
) -> Result<RunFolder> {
    let found = python::versions()?;
    let libtorch = doctor::libtorch_version().unwrap_or_else(|| "unknown".to_owned());
    let versions = BTreeMap::from([
        ("libtorch".to_owned(), libtorch),
        ("rlrun".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("python".to_owned(), found.python),
        ("ale-py".to_owned(), found.ale_py),
        ("numpy".to_owned(), found.numpy),
    ]);
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
