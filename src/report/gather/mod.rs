//! What a report is made of: finished and unfinished runs below the folders that were given, and runs imported from TensorBoard.
//!
//! Whatever cannot be used is left out with its reason. Nothing here writes.

mod episodes;
mod event_scalars;
mod folders;
mod import;
mod run_folder;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;
use rlrun_envs::ProtocolName;

use super::cohort::decisive;
use crate::request::RequestError;

pub(crate) use import::Import;

/// A run as a report knows it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its folder or event file, as the user named it.
    pub(crate) path: PathBuf,
    /// How far it came.
    pub(crate) status: Status,
    /// Canonical name of the game.
    pub(crate) game: String,
    /// What the runs of one curve have in common: agent and torso, or the name of an import.
    pub(crate) variant: String,
    /// Kind of the torso; none for an import.
    pub(crate) torso: Option<String>,
    /// How the game was presented.
    pub(crate) protocol: ProtocolName,
    /// The master seed, or the number of an imported run that tells none.
    pub(crate) seed: u64,
    /// Every setting of the plan by its whole key (`a2c.learning_rate`), and the versions; empty for an import.
    pub(crate) settings: BTreeMap<String, String>,
    /// Scores over agent steps.
    pub(crate) history: History,
    /// Agent steps taken; of an unfinished run those of its last finished game.
    pub(crate) steps: u64,
    /// Wall seconds of training, if it tells.
    pub(crate) wall_seconds: Option<f64>,
    /// What a reader must know about it, in whole sentences.
    pub(crate) notes: Vec<String>,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// It has a summary.
    Finished,
    /// It comes from TensorBoard, which does not tell.
    Imported,
    /// A process writes to it.
    Running,
    /// It has neither a summary nor a process: killed, crashed or interrupted.
    Stopped,
}

/// Scores over agent steps, in the order of the steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum History {
    /// Step at which each game ended, and its raw score.
    Games(Vec<(u64, f64)>),
    /// Means over the last 100 games, as SB3 logs them.
    Means(Vec<(u64, f64)>),
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// What can be used, ordered by path.
    pub(crate) runs: Vec<Run>,
    /// What cannot, each with its reason.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Something that looked like a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Where.
    pub(crate) path: PathBuf,
    /// Why it cannot be used.
    pub(crate) why: String,
}

impl Run {
    /// Whether it went as far as it was to go, so that it counts without being asked for.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.status, Status::Finished | Status::Imported)
    }
}

impl Status {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Imported => "imported",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl History {
    /// The points, whatever they are.
    pub(crate) fn points(&self) -> &[(u64, f64)] {
        let (Self::Games(points) | Self::Means(points)) = self;
        points
    }

    /// Steps from the last mean but one to the last: as far as the run may have gone on after it. None between games, which are
    /// logged when they end.
    pub(crate) fn steps_between_means(&self) -> u64 {
        match self {
            Self::Means(points) => match points[..] {
                [.., (one, _), (last, _)] => last - one,
                _ => 0,
            },
            Self::Games(_) => 0,
        }
    }
}

/// Reads all runs below `dirs`, and the imports.
///
/// # Errors
/// [`RequestError`] for a folder that is not there or without any run, and for an import that cannot be placed.
pub(crate) fn gather(dirs: &[PathBuf], imports: &[Import]) -> Result<Gathered, RequestError> {
    let mut gathered = Gathered::default();
    let found = folders::find(dirs)?;
    let results: Vec<Result<Run, LeftOut>> = found
        .into_par_iter()
        .map(|dir| run_folder::read(&dir).map_err(|why| LeftOut { path: dir, why }))
        .collect();
    for import in imports {
        import.read(&mut gathered)?;
    }
    for result in results {
        match result {
            Ok(run) => gathered.runs.push(run),
            Err(left_out) => gathered.left_out.push(left_out),
        }
    }
    gathered.runs.sort_by(|a, b| a.path.cmp(&b.path));
    set_duplicates_aside(&mut gathered);
    Ok(gathered)
}

/// Of runs with the same settings and seed, which are the same training, only one counts: the one that went furthest, of
/// equals the one whose path comes last, which is the newest of folders that are named by time.
fn set_duplicates_aside(gathered: &mut Gathered) {
    let mut best: BTreeMap<Identity, Run> = BTreeMap::new();
    for run in std::mem::take(&mut gathered.runs) {
        let identity = identity(&run);
        let Some(other) = best.remove(&identity) else {
            best.insert(identity, run);
            continue;
        };
        let run_wins = (run.is_complete(), run.steps) >= (other.is_complete(), other.steps);
        let (winner, loser) = if run_wins { (run, other) } else { (other, run) };
        gathered.left_out.push(LeftOut {
            why: again(&winner),
            path: loser.path,
        });
        best.insert(identity, winner);
    }
    gathered.runs = best.into_values().collect();
    gathered.runs.sort_by(|a, b| a.path.cmp(&b.path));
}

/// Why a run does not count beside another.
fn again(winner: &Run) -> String {
    let path = winner.path.display();
    if winner.status == Status::Imported {
        return format!(
            "it has the name, game and seed of {path}, which counts; import runs of other settings under another name"
        );
    }
    format!("it has the seed and the settings of {path}, which counts")
}

/// What two runs of the same training share: protocol, game, variant, seed and all settings that decide the curve.
type Identity = (String, String, String, u64, Vec<(String, String)>);

fn identity(run: &Run) -> Identity {
    let settings = decisive(&run.settings).into_iter();
    (
        run.protocol.to_string(),
        run.game.clone(),
        run.variant.clone(),
        run.seed,
        settings
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod tests;
