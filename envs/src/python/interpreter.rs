//! Starts the embedded interpreter inside a virtual environment.
//!
//! `Python::initialize` of PyO3 does not do: it takes the first `python3` of PATH for itself and derives the place of
//! the standard library from that, which is wrong or fatal with pyenv's shims, conda or a relocated Python. So Python's
//! own configuration is filled in (PEP 587): *isolated*, hence no variable of the user's shell (PYTHONHOME, PYTHONPATH)
//! is heard, standard streams and locale stay as they are, and no signal handler is installed: Ctrl-C is ours.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pyo3::ffi;

/// Major and minor version of the linked libpython, as in "3.11". Python need not run.
pub(super) fn linked_version() -> String {
    // SAFETY: `Py_GetVersion` may be called before initialisation and returns a static string.
    #[expect(unsafe_code, reason = "PyO3 offers the version only once Python runs")]
    let full = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    let mut parts = full.split('.');
    format!(
        "{}.{}",
        parts.next().unwrap_or("?"),
        parts.next().unwrap_or("?")
    )
}

/// Starts Python as the interpreter at `program` would see the world, and leaves its lock free.
///
/// Must be called once, by one thread at a time: the caller's `OnceLock` sees to that.
///
/// # Errors
/// What Python says, as text.
pub(super) fn start(program: &Path) -> Result<(), String> {
    let program =
        CString::new(program.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    #[expect(
        unsafe_code,
        reason = "PyO3 has no safe form of Python's own configuration"
    )]
    // SAFETY: each structure is filled by its own Init function before it is read; `program` outlives the calls, which
    // copy it; `config` is cleared on every way out; the lock that initialisation takes is given back by the same thread.
    unsafe {
        if ffi::Py_IsInitialized() != 0 {
            return Ok(());
        }
        let mut pre = MaybeUninit::<ffi::PyPreConfig>::uninit();
        ffi::PyPreConfig_InitIsolatedConfig(pre.as_mut_ptr());
        let mut pre = pre.assume_init();
        pre.utf8_mode = 1; // Paths are UTF-8 whatever the locale.
        check(ffi::Py_PreInitialize(&raw const pre))?;

        let mut config = MaybeUninit::<ffi::PyConfig>::uninit();
        ffi::PyConfig_InitIsolatedConfig(config.as_mut_ptr());
        let mut config = config.assume_init();
        config.pathconfig_warnings = 0;
        let program_name = &raw mut config.program_name;
        let mut status = check(ffi::PyConfig_SetBytesString(
            &raw mut config,
            program_name,
            program.as_ptr(),
        ));
        if status.is_ok() {
            status = check(ffi::Py_InitializeFromConfig(&raw const config));
        }
        ffi::PyConfig_Clear(&raw mut config);
        status?;
        ffi::PyEval_SaveThread();
    }
    Ok(())
}

fn check(status: ffi::PyStatus) -> Result<(), String> {
    // SAFETY: the message of a status is null or a static string of Python's.
    #[expect(unsafe_code, reason = "a status carries its message as a C string")]
    unsafe {
        if ffi::PyStatus_Exception(status) == 0 {
            return Ok(());
        }
        if status.err_msg.is_null() {
            return Err(format!(
                "Python asked to exit with code {}",
                status.exitcode
            ));
        }
        Err(CStr::from_ptr(status.err_msg)
            .to_string_lossy()
            .into_owned())
    }
}
