//! The checkpoints of a run: the last K and the best one.
//!
//! ```text
//! checkpoints/step-000000012345.safetensors   named by the agent steps of the run
//! checkpoints/best.safetensors                the first one after the best mean score of 100 games; never pruned
//! ```
//!
//! A save that fails (full disk) leaves all older checkpoints. Pruning counts only what it has verified, so that a
//! damaged file never takes the place of the last good one.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::atomic::write_whole;
use super::checkpoint::{Checkpoint, EncodeError, Rejection, verify};

const BEST: &str = "best.safetensors";

/// Why a checkpoint was not saved. The older ones are untouched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// The disk is full, the folder is gone, and the like.
    #[error("cannot write the checkpoint {path}: {source}")]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// What was written does not read back.
    #[error("the checkpoint {path} was written but does not read back: {source}")]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Rejection,
    },
    /// A mistake of ours.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A file that was passed over.
#[derive(Debug, thiserror::Error)]
#[error("checkpoint {path} is not used: {reason}")]
pub(crate) struct Rejected {
    /// The file.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) reason: Rejection,
}

/// A checkpoint to go on from.
#[derive(Debug)]
pub(crate) struct Loaded<M> {
    /// The file it was read from.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) checkpoint: Checkpoint<M>,
    /// Newer files that were passed over; worth a warning each.
    pub(crate) rejected: Vec<Rejected>,
}

/// Why there is nothing to go on from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The folder cannot be listed.
    #[error("cannot list the checkpoints in {dir}: {source}")]
    List {
        /// The folder.
        dir: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// The run was stopped before its first checkpoint.
    #[error("there is no checkpoint in {dir}; start the run anew")]
    NoCheckpoint {
        /// The folder.
        dir: PathBuf,
    },
    /// No mean of 100 games has been reached yet, or none after which a checkpoint was saved.
    #[error("there is no best checkpoint in {dir} yet; the newest one can be used")]
    NoBest {
        /// The folder.
        dir: PathBuf,
    },
    /// None was saved at this step, or it is gone by now.
    #[error("there is no checkpoint of step {step} in {dir}; there are: {}", .there.join(", "))]
    NoSuchStep {
        /// The step that was asked for.
        step: u64,
        /// The folder.
        dir: PathBuf,
        /// What may be asked for instead.
        there: Vec<String>,
    },
    /// Not one of them is sound.
    #[error("no checkpoint in {dir} can be used:{}", reasons(.rejected))]
    AllRejected {
        /// The folder.
        dir: PathBuf,
        /// Each of them, newest first.
        rejected: Vec<Rejected>,
    },
}

/// Saves `checkpoint` in `dir` and removes what is older than the `keep` newest valid ones (at least 1).
///
/// # Errors
/// When it is not written whole; the older checkpoints are all there then. A file that cannot be pruned is no error:
/// it is tried again at the next save.
pub(crate) fn save<M: Serialize>(
    dir: &Path,
    checkpoint: &Checkpoint<M>,
    keep: usize,
) -> Result<PathBuf, SaveError> {
    let path = dir.join(file_name(checkpoint.step));
    write(&path, checkpoint)?;
    prune(dir, &path, keep);
    Ok(path)
}

/// Saves `checkpoint` in `dir` as the best one, in place of the best one before.
///
/// # Errors
/// When it is not written whole; the best one before is untouched then.
pub(crate) fn save_best<M: Serialize>(
    dir: &Path,
    checkpoint: &Checkpoint<M>,
) -> Result<PathBuf, SaveError> {
    let path = best_path(dir);
    write(&path, checkpoint)?;
    Ok(path)
}

/// Where the best checkpoint is, if there is one.
pub(crate) fn best_path(dir: &Path) -> PathBuf {
    dir.join(BEST)
}

/// Loads the newest valid checkpoint of `dir`.
///
/// # Errors
/// When there is none; each one that is there is named with its fault.
pub(crate) fn load_newest<M: DeserializeOwned>(dir: &Path) -> Result<Loaded<M>, LoadError> {
    load_newest_with(dir, |_| Ok(())).map(|(loaded, ())| loaded)
}

/// Loads the newest valid checkpoint of `dir` for which `find` finds what belongs to it.
///
/// # Errors
/// As [`load_newest`].
pub(crate) fn load_newest_with<M: DeserializeOwned, T>(
    dir: &Path,
    find: impl FnMut(&Checkpoint<M>) -> Result<T, Rejection>,
) -> Result<(Loaded<M>, T), LoadError> {
    let paths = newest_first(dir).map_err(|source| LoadError::List {
        dir: dir.to_owned(),
        source,
    })?;
    load_first(dir, paths, find)
}

/// Loads the first valid one of `paths`, which are those of `dir`, for which `find` finds what belongs to it.
fn load_first<M: DeserializeOwned, T>(
    dir: &Path,
    paths: Vec<PathBuf>,
    mut find: impl FnMut(&Checkpoint<M>) -> Result<T, Rejection>,
) -> Result<(Loaded<M>, T), LoadError> {
    let mut rejected = Vec::new();
    for path in paths {
        let loaded = Checkpoint::load(&path).and_then(|checkpoint| {
            let found = find(&checkpoint)?;
            Ok((checkpoint, found))
        });
        match loaded {
            Ok((checkpoint, found)) => {
                let loaded = Loaded {
                    path,
                    checkpoint,
                    rejected,
                };
                return Ok((loaded, found));
            }
            Err(reason) => rejected.push(Rejected { path, reason }),
        }
    }
    let dir = dir.to_owned();
    Err(if rejected.is_empty() {
        LoadError::NoCheckpoint { dir }
    } else {
        LoadError::AllRejected { dir, rejected }
    })
}

