//! Creates a run folder, or opens one to go on with it. Both hold its lock as long as they live.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::atomic::{remove_stale_temporaries, write_whole};
use super::lock::{LockError, RunLock};

const PLAN: &str = "plan.toml";
const VERSIONS: &str = "versions.json";
const SUMMARY: &str = "summary.json";
/// Name of the folder of checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// Name of the flight recorder's file.
pub(crate) const RECORDER: &str = "recorder.bin";
/// Name of the table of finished games.
pub(crate) const EPISODES: &str = "episodes.csv";

/// What a new run is called and what is written into its folder at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRun<'a> {
    /// The folder of all runs (`--runs`).
    pub(crate) runs_root: &'a Path,
    /// The game's canonical name.
    pub(crate) game: &'a str,
    /// The agent's name.
    pub(crate) agent: &'a str,
    /// The torso's name.
    pub(crate) torso: &'a str,
    /// The master seed.
    pub(crate) seed: u64,
    /// The name of the folder (`--name`) instead of seed and time.
    pub(crate) name: Option<&'a str>,
    /// The resolved plan.
    pub(crate) plan_toml: &'a str,
    /// The versions of all that takes part, by name.
    pub(crate) versions: &'a BTreeMap<String, String>,
}

/// A run folder with its lock held.
#[derive(Debug)]
pub(crate) struct RunFolder {
    dir: PathBuf,
    _lock: RunLock,
}

/// Why a run folder cannot be used. All of these are faults of the request (exit 2); nothing was written then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// A part of the path is no name of a folder.
    #[error("{name:?} cannot be the name of a run's folder: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is a run of this name.
    #[error(
        "the run {dir} exists already; go on with it by --resume {dir}, or choose another --name"
    )]
    Exists {
        /// The run folder.
        dir: PathBuf,
    },
    /// The folder cannot be made or written.
    #[error("cannot write the run folder {path}: {source}; choose another place by --runs DIR")]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// `--resume` was given something else.
    #[error("{dir} is not a run folder: it lacks {missing}")]
    NotARun {
        /// The folder.
        dir: PathBuf,
        /// What a run folder has and this one has not.
        missing: String,
    },
    /// `--resume` was given nothing at all.
    #[error("there is no folder {dir} to resume")]
    NoSuchFolder {
        /// The folder.
        dir: PathBuf,
    },
    /// Another process has it.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl RunFolder {
    /// Makes the folder of a new run, with its lock, plan and versions.
    ///
    /// # Errors
    /// See [`FolderError`]. What was made until then is removed again.
    pub(crate) fn create(run: &NewRun<'_>) -> Result<Self, FolderError> {
        let variant = format!("{}-{}", run.agent, run.torso);
        let own_name = run.name.map_or_else(
            || format!("seed{}-{}", run.seed, local_time()),
            str::to_owned,
        );
        for name in [run.game, &variant, &own_name] {
            check_name(name)?;
        }
        let parent = run.runs_root.join(run.game).join(variant);
        let made = MadeFolders::make(&parent)?;
        let dir = if run.name.is_some() {
            make_named(parent.join(own_name))?
        } else {
            make_numbered(&parent, &own_name)?
        };
        let made = made.and(dir.clone());
        let folder = Self::fill(dir, run)?;
        made.keep();
        Ok(folder)
    }

    /// Opens the folder of a run that was begun, to go on with it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub(crate) fn open(dir: &Path) -> Result<Self, FolderError> {
        let dir = dir.to_owned();
        if !dir.is_dir() {
            return Err(FolderError::NoSuchFolder { dir });
        }
        let missing: Vec<&str> = [PLAN, CHECKPOINTS]
            .into_iter()
            .filter(|part| !dir.join(part).exists())
            .collect();
        if !missing.is_empty() {
            return Err(FolderError::NotARun {
                dir,
                missing: missing.join(" and "),
            });
        }
        let lock = RunLock::acquire(&dir)?;
        for with_temporaries in [dir.clone(), dir.join(CHECKPOINTS)] {
            remove_stale_temporaries(&with_temporaries).map_err(|source| {
                FolderError::Unwritable {
                    path: with_temporaries,
                    source,
                }
            })?;
        }
        Ok(Self { dir, _lock: lock })
    }

    fn fill(dir: PathBuf, run: &NewRun<'_>) -> Result<Self, FolderError> {
        let lock = RunLock::acquire(&dir)?;
        let folder = Self { dir, _lock: lock };
        let checkpoints = folder.checkpoints();
        fs::create_dir(&checkpoints).map_err(|source| FolderError::Unwritable {
            path: checkpoints,
            source,
        })?;
        folder.write(VERSIONS, &pretty_json(run.versions))?;
        folder.write(PLAN, run.plan_toml.as_bytes())?;
        Ok(folder)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.dir.join(name);
        write_whole(&path, bytes).map_err(|source| FolderError::Unwritable { path, source })
    }

    /// The folder itself; TensorBoard's event files are directly in it.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// The folder of the checkpoints.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.dir.join(CHECKPOINTS)
    }

    /// The table of finished games.
    pub(crate) fn episodes_csv(&self) -> PathBuf {
        self.dir.join(EPISODES)
    }

    /// The table of games played in evaluations.
    pub(crate) fn evaluations_csv(&self) -> PathBuf {
        self.dir.join("evaluations.csv")
    }

    /// The flight recorder's file.
    pub(crate) fn recorder(&self) -> PathBuf {
        self.dir.join(RECORDER)
    }

    /// Begins a run again that goes on, perhaps further than planned: its plan is written anew, and it is not finished.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn reopen(&self, plan_toml: &str) -> Result<(), FolderError> {
        self.write(PLAN, plan_toml.as_bytes())?;
        let path = self.dir.join(SUMMARY);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::Unwritable { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Writes the summary of a run that has reached its end, in place of an earlier one.
    ///
    /// # Errors
    /// When it cannot be written whole.
    pub(crate) fn write_summary(&self, summary: &impl Serialize) -> Result<(), FolderError> {
        self.write(SUMMARY, &pretty_json(summary))
    }
}

