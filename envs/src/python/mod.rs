//! The embedded Python: started once, silent, and only for ale-py.
//!
//! ale-py is GPL-2.0; it is imported at run time from the user's virtual environment, never linked. We import
//! `ale_py._ale_py` alone: `ale_py.ALEVectorInterface` is hidden where gymnasium is missing, and `ale_py.roms` prints.
//!
//! Python's lock is taken for the length of one call into ALE, which gives it back while it works. No caller may hold it
//! while it waits for anything else, and nothing here is called with it held.

mod interpreter;
mod venv;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use pyo3::prelude::*;
use serde::Serialize;

use crate::EnvError;
use venv::Venv;

/// What was found, for `rlrun doctor` and the run folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Python's version, as in "3.11.7".
    pub python: String,
    /// ale-py's version.
    pub ale_py: String,
    /// numpy's version.
    pub numpy: String,
    /// The virtual environment.
    pub venv: PathBuf,
    /// The folder that ROMs are read from.
    pub roms_dir: PathBuf,
    /// Number of ROMs in it.
    pub n_roms: usize,
}

/// Starts Python if it does not run yet, and says what was found.
///
/// # Errors
/// The virtual environment, numpy or ale-py is missing or broken; the message names the command that mends it.
pub fn versions() -> Result<Versions, EnvError> {
    Ok(ale()?.versions.clone())
}

/// The interpreter of the virtual environment in use, and the folder of its packages. Python is not started.
///
/// # Errors
/// There is no virtual environment for the linked Python; the message names the command that makes one.
pub fn interpreter_and_packages() -> Result<(PathBuf, PathBuf), EnvError> {
    let venv = venv::find(&interpreter::linked_version())?;
    Ok((venv.interpreter(), venv.site_packages))
}

/// The parts of ale-py that we call.
#[derive(Debug)]
pub(crate) struct Ale {
    /// The class `ALEVectorInterface`.
    pub(crate) vector_interface: Py<PyAny>,
    /// The class `ALEInterface`.
    pub(crate) interface: Py<PyAny>,
    /// Where it all comes from.
    pub(crate) venv: Venv,
    versions: Versions,
}

/// ale-py; the first call starts Python, and its outcome is kept.
///
/// # Errors
/// As [`versions`].
pub(crate) fn ale() -> Result<&'static Ale, EnvError> {
    static ALE: OnceLock<Result<Ale, EnvError>> = OnceLock::new();
    ALE.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Ale, EnvError> {
    let venv = venv::find(&interpreter::linked_version())?;
    interpreter::start(&venv.interpreter()).map_err(|cause| EnvError::PythonStart {
        venv: venv.dir.clone(),
        cause,
    })?;
    Python::attach(|py| {
        prepare(py, &venv).map_err(|error| EnvError::PythonStart {
            venv: venv.dir.clone(),
            cause: error.to_string(),
        })?;
        let import = |module: &'static str| {
            py.import(module).map_err(|error| EnvError::Import {
                module,
                venv: venv.dir.clone(),
                cause: error.to_string(),
            })
        };
        let numpy = import("numpy")?;
        let ale_py = import("ale_py")?;
        let native = import("ale_py._ale_py")?;
        let found = || -> PyResult<Ale> {
            let interface = native.getattr("ALEInterface")?;
            let quiet = native.getattr("LoggerMode")?.getattr("Error")?;
            interface.call_method1("setLoggerMode", (quiet,))?;
            Ok(Ale {
                vector_interface: native.getattr("ALEVectorInterface")?.unbind(),
                interface: interface.unbind(),
                versions: Versions {
                    python: Python::version_str()
                        .split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                    ale_py: ale_py.getattr("__version__")?.extract()?,
                    numpy: numpy.getattr("__version__")?.extract()?,
                    venv: venv.dir.clone(),
                    roms_dir: venv.roms_dir(),
                    n_roms: count_roms(&venv),
                },
                venv: venv.clone(),
            })
        };
        found().map_err(|error| EnvError::Import {
            module: "ale_py._ale_py",
            venv: venv.dir.clone(),
            cause: error.to_string(),
        })
    })
}

/// Sends whatever Python or a package prints to nowhere (the screen is the progress bar's; errors reach us as
/// exceptions), gives Ctrl-C back, and makes sure that the packages are found.
fn prepare(py: Python<'_>, venv: &Venv) -> PyResult<()> {
    py.run(
        c"import os, sys\nsys.stdout = sys.stderr = open(os.devnull, 'w')",
        None,
        None,
    )?;
    give_ctrl_c_back(py)?;
    let path = py.import("sys")?.getattr("path")?;
    if !path.contains(venv.site_packages.to_string_lossy())? {
        py.import("site")?
            .call_method1("addsitedir", (&venv.site_packages,))?;
    }
    Ok(())
}

/// Undoes what importing `signal` does: where SIGINT has no handler yet, `CPython` takes it for `KeyboardInterrupt`, even if
/// it was told at its start to install no handlers. Any package may import it, so that is done here, once, and undone.
fn give_ctrl_c_back(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("signal")?;
    let sigint = signal.getattr("SIGINT")?;
    let handler = signal.call_method1("getsignal", (&sigint,))?;
    if handler.eq(signal.getattr("default_int_handler")?)? {
        signal.call_method1("signal", (&sigint, signal.getattr("SIG_DFL")?))?;
    }
    Ok(())
}

fn count_roms(venv: &Venv) -> usize {
    fs::read_dir(venv.roms_dir()).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "bin")
            })
            .count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_python_leaves_ctrl_c_to_us() {
        versions().unwrap();
        let is_pythons = Python::attach(|py| {
            let signal = py.import("signal").unwrap();
            let get = |name| signal.getattr(name).unwrap();
            let handler = get("getsignal").call1((get("SIGINT"),)).unwrap();
            handler.eq(get("default_int_handler")).unwrap()
        });
        assert!(!is_pythons, "Python has installed its handler for SIGINT");
        #[cfg(target_os = "linux")]
        {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            assert_eq!(caught & 0b10, 0, "something catches SIGINT: {caught:#x}");
        }
    }

    #[test]
    fn the_interpreter_is_the_one_of_the_virtual_environment() {
        let versions = versions().unwrap();
        let prefix: String = Python::attach(|py| {
            py.import("sys")
                .unwrap()
                .getattr("prefix")
                .unwrap()
                .extract()
                .unwrap()
        });
        assert_eq!(fs::canonicalize(prefix).unwrap(), versions.venv);
        assert!(versions.python.starts_with("3."), "{versions:?}");
    }
}