/// Loads the valid checkpoint of `dir`, the best one among them, whose step is nearest to `steps`.
///
/// # Errors
/// As [`load_newest`].
pub(crate) fn load_nearest<M: DeserializeOwned>(
    dir: &Path,
    steps: &RangeInclusive<u64>,
) -> Result<Loaded<M>, LoadError> {
    let mut paths = newest_first(dir).map_err(|source| LoadError::List {
        dir: dir.to_owned(),
        source,
    })?;
    let step_in_name = |path: &PathBuf| path.file_name()?.to_str().and_then(step_of);
    paths.sort_by_key(|path| step_in_name(path).map(|step| distance(step, steps)));
    let nearest = load_first(dir, paths, |_| Ok(())).map(|(loaded, ())| loaded);
    let path = best_path(dir);
    // Its step does not stand in its name.
    let Ok(best) = Checkpoint::load(&path) else {
        return nearest;
    };
    let is_nearer =
        |than: &Loaded<M>| distance(best.step, steps) < distance(than.checkpoint.step, steps);
    match nearest {
        Ok(nearest) if !is_nearer(&nearest) => Ok(nearest),
        other => Ok(Loaded {
            path,
            checkpoint: best,
            rejected: other.map_or_else(|_| Vec::new(), |nearest| nearest.rejected),
        }),
    }
}

/// How far `step` lies outside of `steps`.
fn distance(step: u64, steps: &RangeInclusive<u64>) -> u64 {
    let before = steps.start().saturating_sub(step);
    before.max(step.saturating_sub(*steps.end()))
}

/// Loads the best checkpoint of `dir`.
///
/// # Errors
/// When there is none yet, or it is damaged.
pub(crate) fn load_best<M: DeserializeOwned>(dir: &Path) -> Result<Loaded<M>, LoadError> {
    let path = best_path(dir);
    if !path.exists() {
        let dir = dir.to_owned();
        return Err(LoadError::NoBest { dir });
    }
    load(dir, path)
}

/// Loads the checkpoint of `step` in `dir`.
///
/// # Errors
/// When there is none, with those that there are, or it is damaged.
pub(crate) fn load_step<M: DeserializeOwned>(
    dir: &Path,
    step: u64,
) -> Result<Loaded<M>, LoadError> {
    let paths = newest_first(dir).map_err(|source| LoadError::List {
        dir: dir.to_owned(),
        source,
    })?;
    let path = dir.join(file_name(step));
    if !paths.contains(&path) {
        let best = best_path(dir).exists().then(|| "best".to_owned());
        let steps = paths
            .iter()
            .filter_map(|path| step_of(path.file_name()?.to_str()?));
        return Err(LoadError::NoSuchStep {
            step,
            dir: dir.to_owned(),
            there: steps.map(|step| step.to_string()).chain(best).collect(),
        });
    }
    load(dir, path)
}

fn load<M: DeserializeOwned>(dir: &Path, path: PathBuf) -> Result<Loaded<M>, LoadError> {
    match Checkpoint::load(&path) {
        Ok(checkpoint) => Ok(Loaded {
            path,
            checkpoint,
            rejected: Vec::new(),
        }),
        Err(reason) => Err(LoadError::AllRejected {
            dir: dir.to_owned(),
            rejected: vec![Rejected { path, reason }],
        }),
    }
}

fn write<M: Serialize>(path: &Path, checkpoint: &Checkpoint<M>) -> Result<(), SaveError> {
    let bytes = checkpoint.encode()?;
    write_whole(path, &bytes).map_err(|source| SaveError::Write {
        path: path.to_owned(),
        source,
    })?;
    verify(path).map_err(|source| SaveError::ReadBack {
        path: path.to_owned(),
        source,
    })
}

/// Removes all but `saved`, which was just verified, and the `keep - 1` newest others that are valid.
fn prune(dir: &Path, saved: &Path, keep: usize) {
    let Ok(paths) = newest_first(dir) else { return };
    let mut n_kept = 1;
    for path in paths.iter().filter(|path| *path != saved) {
        if n_kept >= keep {
            let _ = fs::remove_file(path);
        } else if verify(path).is_ok() {
            n_kept += 1;
        }
    }
}

/// The step of the newest regular checkpoint in `dir`, by its name; whether it is valid is seen when it is loaded.
pub(crate) fn newest_step(dir: &Path) -> Option<u64> {
    let newest = newest_first(dir).ok()?.into_iter().next()?;
    step_of(newest.file_name()?.to_str()?)
}

fn file_name(step: u64) -> String {
    format!("step-{step:012}.safetensors")
}

fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix("step-")?
        .strip_suffix(".safetensors")?
        .parse()
        .ok()
}

fn newest_first(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(step) = entry.file_name().to_str().and_then(step_of) {
            found.push((step, entry.path()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn reasons(rejected: &[Rejected]) -> String {
    rejected
        .iter()
        .fold(String::new(), |mut text, Rejected { path, reason }| {
            let _ = write!(text, "\n  {}: {reason}", path.display());
            text
        })
}

#[cfg(test)]
mod tests;
