//! Finds run folders: every folder with a plan, or with a table of games, below those that were given.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::request::RequestError;

/// Run folders are looked for this far below a given folder; `runs/<game>/<variant>/<run>` is 3.
const DEPTH: usize = 8;

/// All run folders below `dirs`, each once.
///
/// # Errors
/// When one of `dirs` is no folder that can be read, or there is no run at all.
pub(super) fn find(dirs: &[PathBuf]) -> Result<Vec<PathBuf>, RequestError> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for dir in dirs {
        fs::read_dir(dir).map_err(|error| {
            RequestError::new(format!(
                "cannot read the folder {}: {error}; name a folder of runs, such as runs or runs/MsPacman",
                dir.display()
            ))
        })?;
        let n_before = found.len();
        walk(dir, DEPTH, &mut seen, &mut found);
        if found.len() == n_before
            && !seen
                .iter()
                .any(|path| dir.canonicalize().is_ok_and(|d| path.starts_with(d)))
        {
            return Err(RequestError::new(format!(
                "there is no run below {}: no folder there has a plan.toml. Runs are made by `rlrun --game NAME`",
                dir.display()
            )));
        }
    }
    found.sort();
    Ok(found)
}

/// Adds the run folders at and below `dir`; a run holds no others. `seen` are their true paths.
fn walk(dir: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) {
    if dir.join("plan.toml").exists() || dir.join("episodes.csv").exists() {
        let true_path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        if seen.insert(true_path) {
            found.push(dir.to_owned());
        }
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    // A folder that may not be read holds no run that could be.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let path = entry.path();
        if !is_hidden && path.is_dir() {
            walk(&path, depth, seen, found);
        }
    }
}
