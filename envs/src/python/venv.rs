//! Where the virtual environment is, found without starting Python.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::EnvError;

/// The virtual environment whose ale-py we use, and its packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Venv {
    /// The folder with `pyvenv.cfg`.
    pub(crate) dir: PathBuf,
    /// Its `site-packages`.
    pub(crate) site_packages: PathBuf,
}

impl Venv {
    /// Its interpreter, whose place tells Python where its library is.
    pub(super) fn interpreter(&self) -> PathBuf {
        self.dir.join("bin").join("python")
    }

    /// The folder with the ROMs: `ALE_ROMS_DIR`, as ale-py has it, else the one inside the package.
    pub(crate) fn roms_dir(&self) -> PathBuf {
        match env::var_os("ALE_ROMS_DIR") {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir),
            _ => self.site_packages.join("ale_py").join("roms"),
        }
    }
}

/// The virtual environment for the linked Python, `linked` being its version as in "3.11".
///
/// Looked at, in this order: `RLRUN_VENV` (then nothing else); the path that was set when this binary was compiled;
/// `../../.venv` beside the executable, for a tree that was moved.
///
/// # Errors
/// [`EnvError::VenvMissing`] with the places, or [`EnvError::PythonMismatch`].
pub(super) fn find(linked: &str) -> Result<Venv, EnvError> {
    if let Some(chosen) = env::var_os("RLRUN_VENV").filter(|dir| !dir.is_empty()) {
        return first_of(&[PathBuf::from(chosen)], linked);
    }
    let compiled_in = option_env!("RLRUN_VENV").map(PathBuf::from);
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("../../.venv")));
    first_of(
        &compiled_in.into_iter().chain(beside).collect::<Vec<_>>(),
        linked,
    )
}

/// The first of these folders that is a virtual environment for the linked Python.
fn first_of(dirs: &[PathBuf], linked: &str) -> Result<Venv, EnvError> {
    let site_packages = |dir: &Path| {
        dir.join("lib")
            .join(format!("python{linked}"))
            .join("site-packages")
    };
    let venvs = || dirs.iter().filter(|dir| dir.join("pyvenv.cfg").is_file());
    if let Some(dir) = venvs().find(|dir| site_packages(dir).is_dir()) {
        let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.clone());
        return Ok(Venv {
            site_packages: site_packages(&dir),
            dir,
        });
    }
    match venvs().next() {
        Some(venv) => Err(EnvError::PythonMismatch {
            venv: venv.clone(),
            linked: linked.to_owned(),
        }),
        None => Err(EnvError::VenvMissing {
            tried: dirs
                .iter()
                .map(|dir| dir.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder under the target folder that looks like a virtual environment for Python 3.11.
    fn fake_venv(name: &str) -> PathBuf {
        let dir = env::temp_dir().join(format!("rlrun-envs-{}-{name}", std::process::id()));
        fs::create_dir_all(dir.join("lib/python3.11/site-packages")).unwrap();
        fs::write(dir.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        dir
    }

    #[test]
    fn the_first_virtual_environment_that_fits_is_taken() {
        let dir = fake_venv("fits");
        let venv = first_of(&[PathBuf::from("/nonexistent"), dir.clone()], "3.11").unwrap();
        assert!(venv.site_packages.ends_with("lib/python3.11/site-packages"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_virtual_environment_of_another_python_is_named_with_the_remedy() {
        let dir = fake_venv("mismatch");
        let error = first_of(std::slice::from_ref(&dir), "3.13").unwrap_err();
        assert!(matches!(error, EnvError::PythonMismatch { .. }), "{error}");
        assert!(error.to_string().contains("scripts/bootstrap"), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn no_virtual_environment_names_the_places_and_the_remedy() {
        let error = first_of(
            &[PathBuf::from("/nowhere/a"), PathBuf::from("/nowhere/b")],
            "3.11",
        )
        .unwrap_err();
        let text = error.to_string();
        for part in ["/nowhere/a, /nowhere/b", "scripts/bootstrap", "RLRUN_VENV"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