/// The folders made for a run, which go away again when it cannot begin.
#[derive(Debug)]
struct MadeFolders {
    run: Option<PathBuf>,
    /// Those above it that were not there before, innermost first.
    above: Vec<PathBuf>,
}

impl MadeFolders {
    /// Makes `dir` and what is missing above it.
    fn make(dir: &Path) -> Result<Self, FolderError> {
        // An empty path is the current folder.
        let missing = dir
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .map(Path::to_owned);
        let made = Self {
            run: None,
            above: missing.collect(),
        };
        fs::create_dir_all(dir).map_err(|source| FolderError::Unwritable {
            path: dir.to_owned(),
            source,
        })?;
        Ok(made)
    }

    /// The run's own folder is made, too.
    fn and(mut self, run: PathBuf) -> Self {
        self.run = Some(run);
        self
    }

    /// The run can begin.
    fn keep(mut self) {
        self.run = None;
        self.above.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        if let Some(run) = &self.run {
            let _ = fs::remove_dir_all(run);
        }
        for folder in &self.above {
            // Another run may have begun beside ours: only an empty folder goes.
            let _ = fs::remove_dir(folder);
        }
    }
}

fn make_named(dir: PathBuf) -> Result<PathBuf, FolderError> {
    match fs::create_dir(&dir) {
        Ok(()) => Ok(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FolderError::Exists { dir })
        }
        Err(source) => Err(FolderError::Unwritable { path: dir, source }),
    }
}

/// Two runs of one seed may begin in the same second; the later one gets a number.
fn make_numbered(parent: &Path, name: &str) -> Result<PathBuf, FolderError> {
    let mut dir = parent.join(name);
    for number in 2.. {
        match make_named(dir) {
            Err(FolderError::Exists { .. }) => dir = parent.join(format!("{name}-{number}")),
            result => return result,
        }
    }
    unreachable!("numbers do not end")
}

fn check_name(name: &str) -> Result<(), FolderError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.contains(['/', '\\', '\0']) {
        "it must be one name, without slashes"
    } else if name.starts_with('.') {
        "it must not begin with a dot"
    } else if name.len() > 200 {
        "it is longer than 200 bytes"
    } else {
        return Ok(());
    };
    Err(FolderError::BadName {
        name: name.to_owned(),
        reason,
    })
}

fn local_time() -> String {
    jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string()
}

fn pretty_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .expect("maps with string keys and plain structs go into JSON");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
