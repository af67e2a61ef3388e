//! Reads one run folder, whatever state it is in.
//!
//! The plan is read as a table of keys and not as a [`crate::plan::Plan`]: runs of earlier versions lack some keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{History, Run, Status, episodes};
use crate::run::lock::RunLock;

/// What a report needs from `summary.json`.
#[derive(Deserialize)]
struct SummaryPart {
    steps: u64,
    wall_seconds: f64,
}

/// Reads the run in `dir`.
///
/// # Errors
/// Why it cannot be used, as a sentence without its path.
pub(super) fn read(dir: &Path) -> Result<Run, String> {
    let plan = read_plan(dir)?;
    let text = |key: &str| {
        plan.get(key)
            .cloned()
            .ok_or(format!("its plan.toml has no {key}"))
    };
    if plan.contains_key("task") && !plan.contains_key("game") {
        return Err("it is a coordinate task and has no scores".to_owned());
    }
    let (game, agent, torso) = (text("game")?, text("agent")?, text("torso.kind")?);
    let protocol = text("protocol")?
        .parse()
        .map_err(|error| format!("its plan.toml: {error}"))?;
    let seed = text("seed")?
        .parse()
        .map_err(|_| "the seed in its plan.toml is no number")?;
    let table = episodes::read(&dir.join("episodes.csv"))?;
    let Some(&(last_step, _)) = table.games.last() else {
        return Err(format!(
            "no game was finished in it; it {}",
            word(status(dir, None))
        ));
    };
    let summary = fs::read(dir.join("summary.json")).ok();
    let summary = summary.and_then(|bytes| serde_json::from_slice::<SummaryPart>(&bytes).ok());
    let mut settings = plan;
    settings.extend(versions(dir));
    Ok(Run {
        path: dir.to_owned(),
        status: status(dir, summary.as_ref()),
        game,
        variant: format!("{agent}-{torso}"),
        torso: Some(torso),
        protocol,
        seed,
        settings,
        steps: summary.as_ref().map_or(last_step, |summary| summary.steps),
        wall_seconds: summary
            .map(|summary| summary.wall_seconds)
            .or(table.wall_seconds),
        history: History::Games(table.games),
        notes: table.notes,
    })
}

fn status(dir: &Path, summary: Option<&SummaryPart>) -> Status {
    if summary.is_some() {
        Status::Finished
    } else if RunLock::is_held(dir) {
        Status::Running
    } else {
        Status::Stopped
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Running => "is running",
        Status::Finished | Status::Imported => "is finished",
        Status::Stopped => "was stopped before; go on with it by `rlrun --resume`, or remove it",
    }
}

/// The plan as whole keys and values.
fn read_plan(dir: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(dir.join("plan.toml"))
        .map_err(|error| format!("its plan.toml cannot be read: {error}"))?;
    let table: toml::Table = text
        .parse()
        .map_err(|_| "its plan.toml is no whole TOML file".to_owned())?;
    let mut settings = BTreeMap::new();
    flatten("", &table, &mut settings);
    Ok(settings)
}

fn flatten(section: &str, table: &toml::Table, settings: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = format!("{section}{name}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, settings),
            toml::Value::String(text) => {
                settings.insert(key, text.clone());
            }
            other => {
                settings.insert(key, other.to_string());
            }
        }
    }
}

/// The versions of all that took part, as settings; none from a file that cannot be read.
fn versions(dir: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(dir.join("versions.json")).unwrap_or_default();
    let versions: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap_or_default();
    let named = versions
        .into_iter()
        .map(|(name, version)| (format!("version.{name}"), version));
    named.collect()
}
